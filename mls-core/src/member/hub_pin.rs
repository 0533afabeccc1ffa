//! The hub's keys, pinned at first use.

use super::create::wanted;
use super::intents::{Intent, Stage};
use super::key_packages::Fill;
use super::requests::Purpose;
use super::warning::WarningKind;
use super::{Command, Member};
use crate::address::Network;
use crate::limits::{DAY_MS, HUB_INFO_AGAIN_MS, HUB_INFO_AT_ONCE_MS, HUB_KEYS_AGAIN_MS};
use crate::policy::CIPHER_SUITES;
use crate::service::Service;
use crate::store::{Space, StoreError};
use crate::wire::hub_info::HubInfo;
use crate::wire::refusal::Refusal;
use crate::wire::{Answer, GroupId, Request, RequestId};

const HUB: Space = "hub";
const PIN: &[u8] = b"pin";
/// When the hub last said who it is.
const ASKED: &[u8] = b"asked";
/// When people were last told that it cannot be used.
const TOLD: &[u8] = b"told_unusable";
/// When it was asked since something named a key that is not pinned.
const ASKED_AT_ONCE: &[u8] = b"asked_at_once";
/// Version of the protocol that we speak.
const VERSION: u8 = 0;

impl Member {
    /// The hub, if it is pinned.
    pub(super) fn hub(&self) -> Result<Option<HubInfo>, StoreError> {
        self.overlay.read(HUB, PIN)
    }

    /// The hub, if it is pinned; otherwise it is asked who it is.
    pub(super) fn need_hub(&mut self) -> Result<Option<HubInfo>, StoreError> {
        let hub = self.hub()?;
        if hub.is_none()
            && !self.is_asking(|purpose| *purpose == Purpose::HubInfo)
            && !self.was_just_unusable()?
        {
            self.request(Purpose::HubInfo, Request::HubInfo)?;
        }
        Ok(hub)
    }

    /// Whether a hub that is not pinned has answered just now, so with what this device cannot use.
    fn was_just_unusable(&self) -> Result<bool, StoreError> {
        let asked_ms: Option<u64> = self.overlay.read(HUB, ASKED)?;
        Ok(asked_ms.is_some_and(|at_ms| self.now_ms.abs_diff(at_ms) < HUB_KEYS_AGAIN_MS))
    }

    /// The hub cannot be used: what no group waits for fails, and people are told once a day.
    fn hub_unusable(&mut self, why: &str) -> Result<(), StoreError> {
        let text = format!("the hub cannot be used: {why}");
        let pool = self.client.network() == Network::Xmpp;
        let of_hub = |intent: &&Intent| match &intent.command {
            Command::Join(_)
            | Command::Knock(_)
            | Command::RevokeDevice(_)
            | Command::RotateEverywhere => true,
            Command::PublishKeyPackages => pool,
            command => wanted(command).is_some(),
        };
        let waiting = self.intents.values().filter(|intent| intent.stage == Stage::Waiting);
        for number in waiting.filter(of_hub).map(|i| i.number).collect::<Vec<_>>() {
            self.fail(number, text.as_str())?;
        }
        let told_ms: Option<u64> = self.overlay.read(HUB, TOLD)?;
        if told_ms.is_some_and(|at_ms| self.now_ms.abs_diff(at_ms) < DAY_MS) {
            return Ok(());
        }
        self.overlay.write(HUB, TOLD, &self.now_ms)?;
        self.warn(&GroupId::none(), WarningKind::Hub, text)
    }

    /// Asks the hub who it is, if it is not pinned or was asked long ago: it may have new keys.
    pub(super) fn ask_hub_again(&mut self) -> Result<(), StoreError> {
        let asked_ms: u64 = self.overlay.read(HUB, ASKED)?.unwrap_or(0);
        let recent = self.now_ms.saturating_sub(asked_ms) < HUB_INFO_AGAIN_MS;
        let pinned = self.need_hub()?.is_some();
        if recent || !pinned || self.is_asking(|purpose| *purpose == Purpose::HubInfo) {
            return Ok(());
        }
        self.request(Purpose::HubInfo, Request::HubInfo).map(|_| ())
    }

    /// Asks the hub who it is, since something names a key of it that is not pinned. Whether its
    /// answer is to be waited for: it was not asked about that just before.
    pub(super) fn ask_hub_at_once(&mut self) -> Result<bool, StoreError> {
        let asking = self.is_asking(|purpose| *purpose == Purpose::HubInfo);
        let asked_ms: u64 = self.overlay.read(HUB, ASKED_AT_ONCE)?.unwrap_or(0);
        if asking || self.now_ms.saturating_sub(asked_ms) < HUB_INFO_AT_ONCE_MS {
            return Ok(asking);
        }
        // What it said by itself before may be older than the key.
        self.overlay.write(HUB, ASKED_AT_ONCE, &self.now_ms)?;
        self.request(Purpose::HubInfo, Request::HubInfo).map(|_| true)
    }

    /// The hub, which is pinned, said again who it is.
    fn hub_again(&mut self, pinned: &HubInfo, info: &HubInfo) -> Result<(), StoreError> {
        if info.receipt_key == pinned.receipt_key {
            // Other networks, other bounds; its senders are those that were pinned.
            if info.seal_key != pinned.seal_key {
                let text = "the hub, or a server before it, shows another seal key beside the receipt \
                            key that this device knows: it is not used";
                return self.warn(&GroupId::none(), WarningKind::Hub, text);
            }
            return self.anchors_of_hub(info);
        }
        if !info.takes_the_place_of(pinned) || !info.has_good_seal_key() {
            let text = "the hub shows another key, and the one that this device knows has not signed \
                        for it: it is not believed";
            return self.warn(&GroupId::none(), WarningKind::Hub, text);
        }
        self.pin(info)?;
        self.hurry_all_requests()?;
        self.touched.extend(self.groups.keys().cloned());
        self.warn(
            &GroupId::none(),
            WarningKind::Hub,
            "the hub has a new key, for which its old one has signed",
        )
    }

    /// The hub said who it is.
    pub(super) fn hub_info_answered(
        &mut self,
        result: Result<Answer, Refusal>,
    ) -> Result<(), StoreError> {
        self.overlay.write(HUB, ASKED, &self.now_ms)?;
        if let Some(pinned) = self.hub()? {
            if let Ok(Answer::HubInfo(info)) = result {
                self.hub_again(&pinned, &info)?;
            }
            // One may have waited for the answer.
            return self.try_welcomes();
        }
        match result.map_err(|refusal| refusal.to_string()).and_then(usable) {
            Ok(info) => self.pin(&info)?,
            Err(why) => return self.hub_unusable(&why),
        }
        self.hurry_all_requests()?;
        self.want_credentials()?;
        self.fill_pools(Fill::BelowHalf)?;
        self.start_publishing()?;
        self.start_creates()?;
        self.start_joins()?;
        self.start_knocks()?;
        self.start_revocations()?;
        self.try_welcomes()
    }

    fn pin(&mut self, info: &HubInfo) -> Result<(), StoreError> {
        self.overlay.write(HUB, PIN, info)?;
        self.sealer.use_key(&info.seal_key);
        self.anchors_of_hub(info)
    }

    /// A service cannot open this request: its keys may be new. They are asked for, now and then.
    pub(super) fn ask_for_new_keys(&mut self, id: &RequestId) -> Result<(), StoreError> {
        if self.service_of(id)? == Service::Authentication {
            return self.ask_authority();
        }
        let asked_ms: u64 = self.overlay.read(HUB, ASKED)?.unwrap_or(0);
        let asking = self.is_asking(|purpose| *purpose == Purpose::HubInfo);
        if asking || self.now_ms.saturating_sub(asked_ms) < HUB_KEYS_AGAIN_MS {
            return Ok(());
        }
        self.request(Purpose::HubInfo, Request::HubInfo).map(|_| ())
    }
}

/// Checks that we can work with this hub.
pub(super) fn usable(answer: Answer) -> Result<HubInfo, String> {
    let Answer::HubInfo(info) = answer else {
        return Err("it answered something else than who it is".to_owned());
    };
    let suites = CIPHER_SUITES.map(u16::from);
    if !info.versions.contains(&VERSION) {
        Err(format!("it does not speak version {VERSION} of the protocol: update one of us"))
    } else if info.receipt_key.len() != 32 {
        Err("its receipt key is not an Ed25519 key".to_owned())
    } else if !info.has_good_seal_key() {
        Err("its receipt key did not sign its seal key".to_owned())
    } else if !info.senders.iter().any(|sender| suites.contains(&sender.suite)) {
        Err("it serves none of our cipher suites".to_owned())
    } else {
        Ok(info)
    }
}
