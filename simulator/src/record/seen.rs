//! What one device showed its user.

use std::collections::{BTreeMap, BTreeSet};

use mls_core::member::{Alarm, CommandId, Event, EventRecord, MessageEvent};
use mls_core::wire::GroupId;

use super::Record;
use crate::failure::{Failure, Rule};
use crate::step::Device;

/// Everything that a device showed.
#[derive(Default)]
pub(crate) struct Seen {
    events: BTreeMap<u64, Event>,
    /// Messages by the commands that sent them, in order.
    pub(crate) heard: Vec<CommandId>,
    heard_once: BTreeSet<CommandId>,
    /// Groups that it is in, and since which epoch without a break.
    pub(crate) since: BTreeMap<GroupId, u64>,
    /// How each command ended.
    pub(crate) ended: BTreeMap<CommandId, bool>,
    pub(crate) failures: BTreeMap<CommandId, String>,
    /// What could not be read: group, epoch, why, and since when the device was in the group.
    pub(crate) unreadable: Vec<(GroupId, u64, String, Option<u64>)>,
    pub(crate) warnings: Vec<String>,
    /// Groups of which it was told that they have fallen apart.
    pub(crate) fell_apart: Vec<GroupId>,
    /// Times that it took epochs of a group back.
    pub(crate) rewound: u64,
}

impl Record {
    /// A device shows something, perhaps again after a new start.
    pub(crate) fn shown(&mut self, device: Device, record: EventRecord) -> Result<(), Failure> {
        let EventRecord { number, event, .. } = record;
        if let Some(before) = self.device(device).events.insert(number, event.clone()) {
            return Rule::NothingTwice.holds(before == event, || {
                format!("d{device} gave number {number} to {before:?} and to {event:?}")
            });
        }
        match event {
            Event::Message(message) => self.heard(device, &message)?,
            Event::CommandDone(done) => {
                self.has_changed_key(device, &done);
                self.ended(device, done.id, None)?;
            }
            Event::CommandFailed(failed) => self.ended(device, failed.id, Some(failed.why))?,
            Event::Joined(joined) => {
                self.gone_by_room.remove(&(device, joined.group.clone()));
                self.device(device).since.insert(joined.group, joined.epoch);
            }
            Event::Removed(removed) => {
                self.device(device).since.remove(&removed.group);
                self.follows_no_more(device, &removed.group);
            }
            Event::Undecryptable(bad) => {
                let seen = self.device(device);
                let since = seen.since.get(&bad.group).copied();
                seen.unreadable.push((bad.group, bad.epoch, bad.why, since));
            }
            Event::Warning(warning) => self.device(device).warnings.push(warning.text),
            Event::Alarm(alarm) => match alarm.alarm {
                Alarm::NoCheckpoints(_) | Alarm::MessagesMissing(_) => {}
                Alarm::FellApart(_) => self.device(device).fell_apart.push(alarm.group),
                Alarm::ReAddNeeded(_)
                    if self.gone_by_room.contains(&(device, alarm.group.clone())) => {}
                // This hub and these members never lie: nobody may be accused.
                strange => self.device(device).warnings.push(format!("{strange:?}")),
            },
            Event::Rewound(_) => self.device(device).rewound += 1,
            Event::Epoch(_)
            | Event::KeyPackagesPublished(_)
            | Event::DeviceWaiting(_)
            | Event::HeardFrom(_)
            | Event::Restarted(_)
            | Event::Knocked(_)
            | Event::KnockDenied(_)
            | Event::StartedAnew(_) => {}
        }
        Ok(())
    }

    fn heard(&mut self, device: Device, message: &MessageEvent) -> Result<(), Failure> {
        let unknown = || Rule::RightSender.broken(format!("d{device} shows what nobody sent"));
        let id = self.texts.get(&message.content).cloned().ok_or_else(unknown)?;
        let sender = self.commands.get(&id).map(|given| given.device);
        let client = sender.and_then(|sender| self.clients.get(sender));
        let shown = &message.sender;
        Rule::RightSender.holds(client == Some(&shown.client), || {
            format!("d{device} shows the message of {id} under {}", shown.client)
        })?;
        Rule::RightSender.holds(shown.network_says.is_none(), || {
            format!("d{device} shows the message of {id} with a doubt: {:?}", shown.network_says)
        })?;
        let seen = self.device(device);
        Rule::NothingTwice.holds(seen.heard_once.insert(id.clone()), || {
            format!("d{device} shows the message of {id} twice")
        })?;
        seen.heard.push(id);
        Ok(())
    }

    fn ended(&mut self, device: Device, id: CommandId, why: Option<String>) -> Result<(), Failure> {
        let seen = self.device(device);
        let done = why.is_none();
        let before = seen.ended.insert(id.clone(), done);
        Rule::CommandsEnd.holds(before.is_none_or(|before| before == done), || {
            format!("{id} of d{device} was done and has failed")
        })?;
        seen.failures.extend(why.map(|why| (id, why)));
        Ok(())
    }
}

impl Seen {
    /// Whether it showed the message that a command sent.
    pub(crate) fn has_heard(&self, id: &CommandId) -> bool {
        self.heard_once.contains(id)
    }
}
