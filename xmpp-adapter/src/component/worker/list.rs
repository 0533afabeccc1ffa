//! The list of a room, read after entering it: who is on it, and who is missing.

use mls_core::address::{RoomAddress, UserId};
use mls_core::hub::{Incoming as HubIncoming, Input};
use tokio::time::sleep;

use super::Worker;
use crate::component::Shared;
use crate::limits::{ENTER_AGAIN, ENTER_AGAIN_LAST};
use crate::mapping::affiliation::{self, LISTED, Standing};
use crate::mapping::stanza::domain;
use crate::session::Failure;

/// A room's list, as it was read, or why it was not; then it is tried again.
pub(super) struct ListRead {
    room: String,
    read: Result<Vec<Standing>, Failure>,
}

impl Worker {
    /// Reads the three lists of who may be in the room.
    pub(super) fn read_list(&self, room: String) {
        self.shared.affiliations().begin(&room);
        let (shared, lists) = (self.shared.clone(), self.lists_out.clone());
        tokio::spawn(async move {
            let mut wait = ENTER_AGAIN;
            while shared.session.is_up() && shared.affiliations().follows(&room) {
                let read = read_list(&shared, &room).await;
                let done = read.is_ok();
                if lists.send(ListRead { room: room.clone(), read }).await.is_err() || done {
                    return;
                }
                sleep(wait).await;
                wait = (wait * 2).min(ENTER_AGAIN_LAST);
            }
        });
    }

    /// Looks at a list.
    pub(super) fn on_list(&mut self, list: ListRead) {
        let room = list.room;
        match list.read {
            _ if !self.rooms.contains(&room) => {}
            Ok(standings) => self.on_whole_list(room, standings),
            Err(failure) => {
                tracing::warn!(room, %failure, "the room's list cannot be read");
                if matches!(&failure, Failure::Refused(error) if !error.is_passing()) {
                    self.says_no(&room, &failure.to_string());
                }
            }
        }
    }

    fn on_whole_list(&mut self, room: String, standings: Vec<Standing>) {
        self.lost.lets_us_in(&room);
        self.shared.affiliations().read(&room, standings);
        let listed = self.shared.affiliations().listed(&room);
        // Before anybody is missed: it may be another room under the same name.
        if !listed.contains(&self.shared.hub_bare()) {
            return self.lose(&room, "the hub is not on its list");
        }
        let people = listed.iter().filter(|jid| domain(jid) != self.shared.setup.domain);
        let users = people.filter_map(|jid| UserId::xmpp(jid).ok()).collect();
        let input = Input::Listed { room: RoomAddress::xmpp(&*room), users };
        self.handover.push_for_room(HubIncoming::Input(input), &room);
        let missing = self.shared.ghosts().missing(&room, &listed);
        missing.iter().for_each(|ghost| self.ghost_put_out(&room, ghost));
        let (shared, wanted) = (self.shared.clone(), self.shared.ghosts().wanted(&room));
        tokio::spawn(async move {
            for user in wanted {
                if let Err(error) = shared.ghost_in(&room, &user).await {
                    tracing::warn!(room, %user, %error, "a ghost is not in its room");
                }
            }
        });
    }
}

async fn read_list(shared: &Shared, room: &str) -> Result<Vec<Standing>, Failure> {
    let mut standings = Vec::new();
    for affiliation in LISTED {
        let list = affiliation::list(affiliation);
        let answer = shared.session.ask("get", Some(&shared.hub()), room, list).await?;
        standings.extend(affiliation::listed(&answer));
    }
    Ok(standings)
}
