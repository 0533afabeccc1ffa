//! The hub says that a group has ended, of which this device has not heard otherwise: somebody else's
//! commit has ended it, or a restart has put another into its place.
//!
//! What follows may be on its way, so it is asked for. Who can follow the group no more, and is not taken
//! along within [`ENDED_WAIT_MS`], is out of it: what waits for the group must not wait for ever.

use super::Member;
use super::group_record::GroupRecord;
use crate::limits::ENDED_WAIT_MS;
use crate::store::StoreError;
use crate::wire::GroupId;

impl Member {
    /// The hub takes no commit in a group, or shows no way into it, for it has ended.
    pub(super) fn ended_at_hub(&mut self, group: &GroupId) -> Result<(), StoreError> {
        let pending = self.take_pending(group)?;
        if self.left_before(group) {
            return self.no_way_back(group, "the group has ended", false);
        } else if self.is_out_of_ended(group)? {
            return self.out_of_ended(group);
        }
        if pending.as_ref().is_some_and(|pending| pending.external) {
            self.try_welcomes_into(group)?;
        }
        let coming = self.record(group).and_then(|record| record.rejoin.as_ref()?.intent);
        let wanted = pending.map_or(coming, |pending| pending.intent);
        self.attempt_lost(group, wanted, "met the end of the group, and nothing follows here")?;
        self.fetch_handshakes(group)?;
        self.fetch_welcomes()
    }

    /// Whether this device is on its way back into a group that it had been out of.
    fn left_before(&self, group: &GroupId) -> bool {
        let rejoin = self.record(group).and_then(|record| record.rejoin.as_ref());
        rejoin.is_some_and(|rejoin| rejoin.was_gone)
    }

    fn out_of_ended(&mut self, group: &GroupId) -> Result<(), StoreError> {
        let room = self.own_room(group);
        self.no_way_back(group, "it has ended, and nobody took this device along", true)?;
        if let Some(room) = room.filter(|_| self.record(group).is_none()) {
            // The group was only found in its room, which may have another now.
            self.rooms_to_find.insert(room, self.now_ms);
        }
        Ok(())
    }

    /// Whether a Welcome into what follows has been waited for long enough, where only that could lead on.
    fn is_out_of_ended(&mut self, group: &GroupId) -> Result<bool, StoreError> {
        let behind = |record: &&GroupRecord| record.is_behind();
        let Some(ended_ms) = self.record(group).filter(behind).map(|record| record.ended_ms) else {
            return Ok(false);
        };
        let now_ms = self.now_ms;
        if ended_ms == 0 {
            self.change_record(group, |record| record.ended_ms = now_ms)?;
        }
        Ok(ended_ms != 0 && now_ms.saturating_sub(ended_ms) >= ENDED_WAIT_MS)
    }
}
