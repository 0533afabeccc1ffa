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
                    self.revoke_account(user)?;
                    users.insert(user.clone());
                }
                Whom::Client(client) => {
                    self.revoke(client, &entry.by)?;
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
    fn revoke_account(&mut self, user: &UserId) -> Result<(), StoreError> {
        for client in self.known_devices(user)? {
            self.revoke(&client, &RevokedBy::OperatorOfUser)?;
        }
        match revocation::user_since_ms(self.store, user)? {
            Some(_) => Ok(()),
            None => revocation::write_user(self.store, user, self.now_ms),
        }
    }

    fn lift_others(
        &self,
        users: &BTreeSet<UserId>,
        clients: &BTreeSet<ClientId>,
    ) -> Result<(), StoreError> {
        for (user, _) in revocation::users(self.store, usize::MAX)? {
            if !users.contains(&user) {
                revocation::lift_user(self.store, &user);
            }
        }
        for (client, ..) in revocation::devices(self.store, None, usize::MAX)? {
            if !clients.contains(&client) && !users.contains(&client.user()) {
                revocation::lift(self.store, &client)?;
            }
        }
        Ok(())
    }
}
