//! What must be true once everything is at rest.

mod again;
mod certificates;
mod groups;
mod let_in;
mod messages;
mod replaced;
mod room_groups;
mod started_anew;

use mls_core::member::{Command, ProposeCommand, Wish};
use mls_core::wire::GroupId;

use crate::failure::{Failure, Rule};
use crate::record::Given;
use crate::step::Device;
use crate::world::World;

/// Beginnings of warnings that are true whatever the network does: they tell of what happened.
const WARNINGS: [&str; 12] = [
    // One that was on its way when its maker was removed.
    "a commit was refused: the hub refuses: not allowed: this account is not in the group",
    // The same, while everybody else was removed as well.
    "a commit was refused: the hub refuses: not allowed: everybody left the group",
    // The hub does not know a device that was removed.
    "the hub does not tell how the group goes on",
    "no way back into the group",
    "this device lost the group's state",
    "not everybody could be added",
    // Who was put out before a Welcome, or a command, could bring them in.
    "the room ",
    "a Welcome was refused: the key package",
    // Who was put out of the room that orders a group.
    "a commit was refused: we are not in the room",
    "the hub has a new key, for which its old one has signed",
    // Of who took fresh keys everywhere.
    "the homeserver gives no one-time key packages back",
    // Of who was away from it, or was refused a certificate, for more than a day.
    "the hub gives no fresh list of revoked certificates",
];
/// Of the way back into a group that does not name the hub's newest key yet.
const OTHER_HUB: &str = "no way back into the group: it is ordered by another hub";
/// And of what shuts out who lacks a PSK.
const SHUT_OUT: [&str; 3] = ["a commit (seq ", "cannot process handshake ", "ReAddNeeded"];
/// And of a Welcome into what took a group's place by somebody who did not bring the key of before, for
/// only who restarts a group does, or who was no admin: whom others add is told what to do.
const TO_ASK: [&str; 2] = ["had another key in that: ask them", NO_ADMIN];
const NO_ADMIN: &str = "an admin of it has to remove this device there, and invite it again";

/// Of a certificate that the authority refuses.
const REFUSED: [&str; 2] =
    ["this device gets no certificate", "no certificate for this group's key"];
/// And of what a group that takes no other leaves refuses then: it names the device itself.
const NO_PLACE: &str =
    "a commit was refused: the hub refuses: invalid commit: this group takes only certificates";

impl World {
    /// Holds every promise against what was seen.
    pub(crate) fn check(&mut self) -> Result<(), Failure> {
        for device in 0..self.nodes.len() {
            self.look_at_groups(device)?;
        }
        self.check_commands()?;
        self.check_groups()?;
        self.check_restarts()?;
        self.check_started_anew()?;
        self.check_let_in()?;
        self.check_again()?;
        self.check_certificates()?;
        self.check_messages()?;
        self.check_warnings()
    }

    fn check_commands(&self) -> Result<(), Failure> {
        for (id, given) in &self.record.commands {
            let ended = self.record.seen.get(&given.device).and_then(|seen| seen.ended.get(id));
            let excused = given.unanswered
                || self.record.buried.contains(&given.device)
                || self.is_shut_out(given.device)
                || self.waits_for_new_keys(given.device)
                || self.waits_for_ever(given.device, &given.command)?;
            Rule::CommandsEnd.holds(ended.is_some() || excused, || {
                format!("{id}, {:?}, has not ended", given.command)
            })?;
        }
        Ok(())
    }

    /// Whether a device knows a newer key of the hub than the group, in which others hear of it within a
    /// day: until then it has no way back.
    pub(crate) fn waits_for_new_keys(&self, device: Device) -> bool {
        let last = self.record.seen.get(&device).and_then(|seen| seen.warnings.last());
        last.is_some_and(|warning| warning.starts_with(OTHER_HUB))
    }

    /// Whether a device was told that it stays out of what took its group's place, until it has asked.
    pub(crate) fn is_to_ask(&self, device: Device) -> bool {
        let told = |seen: &crate::record::Seen| seen.warnings.iter().any(|w| is_to_ask(w));
        self.record.seen.get(&device).is_some_and(told)
    }

    /// A device that is to be removed says nothing more; where all are, nobody commits that.
    fn waits_for_ever(&self, device: Device, command: &Command) -> Result<bool, Failure> {
        let Some(former) = command.group() else { return Ok(false) };
        let group = self.latest(former);
        // Who is not in the group that took the place is told elsewhere, or its maker is.
        let stays_behind = self.stays_behind(device, former)?;
        if stays_behind || self.record.is_excused(group) || self.waits_to_go(device, group)? {
            return Ok(true);
        }
        Ok(self.staying(self.ordinal(group))?.is_empty())
    }

    /// Whether somebody proposed to remove a device, and only devices that are gone for ever could commit that:
    /// it may not, and says nothing before somebody does (RFC 9420 12.4).
    fn waits_to_go(&self, device: Device, group: &GroupId) -> Result<bool, Failure> {
        let user = self.see(device)?.user();
        let proposes = |given: &Given| match &given.command {
            Command::Propose(ProposeCommand { group: of, wish: Wish::Remove(users) }) => {
                of == group && users.contains(&user)
            }
            _ => false,
        };
        let views = self.views(group)?;
        let own = views.iter().find(|view| view.device == device);
        let alone = own.is_some_and(|own| {
            own.members.iter().all(|client| self.is_buried(client) || client.user() == user)
        });
        Ok(alone && self.record.commands.values().any(proposes))
    }

    fn check_warnings(&self) -> Result<(), Failure> {
        for (device, seen) in &self.record.seen {
            let refused = self.record.refused.contains(device);
            let own = self.record.clients.get(*device).map(|own| format!("{own} has none of them"));
            let no_place = |w: &str| {
                w.starts_with(NO_PLACE) && own.as_ref().is_some_and(|own| w.contains(own))
            };
            let told = |w: &str| {
                refused && (REFUSED.iter().any(|known| w.starts_with(known)) || no_place(w))
            };
            let shut_out = self.record.shut_out;
            let by_maker = seen.warnings.iter().find(|w| self.refuses_a_maker(w));
            let strange = seen.warnings.iter().find(|w| is_strange(w, shut_out) && !told(w));
            let strange = by_maker.or(strange);
            Rule::NoFalseAlarm.holds(strange.is_none(), || {
                format!("d{device} warns: {}", strange.cloned().unwrap_or_default())
            })?;
            let wrong = seen.fell_apart.iter().find(|group| !self.record.is_excused(group));
            Rule::NoFalseAlarm.holds(wrong.is_none(), || {
                let group = wrong.map_or(0, |group| self.ordinal(group));
                format!("d{device} is told that g{group} fell apart, and all came in time")
            })?;
        }
        Ok(())
    }

    /// Whether a device belongs to what is promised: it was not lost for ever.
    pub(crate) fn counts(&self, device: Device) -> bool {
        !self.record.buried.contains(&device)
    }
}

fn is_strange(warning: &str, shut_out: bool) -> bool {
    let known = WARNINGS.iter().any(|known| warning.starts_with(known));
    let excused = shut_out && SHUT_OUT.iter().any(|known| warning.contains(known));
    !known && !excused && !is_to_ask(warning)
}

fn is_to_ask(warning: &str) -> bool {
    TO_ASK.iter().any(|what| warning.ends_with(what))
}
