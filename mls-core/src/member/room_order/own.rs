//! Our own commits: published, kept with their secrets until the room shows them, and made again
//! where another one wins.

use mls_rs::group::CommitSecrets;
use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};
use zeroize::Zeroize;

use super::super::commit::{Built, Changes, prepare};
use super::super::engine_storage::MemberGroup;
use super::super::group_record::PendingCommit;
use super::super::intents::{Intent, Stage};
use super::super::keys::SignatureKey;
use super::super::loaded::Loaded;
use super::super::seen::group_prefix;
use super::super::{Command, CommandId, Member, OutgoingMessage, Output};
use super::branch::Node;
use super::hand_back::is_ordered_by_hub;
use crate::engine::{EngineError, sha256};
use crate::limits::APPLICATION_BYTES_MAX;
use crate::overlay::decode;
use crate::store::{Space, StoreError};
use crate::wire::{Digest, GroupId};

/// Commits that the room has not shown yet, by group and hash.
const OWN: Space = "own_room_commit";
/// More are never there.
const OWN_READ_MAX: usize = 256;
/// Begins the id of a command that is done again.
const AGAIN: &str = "again:";

/// A commit of ours that the room has not shown yet.
#[derive(MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(Debug, proptest_derive::Arbitrary))]
pub(super) struct OwnCommit {
    /// The state in which it was made.
    pub(super) parent: Digest,
    pub(super) made_ms: u64,
    pub(super) message: OutgoingMessage,
    /// Whether the room has it, as our network says.
    sent: bool,
    /// What the engine needs to apply it.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub(super) secrets: Vec<u8>,
    part: OwnPart,
}

impl Drop for OwnCommit {
    fn drop(&mut self) {
        self.secrets.zeroize();
    }
}

/// What stays known of a commit of ours, should it have to be made again.
#[derive(Clone, Debug, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub(super) struct OwnPart {
    has_path: bool,
    /// The command that it was for, and its place in the queue.
    wanted: Option<Wanted>,
}

#[derive(Clone, Debug, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub(super) struct Wanted {
    number: u64,
    id: CommandId,
    #[cfg_attr(test, proptest(strategy = "crate::codec_properties::boxed()"))]
    command: Command,
}

/// A commit that is applied when the room shows it, and what the engine needs for that.
fn build_detached(
    loaded: &mut Loaded,
    signer: SignatureKey,
    changes: Changes,
    now_ms: u64,
) -> Result<(Built, Vec<u8>), EngineError> {
    let (output, secrets) = prepare(loaded, &signer, changes, now_ms)?.build_detached()?;
    let bytes = secrets.to_bytes()?;
    let mut next = loaded.group.clone();
    next.apply_detached_commit(secrets)?;
    Ok((Built::new(&next, signer, &output)?, bytes))
}

impl Member {
    /// Makes a commit and publishes it. An error leaves the group as it was.
    pub(in super::super) fn commit_into_room(
        &mut self,
        group: &GroupId,
        mut loaded: Loaded,
        intent: Option<u64>,
        changes: Changes,
    ) -> Result<Result<(), EngineError>, StoreError> {
        let epoch = loaded.group.current_epoch();
        let to_hub = changes.context.as_ref().is_some_and(is_ordered_by_hub);
        let signer = self.key_in(group, loaded.group.cipher_suite())?;
        let made = build_detached(&mut loaded, signer, changes, self.now_ms);
        // A generation of the handshake ratchet is used up, whatever comes of it.
        self.snapshot(&mut loaded)?;
        self.give_back(group, loaded);
        let (built, secrets) = match made {
            Ok(made) => made,
            Err(error) => return Ok(Err(error)),
        };
        let (Some(room), Some(parent)) =
            (self.own_room(group), self.record(group).and_then(|record| record.room_head))
        else {
            return Ok(Err(EngineError::Crypto("the group has no room".to_owned())));
        };
        if built.commit.len() > APPLICATION_BYTES_MAX && !to_hub {
            return Ok(Err(EngineError::TooLarge));
        }
        let wanted = intent.and_then(|number| self.intents.get(&number)).map(|intent| Wanted {
            number: intent.number,
            id: intent.id.clone(),
            command: intent.command.clone(),
        });
        let suite = u16::from(built.suite);
        let (id, has_path, checkpoint) = (sha256(&built.commit), built.has_path, None);
        let (group_id, commit) = (group.clone(), built.commit.clone());
        let message = OutgoingMessage {
            id,
            room,
            group: group_id,
            epoch,
            suite,
            message: commit,
            checkpoint,
        };
        let (made_ms, part) = (self.now_ms, OwnPart { has_path, wanted });
        let own = OwnCommit { parent, made_ms, message, sent: to_hub, secrets, part };
        self.overlay.write(OWN, &key(group, &id), &own)?;
        if to_hub {
            return self.submit(group, epoch, built, intent, false).map(Ok);
        }
        self.outputs.push(Output::Send(own.message.clone()));
        let request = String::new();
        let pending = PendingCommit { hash: id, request, intent, has_path, external: false };
        self.change_record(group, |record| record.pending = Some(pending)).map(Ok)
    }

    /// A commit of ours that the room has not shown yet.
    pub(super) fn own_commit(
        &self,
        group: &GroupId,
        hash: &Digest,
    ) -> Result<Option<OwnCommit>, StoreError> {
        self.overlay.read(OWN, &key(group, hash))
    }

    /// Applies a commit of ours that was made in this state, if it is known. Whether it was.
    pub(in super::super) fn apply_own_to(
        &self,
        state: &mut MemberGroup,
        group: &GroupId,
        hash: &Digest,
    ) -> Result<bool, StoreError> {
        let Some(own) = self.own_commit(group, hash)? else { return Ok(false) };
        let secrets = CommitSecrets::from_bytes(&own.secrets);
        Ok(secrets.and_then(|secrets| state.apply_detached_commit(secrets)).is_ok())
    }

    /// The room has shown it: its secrets are no longer needed.
    pub(super) fn take_own_commit(
        &self,
        group: &GroupId,
        hash: &Digest,
    ) -> Result<Option<OwnPart>, StoreError> {
        let own = self.own_commit(group, hash)?;
        self.overlay.delete(OWN, &key(group, hash));
        Ok(own.map(|own| own.part.clone()))
    }

    fn own_commits(&self, prefix: &[u8]) -> Result<Vec<OwnCommit>, StoreError> {
        let rows = self.overlay.scan(OWN, prefix, prefix, OWN_READ_MAX)?;
        rows.iter().map(|(_, value)| decode(OWN, value)).collect()
    }

    /// Commits of a group that the room has not shown yet: hash, parent, and when they were made.
    pub(super) fn own_commits_of(
        &self,
        group: &GroupId,
    ) -> Result<Vec<(Digest, Digest, u64)>, StoreError> {
        let own = self.own_commits(&group_prefix(group))?;
        Ok(own.iter().map(|own| (own.message.id, own.parent, own.made_ms)).collect())
    }

    /// Commits that the room may not have yet.
    pub(in super::super) fn pending_room_commits(&self) -> Result<Vec<Output>, StoreError> {
        let own = self.own_commits(&[])?;
        let unsent = own.iter().filter(|own| !own.sent);
        Ok(unsent.map(|own| Output::Send(own.message.clone())).collect())
    }

    /// The room has what was sent, which may be a commit.
    pub(in super::super) fn room_commit_sent(&mut self, id: &Digest) -> Result<(), StoreError> {
        let own = self.own_commits(&[])?.into_iter().find(|own| own.message.id == *id);
        let Some(mut own) = own else { return Ok(()) };
        own.sent = true;
        self.overlay.write(OWN, &key(&own.message.group, id), &own)
    }

    /// The network will never take what was sent, which may be a commit.
    pub(in super::super) fn room_commit_not_sent(
        &mut self,
        id: &Digest,
        why: &str,
    ) -> Result<(), StoreError> {
        let own = self.own_commits(&[])?.into_iter().find(|own| own.message.id == *id);
        let Some(own) = own else { return Ok(()) };
        let group = own.message.group.clone();
        self.overlay.delete(OWN, &key(&group, id));
        let pending = self.record(&group).and_then(|record| record.pending.as_ref());
        match pending.is_some_and(|pending| pending.hash == *id) {
            true => self.commit_refused(&group, why),
            false => Ok(()),
        }
    }

    /// Our commits that are the group's now: what wanted them goes on.
    pub(super) fn follow_own(
        &mut self,
        group: &GroupId,
        change: &super::settle::Change,
    ) -> Result<(), StoreError> {
        for node in change.adopted() {
            let Some(own) = node.own.clone() else { continue };
            let Some(loaded) = self.take_group(group)? else { return Ok(()) };
            if own.has_path {
                self.leaf_renewed(group);
            }
            let intent = own.wanted.map(|wanted| wanted.number);
            let (hash, has_path, request) = (node.id, own.has_path, String::new());
            let pending = PendingCommit { hash, request, intent, has_path, external: false };
            self.own_commit_applied(group, &pending, &loaded)?;
            self.give_back(group, loaded);
        }
        Ok(())
    }

    /// Our commits that were taken back are wanted again. The commands that this is said of.
    pub(super) fn do_again(
        &mut self,
        group: &GroupId,
        undone: &[Node],
    ) -> Result<Vec<CommandId>, StoreError> {
        let mut again = Vec::new();
        for own in undone.iter().filter_map(|node| node.own.clone()) {
            match own.wanted {
                Some(Wanted { number, id, .. }) if self.intents.contains_key(&number) => {
                    self.set_stage(number, Stage::Waiting)?;
                    again.push(id);
                }
                Some(Wanted { id, command, .. }) => {
                    self.want_again(&id, command)?;
                    again.push(id);
                }
                None => {
                    let due_ms = self.now_ms.saturating_add(self.random_wait(1)?);
                    self.change_record(group, |record| {
                        record.update_due_ms = record.update_due_ms.min(due_ms);
                    })?;
                }
            }
        }
        if !again.is_empty() {
            let after_ms = self.now_ms.saturating_add(self.random_wait(1)?);
            self.change_record(group, |record| record.commit_after_ms = after_ms)?;
        }
        Ok(again)
    }

    /// The command had its result already, so it comes under an id of its own.
    fn want_again(&mut self, id: &CommandId, command: Command) -> Result<(), StoreError> {
        let number = self.counters.next_intent(&self.overlay)?;
        let first = id.strip_prefix(AGAIN).and_then(|rest| rest.split_once(':'));
        let first = first.map_or(id.as_str(), |(_, first)| first);
        let id = format!("{AGAIN}{number}:{first}");
        self.intents.insert(number, Intent { number, id, command, stage: Stage::Waiting });
        self.save_intent(number)
    }
}

fn key(group: &GroupId, hash: &Digest) -> Vec<u8> {
    [group_prefix(group).as_slice(), &hash.0].concat()
}

#[cfg(test)]
crate::codec_properties::hold!(OwnCommit, OwnPart, Wanted);
