//! The authorities of another domain, asked of that domain's own hub because a person wants to know them.
//!
//! The hub is asked in clear who it is; that it is the domain's own is what its network says of its address. What
//! it names is pinned where nothing was known of the domain, as with this device's own hub, and an offer otherwise.
//! Where this device goes by a hub of another domain than its own, and asks its own domain so, it gets its
//! certificates there from then on.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::intents::Stage;
use super::pinned_anchors::AnchorSource;
use super::requests::Purpose;
use super::{Command, Member};
use crate::address::Network;
use crate::limits::{
    DOMAINS_PINNED_MAX, HOME_WAIT_MS, NAME_BYTES_MAX, OTHER_HUB_WAIT_MS, OTHER_HUBS_MAX,
    REQUEST_RETRY_MS,
};
use crate::service::domain_of_service;
use crate::store::StoreError;
use crate::wire::refusal::Refusal;
use crate::wire::{Answer, Request};

/// Of what another hub says, people are shown so much.
const WHY_CHARS_MAX: usize = 300;

/// Whose authorities are wanted, and who is to say it.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct AskAuthorities {
    /// The domain.
    pub domain: String,
    /// Its hub: a Matrix user id or a JID, in this account's network.
    pub hub: String,
}

impl AskAuthorities {
    /// Whether the hub can be asked about the domain by an account of this network; if not, what to do instead.
    pub fn check(&self, network: Network) -> Result<(), String> {
        let Self { domain, hub } = self;
        if domain.len() > NAME_BYTES_MAX || hub.len() > NAME_BYTES_MAX {
            Err(format!("a domain and an address have at most {NAME_BYTES_MAX} bytes"))
        } else if network == Network::Xmpp && *hub != hub.to_lowercase() {
            Err(format!("write {hub} in small letters, as it comes back"))
        } else if domain_of_service(network, hub) != Some(domain) {
            Err(format!("{hub} is no address of a hub of {domain} in this account's network"))
        } else {
            Ok(())
        }
    }
}

/// A question to the hub of another domain.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub(super) struct OtherHub {
    pub(super) address: String,
    /// The command in the queue.
    number: u64,
}

impl Member {
    /// Starts an AskAuthorities command.
    pub(super) fn ask_other_hub(
        &mut self,
        number: u64,
        wanted: AskAuthorities,
    ) -> Result<(), StoreError> {
        if let Err(why) = self.may_ask(&wanted)? {
            return self.fail(number, why);
        }
        let asked = OtherHub { address: wanted.hub, number };
        self.request(Purpose::OtherHub(asked), Request::HubInfo)?;
        self.set_stage(number, Stage::Asked)
    }

    fn may_ask(&self, wanted: &AskAuthorities) -> Result<Result<(), String>, StoreError> {
        let network = self.client.network();
        let own_hub = self.hub()?.is_some_and(|own| own.address_on(network) == Some(&wanted.hub));
        let other = |purpose: &Purpose| matches!(purpose, Purpose::OtherHub(_)).then_some(());
        let asking = self.asked_for(other).len();
        let known = self.domain_anchors(&wanted.domain)?.is_some();
        Ok(if own_hub {
            Err("this device's own hub says that each day, without being asked".to_owned())
        } else if let Err(why) = wanted.check(network) {
            Err(why)
        } else if !known && self.authorities()?.len() >= DOMAINS_PINNED_MAX {
            Err(format!("{DOMAINS_PINNED_MAX} domains are known already"))
        } else if asking >= OTHER_HUBS_MAX {
            Err(format!("{OTHER_HUBS_MAX} other hubs are being asked: wait for one of them"))
        } else {
            Ok(())
        })
    }

    /// The hub of another domain said that it has no answer now, or the way to it is not there. Whether it is asked
    /// again: this device's own domain is, whatever comes back, for as long as it may be waited for.
    pub(super) fn asks_other_hub_again(&self, asked: &OtherHub, refusal: &Refusal) -> Option<u64> {
        match refusal {
            _ if self.is_home(asked) => Some(OTHER_HUB_WAIT_MS),
            // However long it says.
            Refusal::RateLimited(_) | Refusal::Unavailable(_) => Some(REQUEST_RETRY_MS),
            _ => None,
        }
    }

    /// The hub of another domain said who it is, or nothing came back.
    pub(super) fn other_hub_answered(
        &mut self,
        asked: &OtherHub,
        result: Result<Answer, Refusal>,
    ) -> Result<(), StoreError> {
        let command = self.intents.get(&asked.number).map(|intent| intent.command.clone());
        let Some(Command::AskAuthorities(AskAuthorities { domain, hub })) = command else {
            return Ok(());
        };
        let fail = |why: &str| format!("{hub} does not say which authorities {domain} has: {why}");
        let named = match result {
            Ok(Answer::HubInfo(info)) => {
                if info.address_on(self.client.network()) != Some(&hub) {
                    return self.fail(asked.number, fail("it says that it is at another address"));
                }
                info.anchors_for(&domain)
            }
            Ok(_) => None,
            // Of the way there, as the network tells it, or whoever is there.
            Err(Refusal::Invalid(why)) => {
                let why: String = why.chars().take(WHY_CHARS_MAX).collect();
                return self.fail(asked.number, fail(&why));
            }
            Err(refusal) => return self.fail(asked.number, fail(&refusal.to_string())),
        };
        let Some(named) = named else {
            return self.fail(asked.number, fail("it names none"));
        };
        let home = domain == self.client.user().domain();
        let known = self.domain_anchors(&domain)?.is_none_or(|pinned| pinned.knows(&named));
        self.anchors_named(&domain, named, AnchorSource::Hub, home && known)?;
        if home && !known {
            let why = "others are known here: compare the fingerprints, `trust` the right ones, and ask again";
            return self.fail(asked.number, fail(why));
        }
        if home {
            self.go_to_own_domain(&hub)?;
            self.ask_for_credentials_anew()?;
        }
        self.done(asked.number, None)
    }

    /// Whether this device's own domain is asked.
    fn is_home(&self, asked: &OtherHub) -> bool {
        let domain = domain_of_service(self.client.network(), &asked.address);
        domain == Some(&*self.client.user().domain())
    }

    /// Whether this device's own domain is being asked.
    pub(super) fn is_asking_home(&self) -> bool {
        let own = self.client.user().domain();
        let home =
            |command: &Command| matches!(command, Command::AskAuthorities(c) if c.domain == own);
        self.intents.values().any(|intent| home(&intent.command))
    }

    /// Who waits for an answer is not kept waiting for ever.
    pub(super) fn give_up_other_hubs(&mut self) -> Result<(), StoreError> {
        let other = |purpose: &Purpose| match purpose {
            Purpose::OtherHub(asked) => Some(asked.clone()),
            _ => None,
        };
        for (asked, since_ms) in self.asked_since(other) {
            let wait_ms = if self.is_home(&asked) { HOME_WAIT_MS } else { OTHER_HUB_WAIT_MS };
            if self.now_ms.saturating_sub(since_ms) < wait_ms {
                continue;
            }
            self.forget_requests(|purpose| *purpose == Purpose::OtherHub(asked.clone()));
            let why = format!("nobody answered at {}: is the address right?", asked.address);
            self.fail(asked.number, why)?;
        }
        Ok(())
    }
}

#[cfg(test)]
crate::codec_properties::hold!(AskAuthorities, OtherHub);
