//! Handshakes that the hub has and this device lacks: asked for by gaps, and now and then by itself.

use super::Member;
use super::engine_storage::{self, Slot};
use super::group_record::{GroupRecord, Rejoin, State};
use super::requests::Purpose;
use crate::limits::LOOK_FOR_NEWEST_MS;
use crate::store::StoreError;
use crate::wire::fetch_handshakes::FetchHandshakes;
use crate::wire::refusal::Refusal;
use crate::wire::{Answer, GroupId, Request};

impl Member {
    /// Asks for what is newest in each group, now and then: that the newest handshake was held back
    /// shows by nothing else.
    pub(super) fn look_for_newest(&mut self) -> Result<(), StoreError> {
        let (now_ms, live) = (self.now_ms, |r: &&GroupRecord| r.state == State::Live);
        let groups: Vec<_> = self.groups.values().filter(live).map(|r| r.group.clone()).collect();
        for group in groups {
            let looked_ms = self.looked_ms.get(&group).copied().unwrap_or(0);
            if now_ms.saturating_sub(looked_ms) >= LOOK_FOR_NEWEST_MS {
                self.looked_ms.insert(group.clone(), now_ms);
                if self.notice_loss(&group)? {
                    continue;
                }
                self.fetch_handshakes(&group)?;
            }
        }
        Ok(())
    }

    /// Whether the group's state is gone from the database: then the way back begins, before
    /// somebody needs the group.
    fn notice_loss(&mut self, group: &GroupId) -> Result<bool, StoreError> {
        if self.loaded.contains_key(group)
            || engine_storage::exists(&self.overlay, Slot::Current, &group.0)?
        {
            return Ok(false);
        }
        self.touched.insert(group.clone());
        self.lost(group).map(|()| true)
    }

    /// Asks for the handshakes from the next on, unless that is under way.
    pub(super) fn fetch_handshakes(&mut self, group: &GroupId) -> Result<(), StoreError> {
        let asking = self.asks_handshakes(group);
        let follows = |r: &&GroupRecord| r.state == State::Live && r.broken_seq.is_none();
        let Some(record) = self.record(group).filter(follows).filter(|_| !asking) else {
            return Ok(());
        };
        let fetch = FetchHandshakes { group: group.clone(), from_seq: record.next_seq() };
        self.request(Purpose::Handshakes(group.clone()), Request::FetchHandshakes(fetch))
            .map(|_| ())
    }

    /// The same for one that is there at the hub: what it was asked before, it may answer without that.
    pub(super) fn fetch_handshakes_to(
        &mut self,
        group: &GroupId,
        seq: u64,
    ) -> Result<(), StoreError> {
        if self.asks_handshakes(group) {
            let wanted = self.wanted_seq.entry(group.clone()).or_default();
            *wanted = seq.max(*wanted);
        }
        self.fetch_handshakes(group)
    }

    /// The hub has told what it was asked; asks once more for what came meanwhile.
    fn fetch_what_came_since(&mut self, group: &GroupId, next: u64) -> Result<(), StoreError> {
        match self.wanted_seq.remove(group) {
            Some(seq) if seq >= next => self.fetch_handshakes(group),
            _ => Ok(()),
        }
    }

    /// The hub answered a FetchHandshakes.
    pub(super) fn handshakes_answered(
        &mut self,
        group: &GroupId,
        result: Result<Answer, Refusal>,
    ) -> Result<(), StoreError> {
        let next = |member: &Self| member.record(group).map_or(0, GroupRecord::next_seq);
        match result {
            Ok(Answer::Handshakes(answer)) => {
                self.change_record(group, |record| record.shut_out = false)?;
                let before = next(self);
                for handshake in answer.handshakes.into_iter().filter(|h| h.group == *group) {
                    // A gap that the hub leaves is not asked for again at once.
                    self.take_handshake(handshake)?;
                }
                let more = next(self) > before && next(self) <= answer.last_seq;
                if next(self) > answer.last_seq {
                    self.told_of_group(group)?;
                }
                match more {
                    true => self.fetch_handshakes(group),
                    false => self.fetch_what_came_since(group, next(self)),
                }
            }
            // What we need is no longer kept, but we may still have a leaf. Past messages can be
            // read with the old state until the new one comes.
            Err(Refusal::Gone) => self.change_record(group, |record| {
                record.rejoin.get_or_insert(Rejoin::by_itself());
            }),
            Err(refusal @ (Refusal::NotAllowed(_) | Refusal::UnknownGroup)) => {
                self.told_of_group(group)?;
                self.shut_out(group, &refusal)
            }
            _ => Ok(()),
        }
    }
}
