//! The authority, where it is not the hub: a service of its own, of which the hub says where it is and is believed for
//! nothing else, or, where the hub is another domain's, what a person had asked about this device's own domain.
//!
//! What it says of itself must name a root that this device goes by; what it certifies must lead there, as ever.
//! Its keys are pinned at first use, like the hub's.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::Member;
use super::hub_pin::usable;
use super::requests::Purpose;
use super::warning::WarningKind;
use crate::limits::{DAY_MS, HUB_KEYS_AGAIN_MS};
use crate::service::{Service, ServiceAddress, domain_of_service};
use crate::store::{Space, StoreError};
use crate::wire::hub_info::HubInfo;
use crate::wire::refusal::Refusal;
use crate::wire::{Answer, GroupId, Request, RequestId};

const SPACE: Space = "authority";
/// Where it is, in our network.
const ADDRESS: &[u8] = b"address";
/// Where a person had asked for it, where the hub is another domain's.
const HOME: &[u8] = b"home";
/// Who it is; and who is where a person had asked.
const PIN: &[u8] = b"pin";
const PIN_AT_HOME: &[u8] = b"pin_at_home";
/// When the address last changed, when it was last asked who it is, and when people were last told that it cannot
/// be used; in milliseconds since 1970.
const MOVED: &[u8] = b"moved";
const ASKED: &[u8] = b"asked";
const TOLD: &[u8] = b"told";

/// Who it is, and where.
#[derive(Debug, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
struct AuthorityPin {
    address: String,
    info: HubInfo,
}

impl Member {
    /// What its store knows of the authority.
    pub(super) fn open_authority(&self) -> Result<(), StoreError> {
        if let Some(address) = self.authority_address()? {
            let pin = self.authority_pin()?;
            self.sealer.use_authority(&address, pin.as_ref().map(|pin| &*pin.info.seal_key));
        }
        Ok(())
    }

    /// To whom a request goes.
    pub(super) fn service_for(
        &self,
        purpose: &Purpose,
        request: &Request,
    ) -> Result<Service, StoreError> {
        if let Purpose::OtherHub(asked) = purpose {
            return Ok(Service::OtherHub(asked.address.clone()));
        }
        let apart = *purpose == Purpose::AuthorityInfo
            || request.service() == Some(Service::Authentication)
                && self.authority_address()?.is_some();
        Ok(if apart { Service::Authentication } else { Service::Delivery })
    }

    /// Whether a service is pinned.
    pub(super) fn knows(&self, service: &Service) -> Result<bool, StoreError> {
        match service {
            Service::OtherHub(_) => Ok(false),
            Service::Delivery => Ok(self.hub()?.is_some()),
            Service::Authentication => Ok(self.authority_pin()?.is_some()),
        }
    }

    /// The same; one that is not pinned is asked who it is.
    pub(super) fn needs(&mut self, service: &Service) -> Result<bool, StoreError> {
        match service {
            Service::OtherHub(_) => Ok(false),
            Service::Delivery => Ok(self.need_hub()?.is_some()),
            Service::Authentication if self.authority_pin()?.is_some() => Ok(true),
            Service::Authentication => self.ask_authority().map(|()| false),
        }
    }

    /// A request was refused, for another service answers it, which is at `address`. Whether it goes there.
    pub(super) fn is_sent_on(
        &mut self,
        id: &RequestId,
        address: &ServiceAddress,
    ) -> Result<bool, StoreError> {
        let asked = self.stored_request(id)?.and_then(|request| request.service());
        let there = address.on(self.client.network()).filter(|there| self.is_of_own_domain(there));
        let (Some(Service::Authentication), Some(there)) = (asked, there) else {
            return Ok(false);
        };
        let known = self.authority_address()?;
        if known.as_deref() == Some(there) {
            // Late, of the hub.
            return Ok(true);
        }
        // Two services may name each other. What is refused just after a move waits for its next repeat.
        let moved_ms: Option<u64> = self.overlay.read(SPACE, MOVED)?;
        if moved_ms.is_some_and(|moved_ms| self.now_ms.abs_diff(moved_ms) < HUB_KEYS_AGAIN_MS) {
            self.doubt_authority()?;
            return Ok(true);
        }
        self.overlay.write(SPACE, MOVED, &self.now_ms)?;
        self.go_to_authority(there).map(|()| true)
    }

    /// This device's own domain has a service at `address`, as a person had asked; the hub, which is another
    /// domain's, knows of none.
    pub(super) fn go_to_own_domain(&mut self, address: &str) -> Result<(), StoreError> {
        self.overlay.write(SPACE, HOME, &address.to_owned())?;
        self.go_to_authority(address)
    }

    /// Whether certificates are asked of this device's own domain, although the hub is another's.
    pub(super) fn is_certified_at_home(&self) -> Result<bool, StoreError> {
        Ok(self.overlay.get(SPACE, HOME)?.is_some())
    }

    fn go_to_authority(&mut self, address: &str) -> Result<(), StoreError> {
        self.overlay.write(SPACE, ADDRESS, &address.to_owned())?;
        self.open_authority()?;
        self.hurry_to_authority()
    }

    /// It does not answer: the hub, or the service that a person named, is to say where it is now.
    pub(super) fn doubt_authority(&self) -> Result<(), StoreError> {
        match self.overlay.read::<String>(SPACE, HOME)? {
            Some(home) => {
                self.overlay.write(SPACE, ADDRESS, &home)?;
                self.open_authority()
            }
            None => {
                self.overlay.delete(SPACE, ADDRESS);
                Ok(())
            }
        }
    }

    /// Asks the authority who it is, where it was not asked just before.
    pub(super) fn ask_authority(&mut self) -> Result<(), StoreError> {
        let asked_ms: u64 = self.overlay.read(SPACE, ASKED)?.unwrap_or(0);
        let recent = self.now_ms.abs_diff(asked_ms) < HUB_KEYS_AGAIN_MS;
        if recent || self.is_asking(|purpose| *purpose == Purpose::AuthorityInfo) {
            return Ok(());
        }
        self.request(Purpose::AuthorityInfo, Request::HubInfo).map(drop)
    }

    /// The authority said who it is.
    pub(super) fn authority_info_answered(
        &mut self,
        result: Result<Answer, Refusal>,
    ) -> Result<(), StoreError> {
        self.overlay.write(SPACE, ASKED, &self.now_ms)?;
        let Some(address) = self.authority_address()? else { return Ok(()) };
        let said = result.map_err(|refusal| refusal.to_string()).and_then(usable);
        let judged = match said {
            Ok(info) => self.judge_authority(&info)?.map(|()| info),
            Err(why) => Err(why),
        };
        match judged {
            Ok(info) => {
                let place = self.place_of_pin(&address)?;
                self.overlay.write(SPACE, place, &AuthorityPin { address, info })?;
                self.open_authority()?;
                self.hurry_to_authority()
            }
            Err(why) => self.tell_of_authority(&address, &why),
        }
    }

    /// Whether this can be the authority of our domain, and the one that was pinned there.
    fn judge_authority(&self, info: &HubInfo) -> Result<Result<(), String>, StoreError> {
        let own = self.own_authority()?;
        let known = |named| own.as_ref().is_some_and(|own| own.known.0.contains(named));
        if !info.anchors.iter().any(known) {
            return Ok(Err("it names no root that this device goes by".to_owned()));
        }
        let Some(AuthorityPin { info: pinned, .. }) = self.authority_pin()? else {
            return Ok(Ok(()));
        };
        let same = info.receipt_key == pinned.receipt_key && info.seal_key == pinned.seal_key;
        Ok(match same || info.takes_the_place_of(&pinned) {
            true => Ok(()),
            false => Err("its keys are others, for which those known have not signed".to_owned()),
        })
    }

    /// People should know why this device gets no certificate.
    fn tell_of_authority(&mut self, address: &str, why: &str) -> Result<(), StoreError> {
        let told_ms: u64 = self.overlay.read(SPACE, TOLD)?.unwrap_or(0);
        if self.now_ms.abs_diff(told_ms) < DAY_MS {
            return Ok(());
        }
        self.overlay.write(SPACE, TOLD, &self.now_ms)?;
        let text = format!(
            "{address}, which is named as the authority of this domain, is not used: {why}"
        );
        self.warn(&GroupId::none(), WarningKind::Authority, text)
    }

    fn authority_address(&self) -> Result<Option<String>, StoreError> {
        self.overlay.read(SPACE, ADDRESS)
    }

    /// Who is at its address.
    fn authority_pin(&self) -> Result<Option<AuthorityPin>, StoreError> {
        let Some(address) = self.authority_address()? else { return Ok(None) };
        let pin: Option<AuthorityPin> = self.overlay.read(SPACE, self.place_of_pin(&address)?)?;
        Ok(pin.filter(|pin| pin.address == address))
    }

    /// One place each, so that who was pinned is known when the way leads there again.
    fn place_of_pin(&self, address: &str) -> Result<&'static [u8], StoreError> {
        let home: Option<String> = self.overlay.read(SPACE, HOME)?;
        Ok(if home.as_deref() == Some(address) { PIN_AT_HOME } else { PIN })
    }

    /// A hub cannot send its members to another domain.
    fn is_of_own_domain(&self, address: &str) -> bool {
        let user = self.client.user();
        domain_of_service(user.network(), address) == Some(&*user.domain())
    }
}

#[cfg(test)]
crate::codec_properties::hold!(AuthorityPin);
