//! The key of each group's current epoch, under which its handshakes are posted.
//!
//! It comes from whoever begins an epoch, and goes when the next one begins: what was posted is
//! sealed already, and members that lack a handshake get it in a sealed answer. The hub cannot
//! check it; a wrong one makes members fetch.

use super::turn::machine;
use crate::overlay::Overlay;
use crate::seal::handshake_key::HandshakeKey;
use crate::store::{Space, StoreError};
use crate::wire::GroupId;
use crate::wire::handshake::{Handshake, SealedHandshake};

const SPACE: Space = "handshake_key";

/// An epoch has begun.
pub(super) fn keep(store: &Overlay, group: &GroupId, key: &HandshakeKey) -> Result<(), StoreError> {
    store.write(SPACE, &group.0, key)
}

/// The room orders the group: nobody tells the hub the keys of its epochs.
pub(super) fn forget(store: &Overlay, group: &GroupId) {
    store.delete(SPACE, &group.0);
}

/// Seals a handshake of the current epoch.
pub(super) fn seal(store: &Overlay, handshake: &Handshake) -> Result<SealedHandshake, StoreError> {
    match store.read::<HandshakeKey>(SPACE, &handshake.group.0)? {
        Some(key) => key.seal(handshake).map_err(machine),
        None => Ok(SealedHandshake::left_out(handshake)),
    }
}
