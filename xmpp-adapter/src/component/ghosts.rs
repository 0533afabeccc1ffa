//! Ghosts: occupants that stand for members of the other network.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use mls_core::address::UserId;
use mls_core::delivery::DeliveryError;

use super::Shared;
use crate::limits::NICKNAMES_MAX;
use crate::mapping::affiliation::{self, Affiliation};
use crate::mapping::ghost;
use crate::mapping::stanza::bare;
use crate::session::Failure;

/// Which ghosts should be where, and which are.
#[derive(Default)]
pub(super) struct Ghosts {
    /// By room: the users who should have one.
    wanted: HashMap<String, BTreeSet<UserId>>,
    /// By room and bare JID: the nickname of those that are in it.
    present: BTreeMap<(String, String), String>,
}

impl Ghosts {
    /// A user should have a ghost in the room.
    pub(super) fn want(&mut self, room: &str, user: &UserId) {
        self.wanted.entry(room.to_owned()).or_default().insert(user.clone());
    }

    /// A user should have none there any more.
    pub(super) fn unwant(&mut self, room: &str, user: &UserId) {
        if let Some(users) = self.wanted.get_mut(room) {
            users.remove(user);
        }
    }

    /// The ghost with this bare JID was put out by somebody else; whether it should have been in.
    pub(super) fn expelled(&mut self, room: &str, jid: &str, domain: &str) -> bool {
        let Some(users) = self.wanted.get_mut(room) else { return false };
        let before = users.len();
        users.retain(|user| ghost::jid(user, domain) != jid);
        users.len() < before
    }

    /// The users who should have one in the room.
    pub(super) fn wanted(&self, room: &str) -> Vec<UserId> {
        self.wanted.get(room).into_iter().flatten().cloned().collect()
    }

    /// A ghost is out of a room; its nickname there, if it was in it.
    pub(super) fn left(&mut self, room: &str, jid: &str) -> Option<String> {
        self.present.remove(&(room.to_owned(), bare(jid).to_owned()))
    }

    /// The connection is gone, and all ghosts with it.
    pub(super) fn all_left(&mut self) {
        self.present.clear();
    }

    fn is_present(&self, room: &str, jid: &str) -> bool {
        self.present.contains_key(&(room.to_owned(), jid.to_owned()))
    }
}

impl Shared {
    /// Lets a user's ghost be in a room; gives its full JID.
    pub(super) async fn ghost_in(
        &self,
        room: &str,
        user: &UserId,
    ) -> Result<String, DeliveryError> {
        let jid = ghost::jid(user, &self.setup.domain);
        let full = format!("{jid}/{}", ghost::RESOURCE);
        self.ghosts().want(room, user);
        if self.ghosts().is_present(room, &jid) {
            return Ok(full);
        }
        self.list(room, &jid).await?;
        self.ghost_enters(room, user).await
    }

    /// Lets a user's ghost, which is on the room's list, enter; gives its full JID.
    pub(super) async fn ghost_enters(
        &self,
        room: &str,
        user: &UserId,
    ) -> Result<String, DeliveryError> {
        let jid = ghost::jid(user, &self.setup.domain);
        let full = format!("{jid}/{}", ghost::RESOURCE);
        let nick = ghost::nick(user);
        let mut entered = self.session.enter(&full, room, &nick).await;
        for number in 2..=NICKNAMES_MAX {
            match &entered {
                Err(Failure::Refused(error)) if error.condition == "conflict" => {
                    let other = format!("{nick} {number}");
                    entered = self.session.enter(&full, room, &other).await;
                }
                _ => break,
            }
        }
        let nick = entered?.nick;
        self.ghosts().present.insert((room.to_owned(), jid), nick);
        Ok(full)
    }

    /// Takes a user's ghost out of a room and off its list.
    pub(super) async fn ghost_out(
        &self,
        room: &str,
        user: &UserId,
        why: &str,
    ) -> Result<(), DeliveryError> {
        let jid = ghost::jid(user, &self.setup.domain);
        self.ghosts().unwant(room, user);
        let nick = self.ghosts().left(room, &jid);
        if let Some(nick) = nick {
            let full = format!("{jid}/{}", ghost::RESOURCE);
            self.session.leave(&full, room, &nick).await?;
        }
        self.set_affiliation(room, &jid, Affiliation::None, Some(why)).await
    }

    /// Puts an account on a room's list, if it is not on it.
    pub(super) async fn list(&self, room: &str, jid: &str) -> Result<(), DeliveryError> {
        let Some(now) = self.affiliations().of(room, jid) else {
            let why = format!("the list of {room} was not read yet");
            return Err(DeliveryError::Later { after_ms: Some(1000), why });
        };
        if now.is_listed() {
            return Ok(());
        }
        self.set_affiliation(room, jid, Affiliation::Member, None).await
    }

    /// Gives an account an affiliation, as the hub.
    pub(super) async fn set_affiliation(
        &self,
        room: &str,
        jid: &str,
        affiliation: Affiliation,
        reason: Option<&str>,
    ) -> Result<(), DeliveryError> {
        let change = affiliation::change(jid, affiliation, reason);
        self.session.ask("set", Some(&self.hub()), room, change).await?;
        Ok(())
    }
}
