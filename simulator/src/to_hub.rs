//! An input for the hub: decided, committed with its outbox; and the end of its process amid that.

use mls_core::hub::{self, Effect, Reply};
use mls_core::receipt::Receipt;
use mls_core::store::Write;
use mls_core::wire::Answer;
use mls_rs_codec::MlsDecode;

use crate::crash::{Armed, Crash, Fate};
use crate::failure::Failure;
use crate::hub_node::{HubNode, Lane};
use crate::tell;
use crate::world::World;

impl World {
    /// One input.
    pub(crate) fn hub_takes(&mut self, input: hub::Input) -> Result<Fate, Failure> {
        self.figures.inputs += 1;
        if let hub::Input::Message(message) = &input {
            let users = self.hub.hub.users_in(&message.room)?;
            // The hub knows a room's group, and the one before it.
            let of_room =
                self.groups.iter().rev().filter(|(_, rooms)| rooms.contains(&message.room));
            let known: Vec<_> = of_room.take(2).map(|(group, _)| group.clone()).collect();
            self.record.hub_reads(message, &users, &known);
        }
        let crash = Armed::input(&mut self.hub.armed);
        tell::comes(self.now_ms, "hub", &input, crash);
        let outcome = self.hub.hub.handle(self.now_ms, input)?;
        tell::goes("hub", &outcome.effects);
        if crash == Some(Crash::Before) {
            self.restart_hub()?;
            return Ok(Fate::Undone);
        }
        for write in &outcome.writes {
            self.note_handshake(write)?;
        }
        self.hub.disk.commit(outcome.writes);
        self.hub.disk.sync();
        for effect in outcome.effects {
            self.note(&effect)?;
            let lane = self.lane(&effect);
            self.hub.outbox.entry(lane).or_default().push_back(effect);
        }
        match crash {
            Some(_) => self.restart_hub().map(|()| Fate::Unanswered),
            None => Ok(Fate::Done),
        }
    }

    /// The hub's process is killed and begins again.
    pub(crate) fn restart_hub(&mut self) -> Result<(), Failure> {
        self.figures.crashes += 1;
        Ok(self.hub.reopen()?)
    }

    /// What an effect says of a group's order.
    fn note(&mut self, effect: &Effect) -> Result<(), Failure> {
        match effect {
            Effect::BindRoom(bind) => {
                self.record.bound(&bind.group, &bind.room, &self.groups, self.now_ms);
                match self.groups.iter_mut().find(|(group, _)| *group == bind.group) {
                    Some((_, rooms)) => rooms.push(bind.room.clone()),
                    None => self.groups.push((bind.group.clone(), vec![bind.room.clone()])),
                }
                Ok(())
            }
            Effect::Answer(answer) => match &answer.reply {
                Reply::Ok(Answer::Receipt(receipt)) => self.accepted(receipt, true),
                Reply::Ok(Answer::Credential(_)) => {
                    self.figures.certificates += 1;
                    Ok(())
                }
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// The hub's own log: what it posts is sealed.
    fn note_handshake(&mut self, write: &Write) -> Result<(), Failure> {
        match write {
            Write::Put { space: "handshake", value, .. } => {
                let receipt = Receipt::mls_decode(&mut value.as_slice());
                let receipt = receipt.ok().and_then(|receipt| receipt.to_bytes().ok());
                self.accepted(&receipt.unwrap_or_default(), false)
            }
            _ => Ok(()),
        }
    }

    fn accepted(&mut self, receipt: &[u8], answers: bool) -> Result<(), Failure> {
        self.figures.commits += u64::from(self.record.accepted(receipt, answers)?);
        Ok(())
    }

    fn lane(&mut self, effect: &Effect) -> Lane {
        let of_client = |world: &Self, client| {
            world.nodes.iter().position(|node| node.client == client).unwrap_or(usize::MAX)
        };
        match effect {
            Effect::Answer(answer) => Lane::To(HubNode::device(&answer.to).unwrap_or(usize::MAX)),
            Effect::Notify(notify) => Lane::To(of_client(self, notify.to.clone())),
            Effect::PostHandshake(post) => Lane::In(post.room.clone()),
            Effect::Relay(relay) => Lane::In(relay.room.clone()),
            Effect::BindRoom(bind) => Lane::In(bind.room.clone()),
            Effect::Admit(admit) => Lane::In(admit.room.clone()),
            Effect::Expel(expel) => Lane::In(expel.room.clone()),
            Effect::MakeRooms(make) => Lane::Job(self.hub.job(&make.job)),
            Effect::ClaimMatrix(claim) => Lane::Job(self.hub.job(&claim.job)),
            Effect::QueryDevice(query) => Lane::Job(self.hub.job(&query.job)),
            Effect::ListDevices(list) => Lane::Job(self.hub.job(&list.job)),
        }
    }
}
