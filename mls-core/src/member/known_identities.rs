//! The identity keys of users, as this device has seen them: pinned at first sight, verified by a person.
//!
//! Leaves are looked at when this device comes into a group, and when they change; of what is told nothing
//! follows for the group. Whom a person verified has devices that are signed by that key: one that is not is
//! told at once, and another key takes the mark away until a person verifies anew. Of everybody else only that
//! their key changed is said, as a warning. This user's own key is verified by having been made, or accepted.

use std::collections::{BTreeMap, BTreeSet};

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::Member;
use super::alarm::{Alarm, UnsignedDevice, VerifiedUserChanged};
use super::engine_storage::MemberGroup;
use super::event::EpochEvent;
use super::group_record::State;
use super::membership_log::ChangeKind;
use super::seen::group_prefix;
use super::warning::WarningKind;
use crate::address::{ClientId, UserId};
use crate::identity::client_id;
use crate::limits::{KNOWN_IDENTITIES_MAX, MEMBERS_MAX};
use crate::overlay::decode;
use crate::store::{Space, StoreError};
use crate::user_identity::{Ed25519Key, LeafIdentity, of_leaf};
use crate::wire::GroupId;

/// By user.
const KNOWN: Space = "known_identity";
/// Devices of verified users that are not signed, of which people were told; by group and client.
const TOLD: Space = "unsigned_device";

/// What is known of a user.
#[derive(Clone, Debug, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub(super) struct KnownIdentity {
    /// The key that was seen first, or that a person verified last.
    pub(super) key: Ed25519Key,
    /// When, in milliseconds since 1970.
    since_ms: u64,
    /// Whether a person verified it.
    pub(super) verified: bool,
    /// Another key that was seen since, of which people were told.
    other: Option<Ed25519Key>,
}

/// The leaves of a group that are looked at, and what they prove.
pub(super) type Leaves = Vec<(ClientId, LeafIdentity)>;

impl Member {
    /// Looks at all leaves of a group that this device has come into.
    pub(super) fn look_at_all_identities(
        &mut self,
        group: &GroupId,
        state: &MemberGroup,
    ) -> Result<(), StoreError> {
        self.forget_told(group)?;
        self.look_at_identities(group, leaves(state, |_| true))
    }

    /// Looks at the leaves that a commit changed.
    pub(super) fn look_at_changed_identities(
        &mut self,
        event: &EpochEvent,
    ) -> Result<(), StoreError> {
        for client in &event.removed {
            self.overlay.delete(TOLD, &told_key(&event.group, client));
        }
        let stays = event.changes.iter().filter(|change| change.kind != ChangeKind::Removed);
        let changed: BTreeSet<_> =
            stays.map(|change| &change.client).chain([&event.committer]).collect();
        let look = |state: &MemberGroup| leaves(state, |client| changed.contains(client));
        let leaves = self.look_into(&event.group, look)?;
        self.look_at_identities(&event.group, leaves.unwrap_or_default())
    }

    /// Looks at a user's leaves in all groups, for a person said something about that user.
    pub(super) fn look_at_user(&mut self, user: &UserId) -> Result<(), StoreError> {
        for (group, leaves) in self.leaves_of_user(user)? {
            for (client, _) in &leaves {
                self.overlay.delete(TOLD, &told_key(&group, client));
            }
            self.look_at_identities(&group, leaves)?;
        }
        Ok(())
    }

    /// A user's leaves in the groups that this device is in.
    pub(super) fn leaves_of_user(
        &self,
        user: &UserId,
    ) -> Result<Vec<(GroupId, Leaves)>, StoreError> {
        let mut all = Vec::new();
        for record in self.groups.values().filter(|record| record.state == State::Live) {
            let look = |state: &MemberGroup| leaves(state, |client| client.user() == *user);
            let found = self.look_into(&record.group, look)?.unwrap_or_default();
            all.push((record.group.clone(), found));
        }
        Ok(all)
    }

    /// The keys that count as verified, by user.
    pub(super) fn verified_keys(&self) -> Result<BTreeMap<UserId, Ed25519Key>, StoreError> {
        let mut keys = BTreeMap::new();
        for (user, value) in self.overlay.scan(KNOWN, &[], &[], KNOWN_IDENTITIES_MAX)? {
            let known: KnownIdentity = decode(KNOWN, &value)?;
            if known.verified {
                keys.insert(user_of(&user)?, known.key);
            }
        }
        keys.extend(self.own_identity.key().map(|key| (self.client.user(), key)));
        Ok(keys)
    }

    /// What is known of a user.
    pub(super) fn known_identity(
        &self,
        user: &UserId,
    ) -> Result<Option<KnownIdentity>, StoreError> {
        self.overlay.read(KNOWN, user.as_str().as_bytes())
    }

    /// A person has compared the key; `others` of the same user were shown beside it.
    pub(super) fn keep_verified(
        &self,
        user: &UserId,
        key: Ed25519Key,
        other: Option<Ed25519Key>,
    ) -> Result<(), StoreError> {
        let known = KnownIdentity { key, since_ms: self.now_ms, verified: true, other };
        self.overlay.write(KNOWN, user.as_str().as_bytes(), &known)
    }

    /// Forgets the key of a user.
    pub(super) fn forget_known(&self, user: &UserId) {
        self.overlay.delete(KNOWN, user.as_str().as_bytes());
    }

    /// This device is not in the group, or is in it anew.
    pub(super) fn forget_told(&self, group: &GroupId) -> Result<(), StoreError> {
        let prefix = group_prefix(group);
        for (key, _) in self.overlay.scan(TOLD, &prefix, &prefix, MEMBERS_MAX)? {
            self.overlay.delete(TOLD, &key);
        }
        Ok(())
    }

    fn look_at_identities(&mut self, group: &GroupId, leaves: Leaves) -> Result<(), StoreError> {
        // Counted once for all, where anybody is new.
        let mut places = None;
        for (client, leaf) in leaves {
            match leaf {
                LeafIdentity::Signed(statement) => {
                    let key = statement.identity_key;
                    self.signed_leaf(group, &client, key, &mut places)?;
                }
                LeafIdentity::Unsigned => {
                    self.unsigned_leaf(group, &client, "it carries no device statement")?;
                }
                LeafIdentity::Broken(why) => {
                    self.unsigned_leaf(group, &client, &why.to_string())?;
                }
            }
        }
        Ok(())
    }

    fn signed_leaf(
        &mut self,
        group: &GroupId,
        client: &ClientId,
        key: Ed25519Key,
        places: &mut Option<usize>,
    ) -> Result<(), StoreError> {
        let user = client.user();
        if let Some(own) = self.own_identity.key().filter(|_| user == self.client.user()) {
            return match own == key {
                true => self.is_signed_now(group, client),
                false => self.unsigned_leaf(group, client, "another identity key signed it"),
            };
        }
        match self.known_identity(&user)? {
            None => self.pin_identity(&user, key, places),
            Some(known) if known.key == key => self.is_signed_now(group, client),
            Some(known) if known.other == Some(key) => Ok(()),
            Some(known) => self.identity_changed(group, client, known, key),
        }
    }

    /// Where too many are known already a user stays unknown. `places` for more are left, once they were counted.
    fn pin_identity(
        &self,
        user: &UserId,
        key: Ed25519Key,
        places: &mut Option<usize>,
    ) -> Result<(), StoreError> {
        let left = match *places {
            Some(left) => left,
            None => {
                let known = self.overlay.scan(KNOWN, &[], &[], KNOWN_IDENTITIES_MAX)?.len();
                KNOWN_IDENTITIES_MAX.saturating_sub(known)
            }
        };
        *places = Some(left.saturating_sub(1));
        if left == 0 {
            return Ok(());
        }
        let known = KnownIdentity { key, since_ms: self.now_ms, verified: false, other: None };
        self.overlay.write(KNOWN, user.as_str().as_bytes(), &known)
    }

    fn identity_changed(
        &mut self,
        group: &GroupId,
        client: &ClientId,
        known: KnownIdentity,
        shown: Ed25519Key,
    ) -> Result<(), StoreError> {
        let user = client.user();
        let fallen = KnownIdentity { verified: false, other: Some(shown), ..known };
        self.overlay.write(KNOWN, user.as_str().as_bytes(), &fallen)?;
        if known.verified {
            let client = client.clone();
            let changed = VerifiedUserChanged { client, known: known.key, shown };
            return self.alarm(group, Alarm::VerifiedUserChanged(changed));
        }
        let text = format!(
            "{client} is signed by another identity key than {} was: they made a new one, or somebody claims to be \
             them",
            user.address()
        );
        self.warn(group, WarningKind::OtherKey, text)
    }

    /// A leaf that nothing soundly signs: told once, if it is a verified user's.
    fn unsigned_leaf(
        &mut self,
        group: &GroupId,
        client: &ClientId,
        why: &str,
    ) -> Result<(), StoreError> {
        let user = client.user();
        let verified = match user == self.client.user() {
            // This device itself shows its statement soon.
            true => self.own_identity.key().is_some() && *client != self.client,
            false => self.known_identity(&user)?.is_some_and(|known| known.verified),
        };
        let key = told_key(group, client);
        if !verified || self.overlay.get(TOLD, &key)?.is_some() {
            return Ok(());
        }
        self.overlay.put(TOLD, &key, Vec::new());
        let why = Some(why.to_owned());
        let unsigned = UnsignedDevice { client: client.clone(), why };
        self.alarm(group, Alarm::UnsignedDevice(unsigned))
    }

    /// What was told of a leaf before is over.
    fn is_signed_now(&mut self, group: &GroupId, client: &ClientId) -> Result<(), StoreError> {
        let key = told_key(group, client);
        if self.overlay.get(TOLD, &key)?.is_none() {
            return Ok(());
        }
        self.overlay.delete(TOLD, &key);
        let signed = UnsignedDevice { client: client.clone(), why: None };
        self.alarm(group, Alarm::UnsignedDevice(signed))
    }
}

/// The leaves of these clients.
pub(super) fn leaves(group: &MemberGroup, wanted: impl Fn(&ClientId) -> bool) -> Leaves {
    let leaf = |member: mls_rs::group::Member| {
        let client = client_id(&member.signing_identity).ok().filter(&wanted)?;
        Some((client, of_leaf(&member.signing_identity, &member.extensions)))
    };
    group.roster().members_iter().filter_map(leaf).collect()
}

fn told_key(group: &GroupId, client: &ClientId) -> Vec<u8> {
    [group_prefix(group).as_slice(), client.as_str().as_bytes()].concat()
}

fn user_of(stored: &[u8]) -> Result<UserId, StoreError> {
    let user = std::str::from_utf8(stored).ok().and_then(|text| UserId::parse(text).ok());
    user.ok_or_else(|| StoreError(format!("an entry of {KNOWN} is of no user")))
}

#[cfg(test)]
crate::codec_properties::hold!(KnownIdentity);
