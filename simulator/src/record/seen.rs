//! What one device showed its user.

use std::collections::{BTreeMap, BTreeSet};

use mls_core::member::{Alarm, CommandId, Event, EventRecord, MessageEvent};
use mls_core::wire::GroupId;

use super::Record;
use crate::failure::{Failure, Rule};
use crate::step::Device;

/// Ends what a device is told that may not come back.
const NOT_IN_GROUP: &str =
    "no way back into the group: the hub refuses: not allowed: this account is not in the group";

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
    /// Groups of which the hub told it that they have ended, or that it is in them no more, where nothing proved
    /// that.
    pub(crate) told_ended: BTreeSet<GroupId>,
    pub(crate) told_out: BTreeSet<GroupId>,
    /// Groups of which it was told that they have fallen apart.
    pub(crate) fell_apart: Vec<GroupId>,
    /// Groups that it has ever been in.
    pub(crate) joined: BTreeSet<GroupId>,
    /// Its commands that were taken back, and the number of the event that says so.
    pub(crate) taken_back: Vec<(u64, CommandId)>,
    /// The numbers of events that say how commands ended.
    pub(crate) ends: Vec<(u64, CommandId)>,
    /// Times that it took epochs of a group back.
    pub(crate) rewound: u64,
}

impl Record {
    /// Whether only others can bring a device into a group again: it lost its state, its account was put out of a
    /// group that its room orders, or another group has the place of that which it follows.
    fn may_need_others(&self, device: Device, group: &GroupId) -> bool {
        self.have_lost.contains(&device)
            || self.gone_by_room.contains(&(device, group.clone()))
            || self.ended.contains_key(group)
            || self.started_anew.contains_key(group)
    }

    /// A device shows something, perhaps again after a new start.
    pub(crate) fn shown(&mut self, device: Device, record: EventRecord) -> Result<(), Failure> {
        let EventRecord { number, event, time_ms } = record;
        if let Some(before) = self.device(device).events.insert(number, event.clone()) {
            return Rule::NothingTwice.holds(before == event, || {
                format!("d{device} gave number {number} to {before:?} and to {event:?}")
            });
        }
        match event {
            Event::Message(message) => self.heard(device, &message)?,
            Event::CommandDone(done) => {
                if !self.device(device).ended.contains_key(&done.id) {
                    self.has_changed_key(device, &done);
                }
                self.ended(device, number, done.id, None)?;
            }
            Event::CommandFailed(failed) => {
                self.ended(device, number, failed.id, Some(failed.why))?
            }
            Event::Joined(joined) => {
                self.gone_by_room.remove(&(device, joined.group.clone()));
                self.lineage.begins_anew(device, &joined.group);
                self.came_long_before(device, &joined.group, time_ms);
                let seen = self.device(device);
                seen.told_out.remove(&joined.group);
                seen.told_ended.remove(&joined.group);
                seen.joined.insert(joined.group.clone());
                if joined.epoch == 1 {
                    self.founded.entry(joined.group.clone()).or_insert(joined.members.clone());
                }
                let came = joined.members.into_iter().map(|client| (joined.group.clone(), client));
                self.added.extend(came);
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
            Event::Warning(warning) => {
                let seen = self.device(device);
                if warning.text.contains("put out: it has ended") {
                    seen.told_ended.insert(warning.group);
                } else if warning.text.ends_with(NOT_IN_GROUP) {
                    seen.told_out.insert(warning.group);
                }
                seen.warnings.push(warning.text);
            }
            // The hub has one authority, always the same.
            Event::AnchorsChanged(changed) => {
                self.device(device).warnings.push(format!("{changed:?}"));
            }
            Event::Alarm(alarm) => match alarm.alarm {
                Alarm::NoCheckpoints(_) | Alarm::MessagesMissing(_) => {}
                Alarm::FellApart(_) if self.has_waited(device, &alarm.group, time_ms) => {}
                Alarm::FellApart(_) => self.device(device).fell_apart.push(alarm.group),
                Alarm::ReAddNeeded(_) if self.may_need_others(device, &alarm.group) => {}
                // This hub and these members never lie: nobody may be accused.
                strange => self.device(device).warnings.push(format!("{strange:?}")),
            },
            Event::Rewound(rewound) => {
                let seen = self.device(device);
                seen.rewound += 1;
                seen.taken_back.extend(rewound.again.into_iter().map(|id| (number, id)));
            }
            Event::Epoch(epoch) => {
                let end = epoch.epoch.checked_sub(1);
                let end = end.and_then(|ended| self.ends.get(&(epoch.group.clone(), ended)));
                self.check_going(&epoch, end.map_or(time_ms, |end| end.at_ms))?;
            }
            Event::Restarted(restarted) => self.restarted(device, restarted)?,
            Event::Knocked(knocked) => self.shows_knock(device, knocked)?,
            Event::KnockDenied(_) => self.is_denied(device)?,
            Event::StartedAnew(anew) => {
                self.leaves_for_next(device, &anew.group);
                if self.clients.get(device) == Some(&anew.committer) {
                    self.ended_by_maker_ms.insert(anew.group.clone(), time_ms);
                }
                self.started_anew.insert(anew.group.clone(), anew);
            }
            Event::KeyPackagesPublished(_)
            | Event::DeviceWaiting(_)
            | Event::DeviceCertified(_)
            | Event::LoneDevice(_)
            | Event::HeardFrom(_) => {}
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

    fn ended(
        &mut self,
        device: Device,
        number: u64,
        id: CommandId,
        why: Option<String>,
    ) -> Result<(), Failure> {
        let seen = self.device(device);
        seen.ends.push((number, id.clone()));
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
