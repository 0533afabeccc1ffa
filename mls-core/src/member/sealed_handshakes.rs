//! Handshakes as they stand in rooms: opened under the key of their epoch (see [`crate::seal`]).
//!
//! The keys of the last epochs are kept as long as their handshakes are remembered
//! ([`super::followed`]): a second story about one of them is evidence. What cannot be opened is
//! asked of the hub, whose answer needs no such key.

use std::collections::BTreeMap;

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::Member;
use super::engine_storage::MemberGroup;
use super::group_record::State;
use super::loaded::Loaded;
use super::seen::{delete_epochs_before, epoch_prefix};
use super::warning::WarningKind;
use crate::address::ClientId;
use crate::engine::EngineError;
use crate::limits::{HANDSHAKES_REMEMBERED, UNOPENED_PER_EPOCH_MAX};
use crate::seal::handshake_key::{HandshakeKey, LABEL, LENGTH};
use crate::store::{Space, StoreError};
use crate::wire::GroupId;
use crate::wire::handshake::SealedHandshake;

/// The keys of handshakes, by group and epoch.
const KEY: Space = "handshake_key";

/// The key of an epoch's handshakes.
#[derive(Debug, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
struct EpochKey {
    key: HandshakeKey,
    /// Who began the epoch, and gave the hub its key; not known of the one that was joined.
    by: Option<ClientId>,
}

/// What could not be opened in one epoch of one group.
#[derive(Debug, Default)]
pub(super) struct Unopened {
    epoch: u64,
    count: u32,
}

pub(super) type UnopenedByGroup = BTreeMap<GroupId, Unopened>;

/// The key of handshakes in the group's epoch.
pub(super) fn handshake_key(group: &MemberGroup) -> Result<HandshakeKey, EngineError> {
    let exported = group.export_secret(LABEL, &[], LENGTH)?;
    HandshakeKey::from_exported(exported.as_bytes())
        .ok_or_else(|| EngineError::Crypto("the exporter gave another length".to_owned()))
}

impl Member {
    /// A group is in a new epoch.
    pub(super) fn keep_handshake_key(
        &self,
        group: &GroupId,
        loaded: &Loaded,
    ) -> Result<(), StoreError> {
        let epoch = loaded.group.current_epoch();
        let key = handshake_key(&loaded.group).map_err(|e| StoreError(e.to_string()))?;
        self.overlay.write(KEY, &epoch_prefix(group, epoch), &EpochKey { key, by: None })?;
        let first = epoch.saturating_sub(HANDSHAKES_REMEMBERED - 1);
        delete_epochs_before(&self.overlay, KEY, group, first)
    }

    /// Who began the group's epoch.
    pub(super) fn epoch_begun_by(
        &self,
        group: &GroupId,
        epoch: u64,
        by: Option<ClientId>,
    ) -> Result<(), StoreError> {
        let place = epoch_prefix(group, epoch);
        match self.overlay.read::<EpochKey>(KEY, &place)? {
            Some(known) => self.overlay.write(KEY, &place, &EpochKey { by, ..known }),
            None => Ok(()),
        }
    }

    /// Deletes the keys of a group's handshakes.
    pub(super) fn forget_handshake_keys(&self, group: &GroupId) -> Result<(), StoreError> {
        delete_epochs_before(&self.overlay, KEY, group, u64::MAX)
    }

    /// A handshake came through a room.
    pub(super) fn sealed_handshake(&mut self, sealed: SealedHandshake) -> Result<(), StoreError> {
        let group = sealed.group.clone();
        let Some(record) = self.record(&group) else {
            // A Welcome may wait for its room: then this comes after it.
            let welcomed = self.is_welcomed(&group);
            return if welcomed { self.keep_early_sealed(&sealed) } else { Ok(()) };
        };
        let (live, next) = (record.state == State::Live, record.next_seq());
        if record.room_head.is_some() && record.rejoin.is_none() && sealed.seq >= next {
            // The hub takes the group back: in its answer stands how.
            self.keep_early_sealed(&sealed)?;
            return self.not_opened(&SealedHandshake { sealed: Vec::new(), ..sealed }, None);
        }
        let ahead = sealed.epoch > record.epoch;
        let key: Option<EpochKey> = self.overlay.read(KEY, &epoch_prefix(&group, sealed.epoch))?;
        match key {
            Some(EpochKey { key, by }) => match key.open(&sealed) {
                Ok(handshake) => self.handshake(handshake),
                Err(_) if live && sealed.seq >= next => self.not_opened(&sealed, by),
                Err(_) => Ok(()),
            },
            None if live && ahead => {
                self.keep_early_sealed(&sealed)?;
                self.fetch_handshakes_to(&group, sealed.seq)
            }
            // Of before this device joined, or forgotten.
            None => Ok(()),
        }
    }

    /// A handshake of the epoch is too large for a room, or sealed under another key: the hub is
    /// asked for it.
    fn not_opened(
        &mut self,
        sealed: &SealedHandshake,
        by: Option<ClientId>,
    ) -> Result<(), StoreError> {
        let (group, epoch) = (&sealed.group, sealed.epoch);
        let unopened = self.unopened.entry(group.clone()).or_default();
        if unopened.epoch != epoch {
            *unopened = Unopened { epoch, count: 0 };
        }
        if unopened.count >= UNOPENED_PER_EPOCH_MAX {
            return Ok(());
        }
        let left_out = sealed.sealed.is_empty();
        let first = unopened.count == 0 && !left_out;
        unopened.count = unopened.count.saturating_add(1);
        if first {
            let by = by.map_or_else(|| "who committed it".to_owned(), |by| by.to_string());
            let text = format!(
                "handshakes of epoch {epoch} do not open under its key: {by} gave the hub another, or \
                 they were altered on the way; they are fetched from the hub"
            );
            self.warn(group, WarningKind::Refused, text)?;
        }
        self.fetch_handshakes_to(group, sealed.seq)
    }
}

#[cfg(test)]
crate::codec_properties::hold!(EpochKey);
