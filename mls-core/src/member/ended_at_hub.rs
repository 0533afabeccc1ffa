//! The hub says that a group has ended, of which this device has not heard otherwise: somebody else's
//! commit has ended it, or a restart has put another into its place.
//!
//! What follows may be on its way, so it is asked for. Who has a Welcome into that, and does not come to the commit
//! that ends the group within [`ENDED_WAIT_MS`], comes in by its leaf. Who can follow the group no more, and is not
//! taken along by then, is out of it: what waits for the group must not wait for ever. Who follows it
//! keeps its state, for that is only the hub's word, but people are told, and nothing is said into it meanwhile.

use super::group_record::{GroupRecord, State};
use super::{Command, Member};
use crate::limits::ENDED_WAIT_MS;
use crate::store::StoreError;
use crate::wire::GroupId;

/// Why a command fails of who follows a group that has gone on as another.
const LEFT_OUT: &str = "the hub says that the group has ended, and nobody took this device along into what \
                        follows: an admin of that has to invite its user";

impl Member {
    /// The hub takes no commit in a group, or shows no way into it, for it has ended.
    pub(super) fn ended_at_hub(&mut self, group: &GroupId) -> Result<(), StoreError> {
        let pending = self.take_pending(group)?;
        if self.left_before(group) {
            return self.no_way_back(group, "the group has ended", false);
        }
        let behind = self.record(group).is_some_and(GroupRecord::is_behind);
        let wanted = pending.as_ref().and_then(|pending| pending.intent);
        match self.is_out_of_ended(group)? {
            true if behind => return self.out_of_ended(group),
            true if self.follow_by_leaf(group)? => return Ok(()),
            true => return self.left_out(group, wanted),
            false => {}
        }
        if pending.as_ref().is_some_and(|pending| pending.external) {
            self.try_welcomes_into(group)?;
        }
        if behind {
            let coming = self.record(group).and_then(|record| record.rejoin.as_ref()?.intent);
            let wanted = if pending.is_some() { wanted } else { coming };
            self.attempt_lost(group, wanted, "attempts met the end of the group")?;
        } else {
            // What is wanted may go on in what follows.
            self.pause_commits(group)?;
        }
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

    /// The commits that lead to the end of a group do not come here, or cannot be followed from where this device is
    /// in it: whether it tries to come into what follows, of which a Welcome is here. The former stays as it is, for
    /// all that is the hub's word, until it is in.
    fn follow_by_leaf(&mut self, group: &GroupId) -> Result<bool, StoreError> {
        let Some((room, next)) = self.own_room(group).zip(self.welcomed_after(group)?) else {
            return Ok(false);
        };
        self.pause_commits(group)?;
        self.change_record(group, |record| {
            record.successor = Some(next.clone());
            record.rejoin = None;
        })?;
        self.rejoin_found(&next, &room).map(|()| true)
    }

    /// Nobody who went on hears this device, which still follows the group as it was.
    fn left_out(&mut self, group: &GroupId, wanted: Option<u64>) -> Result<(), StoreError> {
        self.pause_commits(group)?;
        self.change_record(group, |record| record.rejoin = None)?;
        if let Some(number) = wanted {
            self.commit_failed(number, group, LEFT_OUT)?;
        }
        // These end otherwise, or have more to do than to commit.
        let stays = |command: &Command| {
            matches!(
                command,
                Command::Leave(_)
                    | Command::Restart(_)
                    | Command::HoldPsk(_)
                    | Command::DenyKnock(_)
            )
        };
        let of_group = self.intents.values().filter(|intent| intent.group() == Some(group));
        let over = of_group
            .filter(|intent| !stays(&intent.command) && !self.is_registering_branch(intent.number));
        for number in over.map(|intent| intent.number).collect::<Vec<_>>() {
            self.fail(number, LEFT_OUT)?;
        }
        self.tell_to_be_added(group, LEFT_OUT)
    }

    /// Whether the hub has said that a group has ended that this device follows: nobody may hear what is said in
    /// it. A commit shows whether that is still so.
    pub(super) fn is_said_to_have_ended(&mut self, group: &GroupId) -> Result<bool, StoreError> {
        let said = |record: &&GroupRecord| {
            record.state == State::Live && record.ended_ms != 0 && record.room_head.is_none()
        };
        if self.record(group).filter(said).is_none() {
            return Ok(false);
        }
        if self.may_commit(group)
            && let Some(loaded) = self.take_group(group)?
        {
            let changes = self.update_changes(group)?;
            self.commit_now(group, loaded, changes)?;
        }
        Ok(true)
    }

    /// Whether a Welcome into what follows has been waited for long enough.
    fn is_out_of_ended(&mut self, group: &GroupId) -> Result<bool, StoreError> {
        let here = |record: &&GroupRecord| matches!(record.state, State::Live | State::Rejoining);
        let Some(ended_ms) = self.record(group).filter(here).map(|record| record.ended_ms) else {
            return Ok(false);
        };
        let now_ms = self.now_ms;
        if ended_ms == 0 {
            self.change_record(group, |record| record.ended_ms = now_ms)?;
        }
        Ok(ended_ms != 0 && now_ms.saturating_sub(ended_ms) >= ENDED_WAIT_MS)
    }
}
