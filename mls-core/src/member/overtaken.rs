//! A Welcome that comes while our own commit from outside is with the hub.
//!
//! The hub may have accepted the commit already. Given up for the Welcome, it would stand in the group
//! as a commit that takes our leaf away and that nobody can apply: the way back would begin anew, and
//! where the group has gone over to its room meanwhile, there is none. So the commit is never given
//! up. A Welcome of an older epoch waits for what becomes of it; by one of the same epoch this device
//! comes in at once, and takes the commit along. News of a removal before the commit does not end it either: it
//! was made in an epoch in which this device had been added again.

use super::engine_storage::{self, Slot};
use super::event::RemovedEvent;
use super::group_record::{GroupRecord, PendingCommit, Rejoin, State};
use super::{Event, Member};
use crate::address::ClientId;
use crate::store::{StoreError, Value};
use crate::wire::welcome::Welcome;
use crate::wire::{GroupId, Request};

/// A way back that is with the hub, while the group is entered by a Welcome.
pub(super) struct Overtaken {
    pending: PendingCommit,
    rejoin: Rejoin,
    /// The group that the commit leads to.
    candidate: Value,
}

impl Member {
    /// Whether a commit from outside is with the hub that was made in a later epoch than that of a Welcome. By
    /// the Welcome this device would follow the group to its removal, before which it does not come in again.
    pub(super) fn comes_in_later(&self, welcome: &Welcome) -> Result<bool, StoreError> {
        Ok(self.way_back_epoch(&welcome.group)?.is_some_and(|epoch| epoch > welcome.epoch))
    }

    /// The epoch in which our commit from outside was made that is with the hub.
    fn way_back_epoch(&self, group: &GroupId) -> Result<Option<u64>, StoreError> {
        let pending = self.record(group).and_then(|record| record.pending.as_ref());
        let Some(pending) = pending.filter(|pending| pending.external) else { return Ok(None) };
        Ok(match self.stored_request(&pending.request)? {
            Some(Request::SubmitCommit(submitted)) => Some(submitted.epoch),
            _ => None,
        })
    }

    /// What goes along when the group is entered by a Welcome. A commit of an earlier epoch is given up: it
    /// has lost, or this device was removed after it.
    pub(super) fn take_along(
        &mut self,
        welcome: &Welcome,
    ) -> Result<Option<Overtaken>, StoreError> {
        let group = &welcome.group;
        let same = self.way_back_epoch(group)? == Some(welcome.epoch);
        let candidate = engine_storage::state(&self.overlay, Slot::Candidate, &group.0)?;
        let record = self.record(group).filter(|_| same).cloned();
        match record.map(|record| (record.pending, record.rejoin, candidate)) {
            Some((Some(pending), Some(rejoin), Some(candidate))) => {
                self.take_proposing(group)?;
                Ok(Some(Overtaken { pending, rejoin, candidate }))
            }
            _ => self.take_pending(group).map(|_| None),
        }
    }

    /// The group is entered: what becomes of the commit is still heard. No command waits for it any more.
    pub(super) fn went_along(
        &mut self,
        group: &GroupId,
        overtaken: Overtaken,
    ) -> Result<(), StoreError> {
        let Overtaken { pending, rejoin, candidate } = overtaken;
        engine_storage::set_state(&self.overlay, Slot::Candidate, &group.0, &candidate);
        self.change_record(group, |record| {
            record.pending = Some(PendingCommit { intent: None, ..pending });
            record.rejoin = Some(Rejoin { intent: None, ..rejoin });
        })
    }

    /// Whether a commit from outside is with the hub.
    pub(super) fn is_way_back_at_hub(&self, group: &GroupId) -> bool {
        let pending = self.record(group).and_then(|record| record.pending.as_ref());
        pending.is_some_and(|pending| pending.external)
    }

    /// A command takes up a way back that nobody has commanded.
    pub(super) fn take_up_way_back(
        &mut self,
        group: &GroupId,
        number: u64,
    ) -> Result<(), StoreError> {
        self.change_record(group, |record| {
            if let Some(pending) = &mut record.pending {
                pending.intent = Some(number);
            }
            if let Some(rejoin) = &mut record.rejoin {
                rejoin.intent = Some(number);
            }
        })
    }

    /// This device was removed in an epoch before that in which its commit from outside was made: it has been
    /// added again since, of which it did not hear yet.
    pub(super) fn removed_before_way_back(
        &mut self,
        group: &GroupId,
        by: ClientId,
    ) -> Result<(), StoreError> {
        let candidate = engine_storage::state(&self.overlay, Slot::Candidate, &group.0)?;
        self.delete_secrets(group)?;
        if let Some(candidate) = candidate {
            engine_storage::set_state(&self.overlay, Slot::Candidate, &group.0, &candidate);
        }
        self.forget_told(group)?;
        self.forget_early(group)?;
        self.change_record(group, |record| {
            record.state = State::Rejoining;
            record.proposals_since_ms = None;
            if let Some(rejoin) = &mut record.rejoin {
                rejoin.was_gone = true;
            }
        })?;
        self.emit(Event::Removed(RemovedEvent { group: group.clone(), by }))?;
        self.fail_outgoing(group, "this device was removed from the group")?;
        self.try_welcomes()
    }

    /// There is no way back, or not this one: a Welcome that waited for it may lead in.
    pub(super) fn try_welcomes_into(&mut self, group: &GroupId) -> Result<(), StoreError> {
        let into = self.welcomes.iter().filter(|(_, waiting)| waiting.group == *group);
        let into: Vec<_> = into.map(|(id, _)| *id).collect();
        self.try_some(&into)
    }
}

/// Whether nobody needs the way back, should its commit not be accepted: the group is followed, and is not
/// behind the epoch in which that was made.
pub(super) fn is_needless(record: &GroupRecord) -> bool {
    let follows =
        record.state == State::Live && record.broken_seq.is_none() && record.room_head.is_none();
    let Some(rejoin) = record.rejoin.as_ref().filter(|rejoin| rejoin.intent.is_none()) else {
        return false;
    };
    follows
        && match (&rejoin.base, &record.last_receipt) {
            (Some(base), Some(last)) => base.tbs.seq <= last.tbs.seq,
            _ => false,
        }
}
