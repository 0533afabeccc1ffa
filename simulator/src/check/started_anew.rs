//! What follows a ReInit has everybody in it who was in the group to its end, and it comes, while the clock of
//! the machine lets it.

use mls_core::address::ClientId;
use mls_core::member::StartedAnew;
use mls_core::wire::GroupId;

use crate::failure::{Failure, Rule};
use crate::record::Record;
use crate::world::World;

impl World {
    pub(super) fn check_started_anew(&self) -> Result<(), Failure> {
        for (former, anew) in &self.record.started_anew {
            let ordinal = self.ordinal(former);
            let made = self.record.epochs.contains_key(&anew.successor);
            // Or somebody restarted it.
            let replaced = made || self.record.ended.contains_key(former);
            Rule::Replaced.holds(replaced || self.may_not_follow(anew), || {
                format!("g{ordinal} was ended by {}, and nothing follows it", anew.committer)
            })?;
            let founded = self.record.founded.get(&anew.successor);
            let mut last = self.record.last_members(former).into_iter();
            let absent = founded.and_then(|founded| last.find(|client| !founded.contains(client)));
            Rule::Replaced.holds(absent.is_none(), || {
                format!("{absent:?} was in g{ordinal} to its end, and not in what follows it")
            })?;
        }
        Ok(())
    }

    /// Whether who ended a group cannot make the next one: it is gone, or lost the state, or was put out, or had
    /// passed the machine's clock when it heard that it did.
    fn may_not_follow(&self, anew: &StartedAnew) -> bool {
        let maker = self.record.clients.iter().position(|client| *client == anew.committer);
        let can = maker.is_some_and(|maker| {
            self.counts(maker)
                && !self.record.have_lost.contains(&maker)
                && self.stays(maker, self.rooms_of(&anew.group))
        });
        let at_ms = self.record.ended_by_maker_ms.get(&anew.group);
        !can || !at_ms.is_some_and(|at_ms| self.begins.is_before_today(*at_ms))
    }
}

impl Record {
    /// Who was in the last state of a group that anybody saw.
    fn last_members(&self, group: &GroupId) -> Vec<ClientId> {
        let states = self.states.range((group.clone(), 0)..=(group.clone(), u64::MAX));
        let last = states.last().map(|(_, state)| state.members.clone()).unwrap_or_default();
        last.into_iter().map(|(client, ..)| client).collect()
    }
}
