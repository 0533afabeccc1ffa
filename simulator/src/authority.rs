//! How the domain's authority treats a device that asks for a certificate.

use std::fmt;
use std::str::FromStr;

use mls_core::hub::RequestInput;
use mls_core::member::Input;
use mls_core::wire::Request;
use mls_core::wire::refusal::Refusal;

use crate::step::{Device, NoStep};
use crate::world::World;

/// What comes of a request for a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// It is signed, by the rules of the hub.
    Signs,
    /// It is refused for good.
    Refuses,
    /// It comes too often: later.
    Rations,
    /// The authority cannot be asked: later.
    Away,
    /// Nothing.
    Silent,
}

const AUTHORITIES: [(Authority, &str); 5] = [
    (Authority::Signs, "signs"),
    (Authority::Refuses, "refuses"),
    (Authority::Rations, "rations"),
    (Authority::Away, "away"),
    (Authority::Silent, "silent"),
];

/// When one that is asked too often, or is away, wants to be asked again.
const AGAIN_MS: u64 = 600_000;

impl World {
    /// Whether a request stops at the authority, which may say so.
    pub(crate) fn stops_at_authority(&mut self, device: Device, asked: &RequestInput) -> bool {
        let authority = self.authority.get(&device).copied().unwrap_or(Authority::Signs);
        if authority == Authority::Signs || !matches!(asked.request, Request::IssueCredential(_)) {
            return false;
        }
        self.figures.faults += 1;
        let refusal = match authority {
            Authority::Refuses => Refusal::NotAllowed("not this device".to_owned()),
            Authority::Rations => Refusal::RateLimited(AGAIN_MS),
            Authority::Away => Refusal::Unavailable(AGAIN_MS),
            Authority::Signs | Authority::Silent => return true,
        };
        if authority == Authority::Refuses {
            self.figures.refused += 1;
            self.record.refused.insert(device);
        }
        self.mailbox(device).mail.push_back(Input::Answer(asked.id.clone(), Err(refusal)));
        true
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = AUTHORITIES.iter().find(|(one, _)| one == self).map_or("", |(_, name)| name);
        f.write_str(name)
    }
}

impl FromStr for Authority {
    type Err = NoStep;

    fn from_str(word: &str) -> Result<Self, NoStep> {
        let found = AUTHORITIES.iter().find(|(_, name)| *name == word).map(|(one, _)| *one);
        found.ok_or_else(|| NoStep(word.to_owned()))
    }
}
