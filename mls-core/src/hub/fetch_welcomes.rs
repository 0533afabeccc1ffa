//! `FetchWelcomes`: a device asks for the Welcomes that wait, and says which it dealt with.

use std::collections::BTreeSet;

use super::turn::{Stop, Turn, invalid};
use crate::address::UserId;
use crate::limits::{INLINE_BYTES_MAX, WELCOMES_PER_CLIENT_MAX, WELCOMES_PER_FETCH_MAX};
use crate::wire::Answer;
use crate::wire::fetch_welcomes::{FetchWelcomes, Welcomes};

impl Turn<'_> {
    /// At most [`WELCOMES_PER_FETCH_MAX`] that the device does not hold, the oldest first.
    pub(super) fn fetch_welcomes(
        &mut self,
        from: &UserId,
        fetch: &FetchWelcomes,
    ) -> Result<Answer, Stop> {
        let client = from.device(&fetch.device).map_err(invalid)?;
        for id in fetch.acknowledged.iter().take(WELCOMES_PER_CLIENT_MAX) {
            self.drop_welcome(&client, id)?;
        }
        let mut waiting = self.waiting_welcomes(&client, WELCOMES_PER_CLIENT_MAX)?;
        let held: BTreeSet<_> = fetch.held.iter().take(WELCOMES_PER_CLIENT_MAX).collect();
        waiting.retain(|waiting| !held.contains(&waiting.id));
        let more = waiting.len() > WELCOMES_PER_FETCH_MAX;
        waiting.truncate(WELCOMES_PER_FETCH_MAX);
        let mut room = INLINE_BYTES_MAX;
        let mut welcomes = Vec::new();
        for waiting in waiting {
            let Some(welcome) = self.outgoing_welcome(&waiting, room)? else {
                self.drop_welcome(&client, &waiting.id)?;
                continue;
            };
            let inline = welcome.tree.inline_len() + welcome.welcome.inline_len();
            room = room.saturating_sub(inline + welcome.receipt.len());
            welcomes.push(welcome);
        }
        Ok(Answer::Welcomes(Welcomes { welcomes, more }))
    }
}
