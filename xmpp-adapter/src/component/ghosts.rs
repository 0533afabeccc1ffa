//! Ghosts: occupants that stand for members of the other network.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use mls_core::address::UserId;
use mls_core::delivery::DeliveryError;

use super::Shared;
use crate::mapping::affiliation::{self, Affiliation};
use crate::mapping::ghost;
use crate::mapping::stanza::bare;

/// Which ghosts should be where, and which are.
#[derive(Default)]
pub(super) struct Ghosts {
    /// By room: the users who should have one.
    wanted: HashMap<String, BTreeSet<UserId>>,
    /// By room and bare JID: the nickname of those that are in it.
    present: BTreeMap<(String, String), String>,
    /// By room: the bare JIDs that were on its list through us.
    admitted: HashMap<String, BTreeSet<String>>,
}

impl Ghosts {
    /// A user should have a ghost in the room.
    pub(super) fn want(&mut self, room: &str, user: &UserId) {
        self.wanted.entry(room.to_owned()).or_default().insert(user.clone());
    }

    /// A user should have none there any more.
    pub(super) fn unwant(&mut self, room: &str, user: &UserId, domain: &str) {
        if let Some(users) = self.wanted.get_mut(room) {
            users.remove(user);
        }
        if let Some(admitted) = self.admitted.get_mut(room) {
            admitted.remove(&ghost::jid(user, domain));
        }
    }

    /// A user's ghost is in the room.
    fn entered(&mut self, room: &str, jid: String, nick: String) {
        self.admitted.entry(room.to_owned()).or_default().insert(jid.clone());
        self.present.insert((room.to_owned(), jid), nick);
    }

    /// Ghosts that were on the room's list through us, and are not now.
    pub(super) fn missing(&self, room: &str, listed: &[String]) -> Vec<String> {
        let admitted = self.admitted.get(room).into_iter().flatten();
        admitted.filter(|jid| !listed.contains(jid)).cloned().collect()
    }

    /// The ghost with this bare JID was put out by somebody else; whether it should have been in.
    pub(super) fn expelled(&mut self, room: &str, jid: &str, domain: &str) -> bool {
        if let Some(admitted) = self.admitted.get_mut(room) {
            admitted.remove(jid);
        }
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
        let entered = self.session.enter_under_some_nick(&full, room, &nick).await;
        let nick = entered?.nick;
        self.ghosts().entered(room, jid, nick);
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
        self.ghosts().unwant(room, user, &self.setup.domain);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ghost_that_lost_its_place_while_nobody_looked_is_missing_once() {
        let user = UserId::from_human("@a:hs.test").unwrap();
        let jid = ghost::jid(&user, "mls.test");
        let mut ghosts = Ghosts::default();
        ghosts.want("r", &user);
        assert!(ghosts.missing("r", &[]).is_empty(), "it was never let in");
        ghosts.entered("r", jid.clone(), "nick".into());
        assert!(ghosts.missing("r", std::slice::from_ref(&jid)).is_empty());
        assert_eq!(ghosts.missing("r", &[]), std::slice::from_ref(&jid));
        assert!(ghosts.expelled("r", &jid, "mls.test"));
        assert!(ghosts.missing("r", &[]).is_empty());
        assert!(!ghosts.expelled("r", &jid, "mls.test"));
    }
}
