//! The hub's keys, pinned at first use.

use super::Member;
use super::requests::Purpose;
use crate::policy::CIPHER_SUITES;
use crate::store::{Space, StoreError};
use crate::wire::hub_info::HubInfo;
use crate::wire::refusal::Refusal;
use crate::wire::{Answer, GroupId, Request};

const HUB: Space = "hub";
const PIN: &[u8] = b"pin";
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
        if hub.is_none() && !self.is_asking(|purpose| *purpose == Purpose::HubInfo) {
            self.request(Purpose::HubInfo, Request::HubInfo)?;
        }
        Ok(hub)
    }

    /// The hub said who it is.
    pub(super) fn hub_info_answered(
        &mut self,
        result: Result<Answer, Refusal>,
    ) -> Result<(), StoreError> {
        if self.hub()?.is_some() {
            return Ok(());
        }
        match result.map_err(|refusal| refusal.to_string()).and_then(usable) {
            Ok(info) => self.overlay.write(HUB, PIN, &info)?,
            Err(why) => {
                let text = format!("the hub cannot be used: {why}");
                self.fail_waiting_creates(&text)?;
                return self.warn(&GroupId(Vec::new()), text);
            }
        }
        self.start_creates()?;
        self.start_joins()?;
        self.try_welcomes()
    }
}

/// Checks that we can work with this hub.
fn usable(answer: Answer) -> Result<HubInfo, String> {
    let Answer::HubInfo(info) = answer else {
        return Err("it answered something else than who it is".to_owned());
    };
    let suites = CIPHER_SUITES.map(u16::from);
    if !info.versions.contains(&VERSION) {
        Err(format!("it does not speak version {VERSION} of the protocol: update one of us"))
    } else if info.receipt_key.len() != 32 {
        Err("its receipt key is not an Ed25519 key".to_owned())
    } else if !info.senders.iter().any(|sender| suites.contains(&sender.suite)) {
        Err("it serves none of our cipher suites".to_owned())
    } else {
        Ok(info)
    }
}
