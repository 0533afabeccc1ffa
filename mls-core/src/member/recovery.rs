//! The way back after a commit with a good receipt that cannot be processed: step by step, each
//! once, and none of them started by anything that the hub did not sign as next, but the last, which
//! an admin starts.
//!
//! 1. The group is read again from its snapshot, and the commit given to it once more. (Fetching
//!    it again would bring the same bytes: its receipt holds their hash.)
//! 2. The state before the last commit is taken out, and the handshakes since then are replayed
//!    from it, beside the group; only when the commit passes there is that the group.
//! 3. The commit is reported, and an external commit brings this device back, at most
//!    [`RETURN_ATTEMPTS_MAX`] times with pauses ([`super::rejoin`]).
//! 4. People are told that a member has to add this device again; the Welcome is taken. No command
//!    waits for that.
//! 5. Where no member can commit any more, or no two parts of the group can go on together, an admin
//!    makes a new group of everybody in the same rooms ([`super::restart`]), by a person's word.
//!
//! **What step 2 costs.** The state before the last commit holds that epoch's secrets as they were
//! at its last snapshot, so whoever steals the database can derive the keys of messages that were
//! read after it in that epoch. It is replaced by the next commit and deleted with the last past
//! epoch, two days after it ended ([`PAST_EPOCH_KEEP_MS`](crate::policy::PAST_EPOCH_KEEP_MS)); its
//! path secrets let a thief follow the one commit whose result is in the database anyhow. It is
//! one more write a commit, of the size of the group, and not done above
//! [`PREVIOUS_STATE_BYTES_MAX`].

use mls_rs::group::CommitMessageDescription;
use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::alarm::Alarm;
use super::engine_storage::{self, Slot};
use super::group_record::{GroupRecord, Rejoin, State};
use super::handshake::{Processed, process};
use super::loaded::Loaded;
use super::warning::WarningKind;
use super::{Command, Member, engine_fault};
use crate::limits::{
    HANDSHAKES_REMEMBERED, PREVIOUS_STATE_BYTES_MAX, RETURN_ATTEMPTS_MAX, RETURN_SPREAD_MAX,
};
use crate::receipt::{Receipt, ReceiptKind};
use crate::store::{Space, StoreError};
use crate::wire::GroupId;
use crate::wire::refusal::Refusal;

/// The state of each group before its last commit.
const PREVIOUS: Space = "previous_state";
/// Attempts to come back, of groups whose last commit could not be processed.
const ATTEMPTS: Space = "return_attempts";

/// Why a command fails that only a member's help could bring on.
pub(super) const GIVEN_UP: &str = "this device cannot follow the group any more, and found no way back: an \
                                   admin has to remove its user and invite them again";

/// A state before a commit.
#[derive(MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(Debug, proptest_derive::Arbitrary))]
struct Previous {
    /// Seq of the commit that ended its epoch.
    commit_seq: u64,
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    state: Vec<u8>,
}

impl Drop for Previous {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.state);
    }
}

impl Member {
    /// A commit was processed: keeps the stored state of before, while the new one is not written.
    pub(super) fn keep_previous(&self, receipt: &Receipt) -> Result<(), StoreError> {
        let group = &receipt.tbs.group;
        let state = engine_storage::state(&self.overlay, Slot::Current, &group.0)?;
        match state.filter(|state| state.len() <= PREVIOUS_STATE_BYTES_MAX) {
            Some(state) => {
                let previous = Previous { commit_seq: receipt.tbs.seq, state: state.to_vec() };
                self.overlay.write(PREVIOUS, &group.0, &previous)
            }
            None => {
                self.overlay.delete(PREVIOUS, &group.0);
                Ok(())
            }
        }
    }

    /// Forgets the state of before the last commit.
    pub(super) fn forget_previous(&self, group: &GroupId) {
        self.overlay.delete(PREVIOUS, &group.0);
    }

    /// A handshake with the next receipt cannot be processed by the group as it is in memory.
    pub(super) fn recover(
        &mut self,
        record: &GroupRecord,
        receipt: &Receipt,
        message: &[u8],
        why: &str,
    ) -> Result<(), StoreError> {
        let group = &record.group;
        if receipt.tbs.kind == ReceiptKind::Proposal {
            return self.invalid(group, receipt, why);
        }
        let again = match self.try_again(group, receipt, message)? {
            None => self.replay(record, receipt, message)?,
            again => again,
        };
        match again {
            Some((loaded, commit)) => {
                // Where it was replayed, what is stored is no longer the state of before.
                let own = record.pending.clone();
                let own = own.filter(|pending| pending.hash == receipt.tbs.message_hash);
                self.new_epoch(loaded, receipt, &commit, own)?;
                self.forget_previous(group);
                Ok(())
            }
            None => {
                self.invalid(group, receipt, why)?;
                self.come_back_by_itself(group)
            }
        }
    }

    fn try_again(
        &mut self,
        group: &GroupId,
        receipt: &Receipt,
        message: &[u8],
    ) -> Result<Option<(Loaded, CommitMessageDescription)>, StoreError> {
        self.loaded.remove(group);
        let Some(mut loaded) = self.take_group(group)? else { return Ok(None) };
        match process(&mut loaded, group, receipt, message) {
            Ok(Ok(Processed::Commit(commit))) => Ok(Some((loaded, *commit))),
            _ => Ok(None),
        }
    }

    /// Goes from the state before the last commit to after this one, beside the group. What does
    /// not lead there leaves the group as it is: nothing is ever sent from the states between, so
    /// no generation is used twice.
    fn replay(
        &mut self,
        record: &GroupRecord,
        receipt: &Receipt,
        message: &[u8],
    ) -> Result<Option<(Loaded, CommitMessageDescription)>, StoreError> {
        let group = &record.group;
        let Some(previous) = self.overlay.read::<Previous>(PREVIOUS, &group.0)? else {
            return Ok(None);
        };
        engine_storage::set_state(&self.overlay, Slot::Replay, &group.0, &previous.state);
        let commit = self.replay_from(record, previous.commit_seq, receipt, message)?;
        let replayed = match commit {
            Some(commit) => {
                engine_storage::adopt_replay(&self.overlay, &group.0)?;
                self.read_group(group).map(|loaded| Some((loaded, commit)))
            }
            None => Ok(None),
        };
        engine_storage::delete(&self.overlay, Slot::Replay, &group.0)?;
        replayed
    }

    fn replay_from(
        &self,
        record: &GroupRecord,
        from_seq: u64,
        receipt: &Receipt,
        message: &[u8],
    ) -> Result<Option<CommitMessageDescription>, StoreError> {
        let group = &record.group;
        let loader = self.loader(Slot::Replay);
        let Ok(state) = loader.load_group(&group.0) else { return Ok(None) };
        let mut loaded = Loaded::apart(state);
        let many = receipt.tbs.seq.saturating_sub(from_seq) > HANDSHAKES_REMEMBERED;
        for seq in (from_seq..receipt.tbs.seq).filter(|_| !many) {
            let Some(followed) = self.followed(record, seq)? else { return Ok(None) };
            let Some(bytes) = followed.message else { return Ok(None) };
            // A proposal that was passed over then is passed over now.
            let processed = process(&mut loaded, group, &followed.receipt, &bytes.0);
            let passed = followed.receipt.tbs.kind == ReceiptKind::Proposal;
            if !passed && !matches!(processed, Ok(Ok(_))) {
                return Ok(None);
            }
        }
        match process(&mut loaded, group, receipt, message) {
            Ok(Ok(Processed::Commit(commit))) => {
                loaded.group.write_to_storage().map_err(|e| engine_fault(&e))?;
                Ok(Some(*commit))
            }
            _ => Ok(None),
        }
    }

    /// Plans the external commit; all who could not follow do that, so not all at once.
    pub(super) fn come_back_by_itself(&mut self, group: &GroupId) -> Result<(), StoreError> {
        let Some(loaded) = self.take_group(group)? else { return Ok(()) };
        let members = loaded.group.roster().members_iter().count();
        self.give_back(group, loaded);
        let spread = u32::try_from(members).unwrap_or(u32::MAX).min(RETURN_SPREAD_MAX);
        let after_ms = self.now_ms.saturating_add(self.random_wait(spread)?);
        self.take_pending(group)?;
        self.change_record(group, |record| {
            record.rejoin.get_or_insert(Rejoin::by_itself());
            record.commit_after_ms = after_ms;
        })
    }

    /// An attempt to come back by itself failed; `never` says that no other can succeed. After the
    /// last one people are told what to do.
    pub(super) fn return_failed(
        &mut self,
        group: &GroupId,
        why: &str,
        never: bool,
    ) -> Result<(), StoreError> {
        let Some(record) = self.record(group) else { return Ok(()) };
        let lost = record.state == State::Rejoining && record.joined_epoch != u64::MAX;
        // The hub has forgotten the handshakes that are missing here, and does not let this device in again.
        let follows = record.state == State::Live && record.broken_seq.is_none();
        let cut_off = follows && record.shut_out;
        if record.broken_seq.is_none() && !lost && !cut_off {
            return Ok(());
        }
        let before: u32 = self.overlay.read(ATTEMPTS, &group.0)?.unwrap_or(0);
        let attempts =
            if never && !cut_off { RETURN_ATTEMPTS_MAX } else { before.saturating_add(1) };
        if attempts < RETURN_ATTEMPTS_MAX {
            return self.overlay.write(ATTEMPTS, &group.0, &attempts);
        }
        match lost || cut_off {
            // It has nothing else to do than to try now and then, but no command waits for that.
            true => self.fail_what_waits(group, why)?,
            false => self.change_record(group, |record| record.rejoin = None)?,
        }
        // Who has the state, and was told that the hub refuses, knows all that there is to know.
        if cut_off { Ok(()) } else { self.tell_to_be_added(group, why) }
    }

    /// Fails the commands of a group for which a way back was looked for in vain.
    fn fail_what_waits(&mut self, group: &GroupId, why: &str) -> Result<(), StoreError> {
        let of_group = self.intents.values().filter(|intent| intent.group() == Some(group));
        let waits = of_group.filter(|intent| !self.is_registering_branch(intent.number));
        let why = format!("no way back into the group: {why}");
        let waits: Vec<_> = waits.map(|intent| intent.number).collect();
        waits.into_iter().try_for_each(|number| self.fail(number, why.as_str()))
    }

    /// Tells people, once, that a member has to add this device again.
    pub(super) fn tell_to_be_added(
        &mut self,
        group: &GroupId,
        why: &str,
    ) -> Result<(), StoreError> {
        let before: u32 = self.overlay.read(ATTEMPTS, &group.0)?.unwrap_or(0);
        if before >= RETURN_ATTEMPTS_MAX {
            // That was told.
            return Ok(());
        }
        self.overlay.write(ATTEMPTS, &group.0, &RETURN_ATTEMPTS_MAX)?;
        self.alarm(group, Alarm::ReAddNeeded(why.to_owned()))
    }

    /// Whether a group's state cannot be brought up to date, and this device tries no more to come back.
    pub(super) fn has_given_up(&self, group: &GroupId) -> bool {
        self.record(group).is_some_and(GroupRecord::has_given_up)
    }

    /// Whether a command has nothing to wait for in such a group. A pre-shared key may be what was missing.
    pub(super) fn is_in_vain(&self, group: &GroupId, command: &Command) -> bool {
        let waits = matches!(command, Command::HoldPsk(_) | Command::DenyKnock(_));
        !waits && self.has_given_up(group)
    }

    /// The hub says that this device is not in the group. Its homeserver could say so as well, so
    /// nothing is given up for it: only the commit that removes a leaf proves that it is gone.
    pub(super) fn shut_out(
        &mut self,
        group: &GroupId,
        refusal: &Refusal,
    ) -> Result<(), StoreError> {
        if self.record(group).is_none_or(|record| record.shut_out) {
            return Ok(());
        }
        self.change_record(group, |record| record.shut_out = true)?;
        let text = format!(
            "the hub does not tell how the group goes on ({refusal}); what others say from now on may be missing. \
             Somebody in the group can say whether this device is still in it"
        );
        self.warn(group, WarningKind::CannotFollow, text)
    }

    /// This device follows the group again.
    pub(super) fn returned(&self, group: &GroupId) {
        self.overlay.delete(ATTEMPTS, &group.0);
        self.forget_left_by_wish(group);
    }
}

#[cfg(test)]
crate::codec_properties::hold!(Previous);
