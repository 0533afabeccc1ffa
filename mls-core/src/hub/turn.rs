//! The work on one input: what it may use, and what it wants done.

use thiserror::Error;

use super::keys::HubKeys;
use super::public_group::PublicGroups;
use super::rates::Rates;
use super::{Effect, HubSetup};
use crate::address::RoomAddress;
use crate::crypto::Crypto;
use crate::engine::sha256_parts;
use crate::overlay::Overlay;
use crate::store::StoreError;
use crate::wire::Digest;
use crate::wire::refusal::Refusal;

/// One input on its way through the hub. Its methods stand in one file for each request.
pub(super) struct Turn<'a> {
    /// The database, with what this input has changed so far.
    pub(super) store: &'a Overlay,
    /// The crypto provider.
    pub(super) crypto: &'a Crypto,
    /// Who the hub is.
    pub(super) setup: &'a HubSetup,
    /// The hub's own keys.
    pub(super) keys: &'a HubKeys,
    /// The public state of groups.
    pub(super) groups: &'a mut PublicGroups,
    /// How often who did what.
    pub(super) rates: &'a mut Rates,
    /// Milliseconds since 1970.
    pub(super) now_ms: u64,
    /// What is to be done, so far.
    pub(super) effects: Vec<Effect>,
    /// Rooms that this input says are lost.
    pub(super) lost_rooms: Vec<RoomAddress>,
    /// Others are revoked now than before.
    pub(super) revoked_changed: bool,
}

/// Why a request goes no further.
#[derive(Debug, Error)]
pub(super) enum Stop {
    /// It is refused; nothing of it stays but the answer.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The machine failed; the whole input fails.
    #[error(transparent)]
    Failed(#[from] StoreError),
}

/// The request is not what it must be; says what to do.
pub(super) fn invalid(why: impl std::fmt::Display) -> Stop {
    Stop::Refused(Refusal::Invalid(why.to_string()))
}

/// The asker may not do this.
pub(super) fn not_allowed(why: impl std::fmt::Display) -> Stop {
    Stop::Refused(Refusal::NotAllowed(why.to_string()))
}

/// The commit, or what came with it, is not valid.
pub(super) fn invalid_commit(why: impl std::fmt::Display) -> Stop {
    Stop::Refused(Refusal::InvalidCommit(why.to_string()))
}

/// The hub's own part failed: its database is damaged, or its crypto provider.
pub(super) fn machine(error: impl std::fmt::Display) -> StoreError {
    StoreError(error.to_string())
}

/// A stable id for an effect, from what caused it.
pub(super) fn effect_id(label: &str, parts: &[&[u8]]) -> Digest {
    let labelled: Vec<&[u8]> =
        std::iter::once(label.as_bytes()).chain(parts.iter().copied()).collect();
    sha256_parts(&labelled)
}
