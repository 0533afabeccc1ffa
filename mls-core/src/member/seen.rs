//! Which messages were dealt with, by their hash, so that a repeat is dropped.
//!
//! Hashes of the last [`EPOCHS_REMEMBERED`] epochs are kept; older ones are deleted bit by bit.

use super::Member;
use super::group_record::State;
use super::send::OWN_MESSAGE;
use crate::limits::{EPOCHS_REMEMBERED, FORGOTTEN_PER_TICK_MAX};
use crate::overlay::Overlay;
use crate::store::{Space, StoreError};
use crate::wire::{Digest, GroupId};

const SEEN: Space = "seen_message";

/// Where something about a message lies: by group, epoch and hash.
pub(super) fn message_key(group: &GroupId, epoch: u64, hash: &Digest) -> Vec<u8> {
    [epoch_prefix(group, epoch).as_slice(), &hash.0].concat()
}

/// The group is preceded by its length, so that no group's prefix is another's.
pub(super) fn group_prefix(group: &GroupId) -> Vec<u8> {
    let length = u32::try_from(group.0.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&length, group.0.as_slice()].concat()
}

pub(super) fn epoch_prefix(group: &GroupId, epoch: u64) -> Vec<u8> {
    [group_prefix(group).as_slice(), &epoch.to_be_bytes()].concat()
}

/// Entries looked at first, for seldom more than one goes; then, where all of these go, in one step.
const FIRST_STEP: usize = 4;
const STEP: usize = 256;

/// Deletes what a space has of a group's epochs before this one.
pub(super) fn delete_epochs_before(
    overlay: &Overlay,
    space: Space,
    group: &GroupId,
    epoch: u64,
) -> Result<(), StoreError> {
    delete_some_before(overlay, space, group, epoch, usize::MAX).map(drop)
}

/// The same, but no more than `most` of them by much. How many it were.
fn delete_some_before(
    overlay: &Overlay,
    space: Space,
    group: &GroupId,
    epoch: u64,
    most: usize,
) -> Result<usize, StoreError> {
    let (prefix, first) = (group_prefix(group), epoch_prefix(group, epoch));
    let (mut from, mut step, mut deleted) = (prefix.clone(), FIRST_STEP, 0_usize);
    while deleted < most {
        let mut page = overlay.scan(space, &prefix, &from, step)?;
        page.retain(|(key, _)| *key < first);
        page.iter().for_each(|(key, _)| overlay.delete(space, key));
        deleted = deleted.saturating_add(page.len());
        match page.last() {
            // What was deleted just now is not passed again.
            Some((last, _)) if page.len() == step => from = [last.as_slice(), &[0]].concat(),
            _ => break,
        }
        step = STEP;
    }
    Ok(deleted)
}

impl Member {
    /// Whether a message was dealt with.
    pub(super) fn was_seen(
        &self,
        group: &GroupId,
        epoch: u64,
        hash: &Digest,
    ) -> Result<bool, StoreError> {
        Ok(self.overlay.get(SEEN, &message_key(group, epoch, hash))?.is_some())
    }

    /// A message is dealt with.
    pub(super) fn mark_seen(&mut self, group: &GroupId, epoch: u64, hash: &Digest) {
        self.overlay.put(SEEN, &message_key(group, epoch, hash), Vec::new());
    }

    /// A message that was taken for dealt with is not.
    pub(super) fn unmark_seen(&mut self, group: &GroupId, epoch: u64, hash: &Digest) {
        self.overlay.delete(SEEN, &message_key(group, epoch, hash));
    }

    /// Deletes some of what is too old to matter.
    pub(super) fn forget_old_messages(&mut self) -> Result<(), StoreError> {
        let mut left = FORGOTTEN_PER_TICK_MAX;
        for record in self.groups.values() {
            let oldest = match record.state {
                State::Gone => u64::MAX,
                _ => record.epoch.saturating_sub(EPOCHS_REMEMBERED),
            };
            let group = &record.group;
            for space in [SEEN, OWN_MESSAGE] {
                let deleted = delete_some_before(&self.overlay, space, group, oldest, left)?;
                left = left.saturating_sub(deleted);
            }
        }
        Ok(())
    }
}
