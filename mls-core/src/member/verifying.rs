//! Verifying a user: what a person compares, and their word (see [`crate::user_identity::Verification`]).

use std::collections::{BTreeMap, BTreeSet};

use super::Member;
use crate::address::{ClientId, UserId};
use crate::store::StoreError;
use crate::user_identity::{Ed25519Key, LeafIdentity, SeenKey, Verification, VerificationError};

/// What is seen of a user in all groups.
#[derive(Default)]
struct Seen {
    keys: BTreeMap<Ed25519Key, BTreeSet<ClientId>>,
    unsigned: BTreeSet<ClientId>,
}

impl Member {
    /// What a person compares to verify a user. The inner error is why there is nothing to compare.
    pub fn verification(
        &self,
        user: &UserId,
    ) -> Result<Result<Verification, VerificationError>, StoreError> {
        let own = self.client.user();
        if *user == own {
            return Ok(Err(VerificationError::Own(own)));
        }
        let Some(own_key) = self.own_identity.key() else {
            return Ok(Err(VerificationError::NoOwnKey));
        };
        let Seen { keys, unsigned } = self.seen_of(user)?;
        if keys.is_empty() {
            return Ok(Err(VerificationError::NoKey(user.clone())));
        }
        let verified = self.known_identity(user)?.filter(|known| known.verified);
        let verified = verified.map(|known| known.key);
        let seen = |(key, clients)| SeenKey { key, verified: verified == Some(key), clients };
        let keys = keys.into_iter().map(seen).collect();
        Ok(Ok(Verification { own, own_key, user: user.clone(), keys, unsigned }))
    }

    /// A person has compared a user's key.
    pub(super) fn verify_user(
        &mut self,
        user: &UserId,
        key: Ed25519Key,
    ) -> Result<Result<(), String>, StoreError> {
        let seen = match self.verification(user)? {
            Ok(seen) => seen,
            Err(why) => return Ok(Err(why.to_string())),
        };
        if !seen.keys.iter().any(|seen| seen.key == key) {
            return Ok(Err(format!("{user} has another identity key by now: compare it anew")));
        }
        // Whoever compared was shown this one, too.
        let other = seen.keys.iter().map(|seen| seen.key).find(|other| *other != key);
        self.keep_verified(user, key, other)?;
        self.look_at_user(user).map(Ok)
    }

    /// A person takes back their word.
    pub(super) fn forget_user(&mut self, user: &UserId) -> Result<Result<(), String>, StoreError> {
        if self.known_identity(user)?.is_none() {
            return Ok(Err(format!("nothing is known of an identity key of {user}")));
        }
        self.forget_known(user);
        self.look_at_user(user).map(Ok)
    }

    fn seen_of(&self, user: &UserId) -> Result<Seen, StoreError> {
        let mut seen = Seen::default();
        for (client, leaf) in self.leaves_of_user(user)?.into_iter().flat_map(|(_, leaves)| leaves)
        {
            match leaf {
                LeafIdentity::Signed(statement) => {
                    seen.keys.entry(statement.identity_key).or_default().insert(client);
                }
                LeafIdentity::Unsigned | LeafIdentity::Broken(_) => {
                    seen.unsigned.insert(client);
                }
            }
        }
        Ok(seen)
    }
}
