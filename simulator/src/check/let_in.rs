//! Who is in a group was let in by somebody, and who was let in came.

use mls_core::address::{RoomAddress, UserId};
use mls_core::member::Command;

use crate::failure::{Failure, Rule};
use crate::record::Given;
use crate::world::World;

impl World {
    pub(super) fn check_let_in(&self) -> Result<(), Failure> {
        for (group, rooms) in &self.groups {
            for view in self.views(group)? {
                let mut users = view.members.iter().map(|client| client.user());
                let stranger = users.find(|user| !self.record.was_let_in(rooms, user));
                Rule::LetIn.holds(stranger.is_none(), || {
                    format!("{stranger:?} is in g{}, and nobody let it in", self.ordinal(group))
                })?;
            }
        }
        for (id, given) in &self.record.commands {
            let seen = self.record.seen.get(&given.device);
            let done = seen.is_some_and(|seen| seen.ended.get(id) == Some(&true));
            if let Command::Invite(invite) = &given.command
                && done
                && !given.unanswered
            {
                let rooms = self.rooms_of(&invite.group);
                let mut users = invite.users.iter();
                let absent = users.find(|user| !self.has_come_in(given, rooms, user));
                Rule::LetIn.holds(absent.is_none(), || {
                    format!("{id} invited {absent:?}, who never came in, and nobody is told")
                })?;
            }
        }
        Ok(())
    }

    /// Whether all devices of an account were added at some time to a group of these rooms.
    fn has_come_in(&self, given: &Given, rooms: &[RoomAddress], user: &UserId) -> bool {
        let same = self.groups.iter().filter(|(_, other)| other.first() == rooms.first());
        let same: Vec<_> = same.map(|(group, _)| group).collect();
        let came = |device: usize| {
            self.record.clients.get(device).is_some_and(|client| {
                same.iter()
                    .any(|group| self.record.added.contains(&((*group).clone(), client.clone())))
            })
        };
        self.devices(user).into_iter().all(came) || self.is_told_of(given.device, user.as_str())
    }
}
