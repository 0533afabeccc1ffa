//! What the list of an authority that is another process changes here: everybody on it is revoked, and who is no
//! more on it may come again.

use std::collections::BTreeSet;

use super::revocation::{self, RevokedBy};
use super::turn::Turn;
use super::{RevokedList, Whom};
use crate::address::{ClientId, UserId};
use crate::limits::REVOKED_LISTED_MAX;
use crate::store::{Space, StoreError};

const SPACE: Space = "revoked_list";
/// When the list was made that was followed last.
const MADE: &[u8] = b"made";
/// Nothing, by account: a list named it. What the hub noted by itself, before another process was the authority, no
/// list lifts by being silent about it.
const LISTED_USER: Space = "revoked_list_user";
/// The same of devices, by client.
const LISTED_DEVICE: Space = "revoked_list_device";

impl Turn<'_> {
    /// Follows a list, which was verified, unless it followed a later one. Of accounts of other domains its
    /// authority has nothing to say.
    pub(super) fn take_revoked(&mut self, list: &RevokedList) -> Result<(), StoreError> {
        let last: Option<u64> = self.store.read(SPACE, MADE)?;
        if self.setup.roles.certifies() || last.is_some_and(|last| list.made_ms <= last) {
            return Ok(());
        }
        self.store.write(SPACE, MADE, &list.made_ms)?;
        let domains = self.setup.domains();
        let (mut users, mut clients) = (BTreeSet::new(), BTreeSet::new());
        let ours = list.entries.iter().filter(|one| domains.contains(&one.whom.user().domain()));
        for entry in ours {
            match &entry.whom {
                Whom::User(user) => {
                    self.revoke_account(user, entry.at_ms)?;
                    self.note(LISTED_USER, user.as_str())?;
                    users.insert(user.clone());
                }
                Whom::Client(client) => {
                    self.revoke_at(client, &entry.by, entry.at_ms)?;
                    self.note(LISTED_DEVICE, client.as_str())?;
                    clients.insert(client.clone());
                }
            }
        }
        // What has no place on a full list is not known.
        match list.entries.len() < REVOKED_LISTED_MAX {
            true => self.lift_others(&users, &clients),
            false => Ok(()),
        }
    }

    /// The authority says it of the account; which devices it has, the hub knows for itself.
    fn revoke_account(&mut self, user: &UserId, at_ms: u64) -> Result<(), StoreError> {
        for client in self.known_devices(user)? {
            self.revoke_at(&client, &RevokedBy::OperatorOfUser, at_ms)?;
        }
        match revocation::user_since_ms(self.store, user)? {
            Some(_) => Ok(()),
            None => revocation::write_user(self.store, user, at_ms),
        }
    }

    /// Once, for a list is the whole state and comes every few minutes.
    fn note(&self, space: Space, name: &str) -> Result<(), StoreError> {
        if self.store.get(space, name.as_bytes())?.is_none() {
            self.store.put(space, name.as_bytes(), Vec::new());
        }
        Ok(())
    }

    /// Whom an earlier list named and this one does not: they may come again. An account gives back the devices that
    /// were revoked for it.
    fn lift_others(
        &self,
        users: &BTreeSet<UserId>,
        clients: &BTreeSet<ClientId>,
    ) -> Result<(), StoreError> {
        for name in self.noted(LISTED_USER)? {
            let Ok(user) = UserId::parse(&name) else { continue };
            if !users.contains(&user) {
                self.store.delete(LISTED_USER, name.as_bytes());
                self.lift_account(&user, clients)?;
            }
        }
        for name in self.noted(LISTED_DEVICE)? {
            let Ok(client) = ClientId::parse(&name) else { continue };
            if !clients.contains(&client) && !users.contains(&client.user()) {
                self.store.delete(LISTED_DEVICE, name.as_bytes());
                revocation::lift(self.store, &client)?;
            }
        }
        Ok(())
    }

    fn lift_account(&self, user: &UserId, but: &BTreeSet<ClientId>) -> Result<(), StoreError> {
        revocation::lift_user(self.store, user);
        for (client, by, _) in revocation::devices(self.store, Some(user), usize::MAX)? {
            if by == RevokedBy::OperatorOfUser && !but.contains(&client) {
                revocation::lift(self.store, &client)?;
            }
        }
        Ok(())
    }

    fn noted(&self, space: Space) -> Result<Vec<String>, StoreError> {
        let mut names = Vec::new();
        self.store.each(space, &[], |key, _| {
            names.extend(std::str::from_utf8(key).map(str::to_owned));
            Ok(true)
        })?;
        Ok(names)
    }
}
