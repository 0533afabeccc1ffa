//! Commands whose commits a room took back: they are done again, under an id of their own where they
//! had ended.

use mls_core::member::CommandId;

use super::{Given, Record, Seen};
use crate::step::Device;

/// Begins the id of a command that is done again.
const AGAIN: &str = "again:";

/// The command that was given, behind the id of one that is done again.
fn first(id: &CommandId) -> &str {
    let again = id.strip_prefix(AGAIN).and_then(|rest| rest.split_once(':'));
    again.map_or(id.as_str(), |(_, first)| first)
}

impl Record {
    /// A command of a device that was taken back and did not end after that.
    pub(crate) fn not_done_again(&self, device: Device) -> Option<&Given> {
        let seen = self.seen.get(&device)?;
        let ends_later = |at: u64, id: &CommandId| {
            seen.ends.iter().any(|(number, ended)| *number > at && first(ended) == first(id))
        };
        let mut taken_back = seen.taken_back.iter();
        let (_, id) = taken_back.find(|(at, id)| !ends_later(*at, id))?;
        self.commands.get(first(id))
    }

    /// A command of a device that was done again more often than it was taken back.
    pub(crate) fn done_too_often(&self, device: Device) -> Option<CommandId> {
        let seen = self.seen.get(&device)?;
        let again: std::collections::BTreeSet<_> =
            seen.ended.keys().filter(|id| id.starts_with(AGAIN)).collect();
        let times = |id: &str| again.iter().filter(|other| first(other) == id).count();
        let taken_back = |id: &str| seen.taken_back.iter().filter(|(_, o)| first(o) == id).count();
        let too_often = again.iter().find(|id| times(first(id)) > taken_back(first(id)));
        too_often.map(|id| (*id).clone())
    }
}

impl Seen {
    /// How many commands were done under an id of their own, since a room took their commits back.
    pub(crate) fn done_again(&self) -> usize {
        self.ended.iter().filter(|(id, done)| id.starts_with(AGAIN) && **done).count()
    }
}
