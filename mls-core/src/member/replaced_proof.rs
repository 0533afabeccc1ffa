//! Welcomes into groups that replace one of ours, by somebody who is no admin of that as it is here.
//!
//! The commit that made them one may be on its way, and it is not given again. So such a Welcome waits
//! until the hub has told all that it knows of the former; where a room orders that, or the hub is silent,
//! for [`PROOF_WAIT_MS`].

use super::Member;
use super::group_record::State;
use super::requests::Purpose;
use crate::bridge_group::BridgeGroup;
use crate::limits::PROOF_WAIT_MS;
use crate::store::StoreError;
use crate::wire::{Digest, GroupId};

/// A Welcome that waits. Not stored: a new start looks at it anew.
pub(super) struct Unproven {
    former: GroupId,
    since_ms: u64,
    /// The epoch of the former in which it was last tried.
    epoch: u64,
    /// Answers of the hub about the former that are to come: one may have been on its way already.
    answers: u8,
}

impl Member {
    /// Whether a Welcome is into a group that replaces one into which another Welcome waits: that comes
    /// first, for it cannot be entered once it is replaced.
    pub(super) fn replaces_unread(&self, new: &GroupId, bound: &BridgeGroup) -> bool {
        let Some(former) = bound.replaced().filter(|former| former != new) else { return false };
        let known = self.record(&former).is_some_and(|record| record.state != State::Gone);
        !known && self.is_welcomed(&former)
    }

    /// A Welcome replaces a group in which its maker is no admin yet: what is known of that is asked for.
    pub(super) fn await_proof(&mut self, id: &Digest, former: &GroupId) -> Result<(), StoreError> {
        let epoch = self.record(former).map_or(0, |record| record.epoch);
        if let Some(unproven) = self.doubts.unproven.get_mut(id) {
            unproven.epoch = epoch;
            return Ok(());
        }
        let asked_before = self.asks_handshakes(former);
        self.fetch_handshakes(former)?;
        let answers = match self.asks_handshakes(former) {
            _ if asked_before => 2,
            true => 1,
            // This device cannot follow the former any more.
            false => 0,
        };
        let (former, since_ms) = (former.clone(), self.now_ms);
        self.doubts.unproven.insert(*id, Unproven { former, since_ms, epoch, answers });
        Ok(())
    }

    /// Whether a Welcome is not to be given up yet.
    pub(super) fn awaits_proof(&self, id: &Digest) -> bool {
        self.doubts.unproven.get(id).is_some_and(|unproven| unproven.answers > 0)
    }

    /// A group of ours has moved: Welcomes that wait for that are looked at again.
    pub(super) fn prove_welcomes(&mut self, group: &GroupId) -> Result<(), StoreError> {
        let epoch = self.record(group).map_or(0, |record| record.epoch);
        let moved = |unproven: &Unproven| unproven.former == *group && unproven.epoch != epoch;
        let again = self.unproven(moved);
        self.try_some(&again)
    }

    /// The hub has told all that it will tell of a group.
    pub(super) fn told_of_group(&mut self, group: &GroupId) -> Result<(), StoreError> {
        self.parent_told(group)?;
        if self.is_ordered_by_room(group) {
            return Ok(());
        }
        for id in self.unproven(|unproven| unproven.former == *group) {
            let Some(unproven) = self.doubts.unproven.get_mut(&id) else { continue };
            unproven.answers = unproven.answers.saturating_sub(1);
            match unproven.answers {
                0 => self.try_some(&[id])?,
                _ => self.fetch_handshakes(group)?,
            }
        }
        Ok(())
    }

    /// Nothing more is waited for after a day.
    pub(super) fn give_up_proofs(&mut self) -> Result<(), StoreError> {
        let now_ms = self.now_ms;
        for id in self.unproven(|one| now_ms.saturating_sub(one.since_ms) >= PROOF_WAIT_MS) {
            if let Some(unproven) = self.doubts.unproven.get_mut(&id) {
                unproven.answers = 0;
            }
            self.try_some(&[id])?;
        }
        Ok(())
    }

    fn unproven(&self, which: impl Fn(&Unproven) -> bool) -> Vec<Digest> {
        let all = self.doubts.unproven.iter().filter(|(_, unproven)| unproven.answers > 0);
        all.filter(|(_, unproven)| which(unproven)).map(|(id, _)| *id).collect()
    }

    pub(super) fn asks_handshakes(&self, group: &GroupId) -> bool {
        self.is_asking(|purpose| matches!(purpose, Purpose::Handshakes(of) if of == group))
    }
}
