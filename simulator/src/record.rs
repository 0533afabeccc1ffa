//! What was seen in a run, and the promises that can be held against it on the spot.

mod again;
mod coming;
mod fresh_keys;
mod lineage;
mod replaced;
mod room_order;
mod seen;

use std::collections::{BTreeMap, BTreeSet};

use mls_core::address::{ClientId, RoomAddress, UserId};
use mls_core::bridge_group::Order;
use mls_core::door;
use mls_core::engine::sha256;
use mls_core::hub::RoomMessage;
use mls_core::identity::Standing;
use mls_core::member::{
    Command, CommandId, Confirmation, Event, GroupSummary, Input, OutgoingMessage, Output,
    StartedAnew,
};
use mls_core::receipt::{Receipt, ReceiptKind};
use mls_core::wire::{Digest, GroupId};

use crate::begins::Begins;
use crate::failure::{Failure, Rule};
use crate::step::Device;
use coming::Leaf;
use lineage::{Lineage, Point};
pub(crate) use replaced::Restart;
pub(crate) use room_order::Followed;
pub(crate) use seen::Seen;

/// Everything that was seen.
#[derive(Default)]
pub(crate) struct Record {
    pub(crate) begins: Begins,
    pub(crate) clients: Vec<ClientId>,
    pub(crate) seen: BTreeMap<Device, Seen>,
    pub(crate) commands: BTreeMap<CommandId, Given>,
    /// The command that sent each content.
    pub(crate) texts: BTreeMap<Vec<u8>, CommandId>,
    pub(crate) messages: BTreeMap<Digest, Sent>,
    /// Where messages were made that their rooms have perhaps not taken yet.
    made: BTreeMap<Digest, Made>,
    /// What each epoch is to those in it.
    pub(crate) states: BTreeMap<(GroupId, u64), State>,
    /// The commit that ended each epoch.
    pub(crate) ends: BTreeMap<(GroupId, u64), End>,
    /// The epoch in which the hub has each group.
    pub(crate) epochs: BTreeMap<GroupId, u64>,
    /// How many Removes the hub has proposed in each epoch; never two for one leaf.
    pub(crate) proposals: BTreeMap<(GroupId, u64), Proposals>,
    /// The handshake at each place of a group's order.
    places: BTreeMap<(GroupId, u64), Digest>,
    pub(crate) buried: BTreeSet<Device>,
    /// Things may have overtaken others.
    pub(crate) swapped: bool,
    /// Somebody used a PSK that others may lack: these come back, and people are told.
    pub(crate) shut_out: bool,
    /// A group may ask for a PSK of who comes back.
    pub(crate) asks_psk: bool,
    /// Accounts that somebody let into a room, and that need not be in its group.
    pub(crate) guests: BTreeSet<(RoomAddress, UserId)>,
    /// What each device is to a group that it is in.
    pub(crate) followed: BTreeMap<(Device, GroupId), Followed>,
    /// Groups that their rooms ordered at some time.
    pub(crate) rooms_ordered: BTreeSet<GroupId>,
    /// Of those, where somebody heard of a commit too late to follow it: nothing more is promised.
    pub(crate) apart: BTreeSet<GroupId>,
    /// Devices that went while a room ordered the group: others may not know, or have taken it back.
    pub(crate) gone_by_room: BTreeSet<(Device, GroupId)>,
    /// Devices that lost the state of their groups at some time.
    pub(crate) have_lost: BTreeSet<Device>,
    /// Messages that came to a device when it could not be expected to read them any more.
    pub(crate) late: BTreeSet<(Device, Digest)>,
    lineage: Lineage,
    /// The first epoch of a branch that a device heard of too late.
    late_branches: BTreeMap<(Device, GroupId), u64>,
    /// Messages that came to a device, and when they did first.
    came: BTreeMap<(Device, Digest), u64>,
    /// Groups whose rooms have another group now, and since when.
    pub(crate) ended: BTreeMap<GroupId, u64>,
    /// Groups that ended by a ReInit.
    pub(crate) started_anew: BTreeMap<GroupId, StartedAnew>,
    /// When those who ended them heard so.
    pub(crate) ended_by_maker_ms: BTreeMap<GroupId, u64>,
    /// Who was in each group in its epoch 1, as whoever came in there saw it.
    pub(crate) founded: BTreeMap<GroupId, Vec<ClientId>>,
    /// Restarts, by the group that was replaced.
    pub(crate) restarts: BTreeMap<GroupId, Restart>,
    /// The epoch in which each device had a group whose place another one took.
    left_at: BTreeMap<(Device, GroupId), u64>,
    /// Accounts that knocked somewhere, and those of which somebody said no.
    knocked: BTreeSet<UserId>,
    denied: BTreeSet<UserId>,
    /// Knocks that devices have shown.
    knocks: BTreeMap<Device, Vec<(GroupId, UserId)>>,
    /// Accounts that somebody wanted in the group of a room.
    let_in: BTreeSet<(RoomAddress, UserId)>,
    /// Accounts that somebody wanted out of a group, or that left one.
    put_out: BTreeSet<UserId>,
    /// Clients that were ever added to a group.
    pub(crate) added: BTreeSet<(GroupId, ClientId)>,
    leaves: BTreeMap<(GroupId, ClientId), Leaf>,
    /// A group may take nobody without a certificate.
    pub(crate) asks_certificates: bool,
    /// Devices that were refused a certificate.
    pub(crate) refused: BTreeSet<Device>,
    /// Devices that were told of their fresh key in a group, and the key before.
    changing: Vec<(Device, GroupId, Vec<u8>)>,
}

/// A command.
pub(crate) struct Given {
    pub(crate) device: Device,
    pub(crate) number: usize,
    pub(crate) command: Command,
    /// Whoever gave it was not answered: what became of it is not promised.
    pub(crate) unanswered: bool,
    /// Given again after a crash, so that later ones may have come before it.
    pub(crate) again: bool,
    /// The message that it sent.
    pub(crate) message: Option<Digest>,
    /// The signature key in the device's leaf of the group when it was given.
    key_before: Option<Vec<u8>>,
}

/// Where a message was made.
struct Made {
    /// Its sender's leaf, where the room orders the group.
    leaf_by_room: Option<(u32, Vec<u8>)>,
    /// The state.
    point: Option<Point>,
}

/// A message that a room took from its sender.
pub(crate) struct Sent {
    pub(crate) device: Device,
    pub(crate) group: GroupId,
    pub(crate) epoch: u64,
    /// In which epoch the group was when the hub read it last, and whether its sender was in it
    /// each time.
    pub(crate) read: Option<(u64, bool)>,
    /// Its sender's ghost was put out of the room that it was to go to, or the room's group had been
    /// replaced twice.
    pub(crate) dropped: bool,
    /// Whether it is a commit.
    commit: bool,
    /// Its sender's leaf, where the room orders the group.
    pub(crate) leaf_by_room: Option<(u32, Vec<u8>)>,
    /// The state in which it was sent.
    point: Option<Point>,
}

/// Places of an epoch's proposals in the group's order: of all that are posted, and of members'.
#[derive(Default)]
pub(crate) struct Proposals {
    all: BTreeSet<u64>,
    members: BTreeSet<u64>,
}

impl Proposals {
    /// How many are the hub's own.
    pub(crate) fn of_hub(&self) -> usize {
        self.all.difference(&self.members).count()
    }
}

/// The commit that ended an epoch.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) commit: Digest,
    pub(crate) at_ms: u64,
}

/// What an epoch is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State {
    /// Client, leaf index and signature key of each member.
    pub(crate) members: Vec<(ClientId, u32, Vec<u8>)>,
    authenticator: Vec<u8>,
}

impl Record {
    /// Nothing was seen yet of these devices.
    pub(crate) fn of(begins: Begins, clients: Vec<ClientId>) -> Self {
        Self { begins, clients, ..Self::default() }
    }

    pub(crate) fn device(&mut self, device: Device) -> &mut Seen {
        self.seen.entry(device).or_default()
    }

    /// A command is given for the first time.
    pub(crate) fn commanded(
        &mut self,
        device: Device,
        id: &CommandId,
        command: &Command,
        rooms: &[RoomAddress],
    ) {
        self.note_wish(device, command, rooms);
        if let Command::Send(send) = command {
            self.texts.insert(send.content.clone(), id.clone());
        }
        let key_before = command.group().and_then(|group| self.key_of(device, group));
        let (number, command) = (self.commands.len(), command.clone());
        let (unanswered, again, message) = (false, false, None);
        let given = Given { device, number, command, unanswered, again, message, key_before };
        self.commands.insert(id.clone(), given);
    }

    /// The machine lost its power before whoever gave it was answered.
    pub(crate) fn unanswered(&mut self, id: &CommandId) {
        if let Some(given) = self.commands.get_mut(id) {
            given.unanswered = true;
        }
    }

    /// The same is given again.
    pub(crate) fn again(&mut self, id: &CommandId) {
        if let Some(given) = self.commands.get_mut(id) {
            given.again = true;
        }
    }

    pub(crate) fn bury(&mut self, device: Device) {
        self.buried.insert(device);
    }

    /// The device's groups are lost: it is not in them until it says so again.
    pub(crate) fn lose(&mut self, device: Device) {
        self.have_lost.insert(device);
        let groups = std::mem::take(&mut self.device(device).since);
        groups.keys().for_each(|group| self.follows_no_more(device, group));
    }

    /// A member decided: which message was a command's shows where the command ends.
    pub(crate) fn decided(&mut self, input: &Input, outputs: &[Output]) {
        let message = match input {
            Input::Confirmed(Confirmation::Sent(id)) => *id,
            Input::Message(received) => sha256(&received.message),
            _ => return,
        };
        for output in outputs {
            if let Output::Event(record) = output
                && let Event::CommandDone(done) = &record.event
                && let Some(given) = self.commands.get_mut(&done.id)
                && matches!(given.command, Command::Send(_))
            {
                given.message = Some(message);
            }
        }
    }

    /// A member gave out a message, perhaps again.
    pub(crate) fn makes(&mut self, device: Device, message: &OutgoingMessage) {
        if !self.made.contains_key(&message.id) {
            let made = self.place(device, message);
            self.made.insert(message.id, made);
        }
    }

    /// Where the member is in the epoch of a message of its own.
    fn place(&self, device: Device, message: &OutgoingMessage) -> Made {
        let (group, epoch) = (&message.group, message.epoch);
        let followed = self.followed.get(&(device, group.clone()));
        let by_room = followed.filter(|f| f.by_room_since.is_some_and(|since| since <= epoch));
        let leaf_by_room = by_room.and_then(|f| f.leaf(self.clients.get(device)));
        Made { leaf_by_room, point: self.lineage.point(device, group, epoch) }
    }

    /// A room took a message from its sender, who may have gone to another branch since it was made.
    pub(crate) fn posted(&mut self, device: Device, message: &OutgoingMessage) {
        let (group, epoch) = (message.group.clone(), message.epoch);
        let commit = door::commit_from_room(&message.message, &group, message.suite.into());
        let commit = commit.is_ok_and(|commit| commit.is_some());
        let made = self.made.remove(&message.id);
        let Made { leaf_by_room, point } = made.unwrap_or_else(|| self.place(device, message));
        let (read, dropped) = (None, false);
        let sent = Sent { device, group, epoch, read, dropped, commit, leaf_by_room, point };
        self.messages.insert(message.id, sent);
    }

    /// The hub reads a message in a room, of whose groups it knows some, while its sender has a leaf in the
    /// group, or not.
    pub(crate) fn hub_reads(&mut self, message: &RoomMessage, users: &[UserId], known: &[GroupId]) {
        let inside = users.contains(&message.sender);
        if let Some(sent) = self.messages.get_mut(&sha256(&message.message)) {
            sent.dropped |= sent.read.is_none() && !known.contains(&sent.group);
            let epoch = self.epochs.get(&sent.group).copied().unwrap_or(0);
            sent.read = Some((epoch, inside && sent.read.is_none_or(|(_, was)| was)));
        }
    }

    /// A copy of a message found no ghost to post it.
    pub(crate) fn dropped(&mut self, message: Digest) {
        if let Some(sent) = self.messages.get_mut(&message) {
            sent.dropped = true;
        }
    }

    /// The hub signed a receipt, which `answers` who made the handshake or is posted. Whether it is
    /// that of a new commit.
    pub(crate) fn accepted(&mut self, receipt: &[u8], answers: bool) -> Result<bool, Failure> {
        let broken = |error| Rule::OneWinner.broken(format!("a receipt is broken: {error}"));
        let tbs = Receipt::from_bytes(receipt).map_err(broken)?.tbs;
        let place = (tbs.group.clone(), tbs.seq);
        if tbs.kind == ReceiptKind::Proposal {
            let seqs = self.proposals.entry((tbs.group.clone(), tbs.epoch)).or_default();
            if answers {
                seqs.members.insert(tbs.seq)
            } else {
                seqs.all.insert(tbs.seq)
            };
        }
        if !self.places.contains_key(&place) {
            self.check_ended(&tbs)?;
        }
        let first = *self.places.entry(place).or_insert(tbs.message_hash);
        Rule::OneWinner.holds(first == tbs.message_hash, || {
            format!("two handshakes have receipts for seq {}", tbs.seq)
        })?;
        if tbs.kind == ReceiptKind::Group {
            // What follows a ReInit begins with everybody in it. It may be said again, late.
            let epoch = self.epochs.entry(tbs.group.clone()).or_default();
            *epoch = tbs.epoch.max(*epoch);
        }
        if tbs.kind != ReceiptKind::Commit {
            return Ok(false);
        }
        let end = End { commit: tbs.message_hash, at_ms: tbs.time_ms };
        let known = self.ends.insert((tbs.group.clone(), tbs.epoch), end);
        Rule::OneWinner.holds(known.is_none_or(|known| known == end), || {
            format!("two commits won epoch {}", tbs.epoch)
        })?;
        let epoch = self.epochs.entry(tbs.group).or_insert(0);
        *epoch = (*epoch).max(tbs.epoch + 1);
        Ok(known.is_none())
    }

    /// How a member sees a group: as everybody sees it who is, or was, in that epoch, if the hub
    /// orders it.
    pub(crate) fn state(
        &mut self,
        device: Device,
        summary: GroupSummary,
        authenticator: Vec<u8>,
        now_ms: u64,
    ) -> Result<(), Failure> {
        let (epoch, order) = (summary.epoch, summary.order);
        for member in &summary.members {
            let until_s = match member.standing {
                Standing::Vouched { until_s } => until_s,
                Standing::Unvouched | Standing::Revoked => 0,
            };
            self.sees_leaf(&summary.group, &member.client, &member.signature_key, until_s, now_ms);
        }
        let member = |m: mls_core::member::MemberSummary| (m.client, m.leaf_index, m.signature_key);
        let members = summary.members.into_iter().map(member).collect();
        let state = State { members, authenticator };
        self.follows(device, &summary.group, (order, epoch), &state, now_ms);
        self.lineage.enters(device, &summary.group, (epoch, state.authenticator.clone()));
        if order == Order::Room {
            // Branches differ until everybody has heard of all commits.
            return Ok(());
        }
        let first = self.states.entry((summary.group, epoch)).or_insert_with(|| state.clone());
        Rule::SameState.holds(*first == state, || {
            let secrets = first.authenticator == state.authenticator;
            format!(
                "d{device} sees in epoch {epoch} {:?}, somebody else {:?}; authenticators {}",
                state.members.iter().map(|(c, i, _)| format!("{c} at {i}")).collect::<Vec<_>>(),
                first.members.iter().map(|(c, i, _)| format!("{c} at {i}")).collect::<Vec<_>>(),
                if secrets { "agree" } else { "differ" },
            )
        })
    }
}
