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
    /// By room: the bare JIDs of which the hub knows that.
    reported: HashMap<String, BTreeSet<String>>,
    /// By room: the bare JIDs that somebody else put out, which are in again only when the hub
    /// has them let in anew.
    put_out: HashMap<String, BTreeSet<String>>,
}

impl Ghosts {
    /// A user should have a ghost in the room.
    pub(super) fn want(&mut self, room: &str, user: &UserId) {
        self.wanted.entry(room.to_owned()).or_default().insert(user.clone());
    }

    /// A user has one there, as the hub knew before we started.
    pub(super) fn was_admitted(&mut self, room: &str, user: &UserId, domain: &str) {
        let jid = ghost::jid(user, domain);
        insert(&mut self.admitted, room, &jid);
        insert(&mut self.reported, room, &jid);
    }

    /// A user has none there, for somebody had put it out before we started.
    pub(super) fn was_put_out(&mut self, room: &str, user: &UserId, domain: &str) {
        insert(&mut self.put_out, room, &ghost::jid(user, domain));
    }

    /// A user should have none there any more.
    pub(super) fn unwant(&mut self, room: &str, user: &UserId, domain: &str) {
        if let Some(users) = self.wanted.get_mut(room) {
            users.remove(user);
        }
        self.no_longer_admitted(room, &ghost::jid(user, domain));
    }

    /// A user's ghost is in the room.
    fn entered(&mut self, room: &str, jid: String, nick: String) {
        insert(&mut self.admitted, room, &jid);
        self.present.insert((room.to_owned(), jid), nick);
    }

    /// Whether the hub is to be told now that a ghost is on the room's list.
    pub(super) fn report(&mut self, room: &str, jid: &str) -> bool {
        contains(&self.admitted, room, jid) && insert(&mut self.reported, room, jid)
    }

    /// Ghosts that were on the room's list through us, and are not now.
    pub(super) fn missing(&self, room: &str, listed: &[String]) -> Vec<String> {
        let admitted = self.admitted.get(room).into_iter().flatten();
        admitted.filter(|jid| !listed.contains(jid)).cloned().collect()
    }

    /// The ghost with this bare JID was put out by somebody else; whether it should have been in.
    /// It stays outside from now on, and is missing until [`Self::forget_put_out`].
    pub(super) fn expelled(&mut self, room: &str, jid: &str, domain: &str) -> bool {
        let mut users = self.wanted.get(room).into_iter().flatten();
        let wanted = users.any(|user| ghost::jid(user, domain) == jid);
        if wanted {
            insert(&mut self.put_out, room, jid);
        }
        wanted
    }

    /// The hub has stored that a ghost was put out.
    pub(super) fn forget_put_out(&mut self, room: &str, jid: &str, domain: &str) {
        if let Some(users) = self.wanted.get_mut(room) {
            users.retain(|user| ghost::jid(user, domain) != jid);
        }
        self.no_longer_admitted(room, jid);
    }

    /// The hub has the ghost let in anew.
    pub(super) fn may_enter(&mut self, room: &str, jid: &str) {
        remove(&mut self.put_out, room, jid);
    }

    /// The room is lost; the ghosts that are in it, with their nicknames.
    pub(super) fn forget_room(&mut self, room: &str) -> Vec<(String, String)> {
        self.wanted.remove(room);
        for jids in [&mut self.admitted, &mut self.reported, &mut self.put_out] {
            jids.remove(room);
        }
        let (gone, stay) = std::mem::take(&mut self.present)
            .into_iter()
            .partition(|((other, _), _)| other == room);
        self.present = stay;
        gone.into_iter().map(|((_, jid), nick)| (jid, nick)).collect()
    }

    fn no_longer_admitted(&mut self, room: &str, jid: &str) {
        remove(&mut self.admitted, room, jid);
        remove(&mut self.reported, room, jid);
    }

    /// The users who should have one in the room.
    pub(super) fn wanted(&self, room: &str) -> Vec<UserId> {
        self.wanted.get(room).into_iter().flatten().cloned().collect()
    }

    fn is_put_out(&self, room: &str, jid: &str) -> bool {
        contains(&self.put_out, room, jid)
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

type Jids = HashMap<String, BTreeSet<String>>;

fn contains(jids: &Jids, room: &str, jid: &str) -> bool {
    jids.get(room).is_some_and(|jids| jids.contains(jid))
}

/// Whether it is new.
fn insert(jids: &mut Jids, room: &str, jid: &str) -> bool {
    jids.entry(room.to_owned()).or_default().insert(jid.to_owned())
}

fn remove(jids: &mut Jids, room: &str, jid: &str) {
    if let Some(jids) = jids.get_mut(room) {
        jids.remove(jid);
    }
}

impl Shared {
    /// Lets a user's ghost be in a room, unless somebody put it out; gives its full JID.
    pub(super) async fn ghost_in(
        &self,
        room: &str,
        user: &UserId,
    ) -> Result<String, DeliveryError> {
        let jid = ghost::jid(user, &self.setup.domain);
        let full = format!("{jid}/{}", ghost::RESOURCE);
        if self.ghosts().is_put_out(room, &jid) {
            let why = format!("{jid} was put out of {room}");
            return Err(DeliveryError::Refused { why });
        }
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
mod tests;
