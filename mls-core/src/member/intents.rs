//! The durable queue of commands. Commands of one group are carried out one after the other.
//!
//! A command ends in exactly one `CommandDone` or `CommandFailed`, whatever restarts lie
//! between; the result is kept, and the same id again is answered with it.

use std::collections::{BTreeMap, HashSet};

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::claiming::Claiming;
use super::event::{CommandDone, CommandFailed};
use super::rotate_everywhere::Renewing;
use super::{Command, CommandId, Event, Member, Output};
use crate::address::UserId;
use crate::limits::INTENTS_MAX;
use crate::overlay::{Overlay, decode};
use crate::store::{Space, StoreError};
use crate::wire::create_room::RoomCreated;
use crate::wire::publish_key_packages::KeyPackageBytes;
use crate::wire::refusal::Refusal;
use crate::wire::{Answer, Digest, GroupId, Request};

const INTENT: Space = "intent";
/// Results by command id.
const RESULT: Space = "command_result";
/// Command ids by the number of their result's event, the oldest first.
const RESULT_ORDER: Space = "command_result_order";
/// Results that are remembered; the oldest go first.
const RESULTS_MAX: usize = 10_000;

/// A command that is not yet fulfilled.
#[derive(Clone, Debug, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub(super) struct Intent {
    pub(super) number: u64,
    pub(super) id: CommandId,
    #[cfg_attr(test, proptest(strategy = "crate::codec_properties::boxed()"))]
    pub(super) command: Command,
    #[cfg_attr(test, proptest(strategy = "crate::codec_properties::boxed()"))]
    pub(super) stage: Stage,
}

/// How far a command has come.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
#[repr(u8)]
pub(super) enum Stage {
    /// Not begun.
    Waiting = 1u8,
    /// The hub was asked.
    Asked = 2u8,
    /// A group was made and waits for its first receipt.
    Registering(GroupId) = 3u8,
    /// Users are being invited.
    Inviting(Inviting) = 4u8,
    /// Its commit was accepted.
    Committed = 5u8,
    /// Key packages are being uploaded.
    Uploading(Vec<Digest>) = 6u8,
    /// A group is being started anew.
    StartingAnew(StartingAnew) = 7u8,
    /// A branch of a group is being made.
    Branching(Branching) = 50u8,
    /// A group that is to replace another was made and waits for its first receipt.
    Restarting(Restarting) = 41u8,
    /// This device's keys are being renewed everywhere.
    Renewing(Renewing) = 80u8,
}

/// How far an invitation has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub(super) struct Inviting {
    /// Users whose key packages were claimed, from the front of the command's list.
    pub(super) claimed: u32,
    /// A claim is under way.
    pub(super) claiming: bool,
    /// Packages that were claimed and checked, and are not in the group yet.
    pub(super) packages: Vec<KeyPackageBytes>,
    /// One sentence for each client that cannot be added.
    pub(super) failures: Vec<String>,
    /// Whether anybody was, or had been, added.
    pub(super) added: bool,
}

/// How far a new start of a group has come.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub(super) struct StartingAnew {
    /// The id of the group that is to follow.
    pub(super) successor: GroupId,
    /// Its suite.
    pub(super) suite: u16,
    /// The packages of its members.
    pub(super) claiming: Claiming,
    /// The registration is under way.
    pub(super) asking: bool,
}

/// How far a branch of a group has come.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub(super) struct Branching {
    /// The id of the branch.
    pub(super) branch: GroupId,
    /// The packages of its members.
    pub(super) claiming: Claiming,
    /// Its rooms, once they are there.
    pub(super) rooms: Option<RoomCreated>,
    /// The rooms are being made, or the registration is under way.
    pub(super) asking: bool,
    /// How often the hub said that the parent has gone on.
    pub(super) late: u32,
    /// The parent's epoch then: it is waited for the next.
    pub(super) late_in: Option<u64>,
}

/// The outcome of one step of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It ended, or does not hold up the next command.
    Next,
    /// It waits for something.
    Wait,
}

/// A group that is to take another's place.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub(super) struct Restarting {
    /// Its id.
    pub(super) successor: GroupId,
    /// Who is to be added to it.
    pub(super) users: Vec<UserId>,
}

pub(super) type Intents = BTreeMap<u64, Intent>;

/// Commands whose results are remembered: a new command is known as new without a read.
pub(super) type Ended = HashSet<CommandId>;

#[derive(MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(Debug, proptest_derive::Arbitrary))]
struct StoredResult {
    /// Number of its event.
    number: u64,
    event: Event,
}

/// The queue that a store holds, and the commands whose results it remembers.
pub(super) fn open(overlay: &Overlay) -> Result<(Intents, Ended), StoreError> {
    let mut intents = Intents::new();
    for (_, value) in overlay.scan(INTENT, &[], &[], usize::from(u16::MAX))? {
        let intent: Intent = decode(INTENT, &value)?;
        intents.insert(intent.number, intent);
    }
    let mut ended = Ended::new();
    for (_, id) in overlay.scan(RESULT_ORDER, &[], &[], RESULTS_MAX.saturating_add(1))? {
        ended.insert(command_id(&id)?);
    }
    Ok((intents, ended))
}

fn command_id(stored: &[u8]) -> Result<CommandId, StoreError> {
    let text = std::str::from_utf8(stored);
    text.map(Into::into).map_err(|e| StoreError(format!("an entry of {RESULT_ORDER}: {e}")))
}

impl Intent {
    /// The group whose order of commands it stands in.
    pub(super) fn group(&self) -> Option<&GroupId> {
        self.command.group()
    }
}

impl Member {
    /// Takes a command into the queue, unless it is there already or was answered.
    pub(super) fn command(&mut self, id: CommandId, command: Command) -> Result<(), StoreError> {
        if self.ended.contains(&id)
            && let Some(result) = self.overlay.read::<StoredResult>(RESULT, id.as_bytes())?
        {
            return self.answer_again(result);
        }
        if self.intents.values().any(|i| i.id == id) || self.is_outgoing(&id) {
            return Ok(());
        }
        let number = self.counters.next_intent(&self.overlay)?;
        let command = self.follow_successor(command);
        let full = self.intents.len() >= INTENTS_MAX;
        let intent = Intent { number, id, command, stage: Stage::Waiting };
        let unknown = intent.group().filter(|group| {
            !self.groups.contains_key(group)
                && !matches!(intent.command, Command::Rejoin(_) | Command::HoldPsk(_))
        });
        let refused = if full {
            Some(format!("{INTENTS_MAX} commands wait already: try again when some are done"))
        } else {
            unknown.map(|group| format!("this device is in no group {group}"))
        };
        self.touched.extend(intent.group().cloned());
        self.intents.insert(number, intent);
        self.new_intents.insert(number);
        match (refused, self.intents.get(&number).map(|intent| intent.command.clone())) {
            (Some(why), _) => self.fail(number, why),
            (None, Some(Command::TrustAnchors(wanted))) => self.trust_anchors(number, &wanted),
            (None, Some(Command::AskAuthorities(wanted))) => self.ask_other_hub(number, wanted),
            (None, Some(Command::AcceptLog(root))) => self.accept_log(number, root),
            (None, Some(Command::Identity(said))) => self.identity_command(number, said),
            (None, _) => Ok(()),
        }
    }

    /// Writes the commands that came with this input, unless they have ended already.
    pub(super) fn save_new_intents(&mut self) -> Result<(), StoreError> {
        std::mem::take(&mut self.new_intents).into_iter().try_for_each(|n| self.save_intent(n))
    }

    fn answer_again(&mut self, result: StoredResult) -> Result<(), StoreError> {
        match self.unseen_event(result.number)? {
            Some(record) => self.outputs.push(Output::Event(record)),
            None => {
                self.emit(result.event)?;
            }
        }
        Ok(())
    }

    /// Writes how far a command has come.
    pub(super) fn save_intent(&mut self, number: u64) -> Result<(), StoreError> {
        self.new_intents.remove(&number);
        match self.intents.get(&number) {
            Some(intent) => self.overlay.write(INTENT, &number.to_be_bytes(), intent),
            None => Ok(()),
        }
    }

    /// Moves a command on.
    pub(super) fn set_stage(&mut self, number: u64, stage: Stage) -> Result<(), StoreError> {
        if let Some(intent) = self.intents.get_mut(&number) {
            intent.stage = stage;
        }
        self.save_intent(number)
    }

    /// A command was fulfilled.
    pub(super) fn done(&mut self, number: u64, group: Option<GroupId>) -> Result<(), StoreError> {
        let Some(id) = self.drop_intent(number) else { return Ok(()) };
        self.finish(&id, Event::CommandDone(CommandDone { id: id.clone(), group }))
    }

    /// A command cannot be fulfilled.
    pub(super) fn fail(&mut self, number: u64, why: impl Into<String>) -> Result<(), StoreError> {
        let Some(id) = self.drop_intent(number) else { return Ok(()) };
        self.finish(&id, Event::CommandFailed(CommandFailed { id: id.clone(), why: why.into() }))
    }

    /// Takes a command out of the queue.
    pub(super) fn drop_intent(&mut self, number: u64) -> Option<CommandId> {
        let intent = self.intents.remove(&number)?;
        if !self.new_intents.remove(&number) {
            self.overlay.delete(INTENT, &number.to_be_bytes());
        }
        self.touched.extend(intent.group().cloned());
        Some(intent.id)
    }

    /// Shows and remembers the result of a command.
    pub(super) fn finish(&mut self, id: &CommandId, event: Event) -> Result<(), StoreError> {
        let number = self.emit(event.clone())?;
        self.overlay.write(RESULT, id.as_bytes(), &StoredResult { number, event })?;
        self.overlay.put(RESULT_ORDER, &number.to_be_bytes(), id.as_bytes().to_vec());
        self.ended.insert(id.clone());
        if self.ended.len() > RESULTS_MAX {
            for (key, id) in self.overlay.scan(RESULT_ORDER, &[], &[], 1)? {
                self.overlay.delete(RESULT_ORDER, &key);
                self.overlay.delete(RESULT, &id);
                self.ended.remove(&command_id(&id)?);
            }
        }
        Ok(())
    }

    /// The first command that waits for a group.
    pub(super) fn first_intent(&self, group: &GroupId) -> Option<&Intent> {
        self.intents.values().find(|intent| intent.group() == Some(group))
    }

    /// A way back does not wait for commands that wait for it.
    pub(super) fn rejoin_intent(&self, group: &GroupId) -> Option<&Intent> {
        let rejoins = |command: &Command| matches!(command, Command::Rejoin(g) if g == group);
        self.intents.values().find(|intent| rejoins(&intent.command))
    }

    /// The command that comes next in a group: who restarts it, or comes back into it, does not wait for
    /// what cannot be done before.
    pub(super) fn next_intent(&self, group: &GroupId) -> Option<&Intent> {
        let restarts = |command: &Command| matches!(command, Command::Restart(g) if g == group);
        let restart = self.intents.values().find(|intent| restarts(&intent.command));
        // Who is to be added after a restart is to hear what waited for it.
        let begun = self.intents.values().find(|intent| {
            intent.group() == Some(group) && matches!(intent.stage, Stage::Inviting(_))
        });
        restart.or_else(|| self.rejoin_intent(group)).or(begun).or_else(|| self.first_intent(group))
    }

    /// The hub answered what was asked for a command.
    pub(super) fn intent_answered(
        &mut self,
        number: u64,
        asked: Option<Request>,
        result: Result<Answer, Refusal>,
    ) -> Result<(), StoreError> {
        let Some(intent) = self.intents.get(&number) else { return Ok(()) };
        self.touched.extend(intent.group().cloned());
        match (intent.command.clone(), result) {
            (Command::CreateGroup(_) | Command::CreateGroupWith(_), result) => {
                self.create_answered(number, asked, result)
            }
            (Command::Invite(_) | Command::Propose(_), Ok(Answer::KeyPackages(clients))) => {
                self.key_packages_claimed(number, clients)
            }
            (Command::ReInit(command), result) => {
                self.reinit_answered(number, &command, asked, result)
            }
            (Command::Branch(command), result) => {
                self.branch_answered(number, &command, asked, result)
            }
            (Command::Restart(former), result) => {
                self.restart_answered(number, &former, asked, result)
            }
            (Command::Join(room), Ok(Answer::GroupFound(found))) => {
                self.join_found(number, room, found.group)
            }
            (Command::Knock(_) | Command::RevokeDevice(_), Ok(Answer::Done)) => {
                self.done(number, None)
            }
            (Command::DenyKnock(deny), Ok(Answer::Done)) => self.done(number, Some(deny.group)),
            (Command::Leave(group), Ok(_) | Err(Refusal::UnknownGroup)) => {
                self.left(&group, number)
            }
            (_, Err(refusal)) => self.fail(number, format!("the hub refuses: {refusal}")),
            (_, Ok(_)) => self.fail(number, "the hub answered something else than was asked"),
        }
    }
}

#[cfg(test)]
crate::codec_properties::hold!(
    Intent,
    Stage,
    Inviting,
    StoredResult,
    StartingAnew,
    Restarting,
    Branching
);
