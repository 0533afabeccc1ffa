//! An input for a member: decided, committed, acted on; and the end of its process amid that.

use mls_core::address::Network;
use mls_core::engine::sha256;
use mls_core::member::{Command, CommandId, Event, Input, OutgoingMessage, Output};
use mls_core::wire::Request;

use crate::crash::{Armed, Crash, Fate};
use crate::failure::{Failure, Rule};
use crate::member_node::Chore;
use crate::step::Device;
use crate::tell;
use crate::world::World;

/// What is handed over last may come again after a new start: at most so much.
const REPEATED_MAX: u64 = 4;

impl World {
    /// One input; its writes are synced when this returns.
    pub(crate) fn give(&mut self, device: Device, input: Input) -> Result<Fate, Failure> {
        let (fate, _) = self.give_one(device, input)?;
        self.see(device)?.disk.sync();
        Ok(fate)
    }

    /// Commands that are given at once share a sync; none is answered before it.
    pub(crate) fn command(
        &mut self,
        device: Device,
        commands: Vec<(CommandId, Command)>,
    ) -> Result<(), Failure> {
        let mut waiting = commands.into_iter();
        let (mut given, mut again) = (Vec::new(), Vec::new());
        for (id, command) in waiting.by_ref() {
            let (_, crash) = self.give_one(device, Input::Command(id.clone(), command.clone()))?;
            given.push((id, command));
            match crash {
                None => {}
                // Whether they were carried out is not known, and they are not given again.
                Some(Crash::Power) => {
                    given.drain(..).for_each(|(id, _)| self.record.unanswered(&id));
                    break;
                }
                Some(_) => {
                    again.append(&mut given);
                    break;
                }
            }
        }
        again.extend(waiting);
        again.iter().for_each(|(id, _)| self.record.again(id));
        let inputs = again.into_iter().map(|(id, command)| Input::Command(id, command));
        self.mailbox(device).account.extend(inputs);
        self.see(device)?.disk.sync();
        Ok(())
    }

    fn give_one(&mut self, device: Device, input: Input) -> Result<(Fate, Option<Crash>), Failure> {
        self.figures.inputs += 1;
        let now_ms = self.now_ms;
        self.record.waits_for_hub(device, now_ms);
        let node = self.node(device)?;
        let crash = Armed::input(&mut node.armed);
        tell::comes(now_ms, format_args!("d{device}"), &input, crash);
        let outcome = node.member.handle(now_ms, input.clone())?;
        tell::goes(format_args!("d{device}"), &outcome.outputs);
        if crash == Some(Crash::Before) {
            self.restart(device)?;
            return Ok((Fate::Undone, crash));
        }
        if let Input::Message(received) = &input {
            self.record.comes(device, sha256(&received.message), now_ms);
        }
        let node = self.node(device)?;
        node.disk.commit(outcome.writes);
        if outcome.durability == mls_core::member::Durability::Synced {
            node.disk.sync();
        }
        self.record.decided(&input, &outcome.outputs);
        self.record.takes_back(device, &outcome.outputs);
        let made = messages(&outcome.outputs);
        let mut outputs = self.in_order(device, outcome.outputs)?;
        let moved = |output: &Output| match output {
            Output::Event(record) => matches!(record.event, Event::Epoch(_) | Event::Joined(_)),
            _ => false,
        };
        let moved = outputs.iter().any(moved);
        match crash {
            None | Some(Crash::Power) => {}
            Some(Crash::Amid) => outputs.truncate(outputs.len() / 2),
            Some(Crash::Before | Crash::After) => outputs.clear(),
        }
        self.act(device, outputs)?;
        match crash {
            Some(Crash::Power) => self.lose_power(device)?,
            Some(_) => self.restart(device)?,
            None => {}
        }
        if moved {
            self.look_at_groups(device)?;
        }
        made.iter().for_each(|message| self.record.makes(device, message));
        Ok((if crash.is_some() { Fate::Unanswered } else { Fate::Done }, crash))
    }

    /// The process is killed and begins again.
    fn restart(&mut self, device: Device) -> Result<(), Failure> {
        self.figures.crashes += 1;
        self.begin(device)
    }

    /// What is in the rooms stays there; what was not synced is gone.
    fn lose_power(&mut self, device: Device) -> Result<(), Failure> {
        let rooms: Vec<_> = self.see(device)?.posts.keys().cloned().collect();
        if self.see(device)?.online() {
            for room in rooms {
                while self.post(device, &room, false)? {}
            }
        }
        self.see(device)?.disk.lose_power();
        self.record.forgets_key(device);
        self.restart(device)
    }

    /// The process begins, and does again what it had not finished.
    pub(crate) fn begin(&mut self, device: Device) -> Result<(), Failure> {
        let repeated = usize::try_from(self.figures.crashes % REPEATED_MAX).unwrap_or(0);
        let node = self.node(device)?;
        node.reopen()?;
        for feed in node.feeds.values_mut() {
            feed.next = feed.next.saturating_sub(repeated);
            feed.ahead.clear();
        }
        let (network, outputs) = (node.network(), node.member.pending()?);
        let outputs = self.in_order(device, outputs)?;
        self.act(device, outputs)?;
        let mailbox = self.mailbox(device);
        if network == Network::Xmpp {
            // The answers to a stream that has ended.
            mailbox.mail.retain(|input| !matches!(input, Input::Answer(..)));
        }
        self.connect(device)
    }

    /// The order of requests is that of their random ids, or none: here it is made the same in
    /// every run of a seed.
    fn in_order(&mut self, device: Device, outputs: Vec<Output>) -> Result<Vec<Output>, Failure> {
        let is_request = |output: &Output| matches!(output, Output::Request(..));
        let (mut requests, mut ordered): (Vec<_>, Vec<_>) =
            outputs.into_iter().partition(is_request);
        requests.sort_by_key(|output| self.request_rank(output));
        let node = self.node(device)?;
        let mut numbered = Vec::new();
        for output in requests {
            if let Output::Request(_, id, _) = &output {
                let next = node.request_order.len();
                numbered.push((*node.request_order.entry(id.clone()).or_insert(next), output));
            }
        }
        numbered.sort_by_key(|(number, _)| *number);
        ordered.extend(numbered.into_iter().map(|(_, output)| output));
        Ok(ordered)
    }

    fn request_rank(&self, output: &Output) -> (u8, usize) {
        let Output::Request(_, _, request) = output else { return (0, 0) };
        match request {
            Request::SubmitCommit(asked) => (1, self.ordinal(&asked.group)),
            Request::FetchHandshakes(asked) => (2, self.ordinal(&asked.group)),
            Request::FetchGroupInfo(asked) => (3, self.ordinal(&asked.group)),
            Request::ClaimKeyPackages(asked) => (4, self.ordinal(&asked.group)),
            Request::LeaveRoom(asked) => (5, self.ordinal(&asked.group)),
            Request::ReportInvalid(asked) => (6, self.ordinal(&asked.group)),
            Request::RegisterGroup(_) => (7, 0),
            Request::CreateRoom(_) => (8, 0),
            Request::FetchWelcomes(_) => (9, 0),
            Request::FindGroup(_) => (10, 0),
            _ => (11, 0),
        }
    }

    fn act(&mut self, device: Device, outputs: Vec<Output>) -> Result<(), Failure> {
        for output in outputs {
            match output {
                Output::Request(_, id, request) => self.ask(device, id, request)?,
                Output::Send(message) => {
                    let posts = &mut self.node(device)?.posts;
                    let queue = posts.entry(message.room.clone()).or_default();
                    if queue.iter().all(|waiting| waiting.id != message.id) {
                        queue.push_back(message);
                    }
                }
                Output::UploadKeyPackages(upload) => {
                    self.chore(device, Chore::Upload(Box::new(upload)))?;
                }
                Output::JoinRoom(room) => self.chore(device, Chore::Enter { room, attempts: 0 })?,
                Output::LeaveRoom(room) => self.chore(device, Chore::Leave { room })?,
                Output::Event(record) => {
                    let number = record.number;
                    self.figures.shown += u64::from(matches!(record.event, Event::Message(_)));
                    self.record.shown(device, record)?;
                    let node = self.node(device)?;
                    let writes = node.member.seen(number);
                    node.disk.commit(writes);
                    node.disk.sync();
                }
            }
        }
        Ok(())
    }

    /// One more thing to do, unless it is being done.
    fn chore(&mut self, device: Device, chore: Chore) -> Result<(), Failure> {
        let same = |other: &Chore| match (other, &chore) {
            (Chore::Enter { room, .. }, Chore::Enter { room: wanted, .. })
            | (Chore::Leave { room }, Chore::Leave { room: wanted }) => room == wanted,
            (Chore::Upload(one), Chore::Upload(other)) => one.id == other.id,
            _ => false,
        };
        let chores = &mut self.node(device)?.chores;
        if !chores.iter().any(same) {
            chores.push_back(chore);
        }
        Ok(())
    }

    /// Compares what a member sees of its groups with what others saw in the same epochs.
    pub(crate) fn look_at_groups(&mut self, device: Device) -> Result<(), Failure> {
        let member = &mut self.node(device)?.member;
        let mut seen = Vec::new();
        for summary in member.groups()? {
            let secret = member.epoch_authenticator(&summary.group)?;
            let secret = secret.ok_or_else(|| Rule::NeverFails.broken("a group without state"))?;
            seen.push((summary, secret.1.to_vec()));
        }
        let now_ms = self.now_ms;
        seen.into_iter()
            .try_for_each(|(summary, secret)| self.record.state(device, summary, secret, now_ms))?;
        self.record.check_fresh_keys(device)
    }
}

/// The messages among what a member gave out.
fn messages(outputs: &[Output]) -> Vec<OutgoingMessage> {
    let message = |output: &Output| match output {
        Output::Send(message) => Some(message.clone()),
        _ => None,
    };
    outputs.iter().filter_map(message).collect()
}
