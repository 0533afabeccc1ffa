//! The list of revoked certificates of this device's authority: fetched now and then, kept, and held against
//! the leaves of all groups.
//!
//! What a group takes does not depend on it, for members hold different lists at one time; the hub refuses
//! what brings a revoked device in, and has it removed. Until then people are told, and this device adds none.

use mls_rs::group::Roster;
use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::requests::Purpose;
use super::{Member, loaded::Loaded};
use crate::address::ClientId;
use crate::bridge_group::BridgeGroup;
use crate::identity::{
    CertificateError, IdentityError, ListInfo, Revocations, check_leaf_against, client_id,
};
use crate::limits::{DAY_MS, REVOCATIONS_AGAIN_MS};
use crate::overlay::Overlay;
use crate::store::{Space, StoreError};
use crate::wire::refusal::Refusal;
use crate::wire::{Answer, GroupId, Request};

const LIST: Space = "revocations";
const KEY: &[u8] = b"list";
const NO_FRESH_LIST: &str =
    "the hub gives no fresh list of revoked certificates: who was revoked lately is not known";

/// The list as it is stored.
#[derive(Clone, Debug, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
struct StoredList {
    number: u64,
    next_update_s: u64,
    /// X.509 CRL, DER.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    list: Vec<u8>,
}

/// What is remembered in memory.
#[derive(Debug, Default)]
pub(super) struct KnownRevocations {
    pub(super) list: Revocations,
    asked_ms: u64,
    /// Since when it is known that the list is old.
    silent_since_ms: Option<u64>,
    /// When people were last told that it is.
    told_old_ms: u64,
}

/// The list that a store holds.
pub(super) fn open(overlay: &Overlay) -> Result<KnownRevocations, StoreError> {
    let stored: Option<StoredList> = overlay.read(LIST, KEY)?;
    let list = stored.map(|stored| Revocations::from_der(&stored.list)).transpose();
    let list = list.map_err(|e| StoreError(format!("{LIST}: {e}")))?.unwrap_or_default();
    Ok(KnownRevocations { list, ..KnownRevocations::default() })
}

impl Member {
    /// Asks for the list, where it was not asked for lately.
    pub(super) fn want_revocations(&mut self) -> Result<(), StoreError> {
        if self.hub()?.is_none() || !self.is_certified_by_hub()? {
            return Ok(());
        }
        self.tell_of_old_list()?;
        let recent = self.now_ms.abs_diff(self.revocations.asked_ms) < REVOCATIONS_AGAIN_MS;
        if recent || self.is_asking(|asked| *asked == Purpose::Revocations) {
            return Ok(());
        }
        self.revocations.asked_ms = self.now_ms;
        self.request(Purpose::Revocations, Request::FetchRevocations).map(drop)
    }

    /// The hub gave the list, which must not be older than the one that is known.
    pub(super) fn revocations_answered(
        &mut self,
        result: Result<Answer, Refusal>,
    ) -> Result<(), StoreError> {
        let Ok(Answer::Revocations(answer)) = result else { return Ok(()) };
        let Some(list) = answer.list.inline() else { return Ok(()) };
        let known: Option<StoredList> = self.overlay.read(LIST, KEY)?;
        let known = known.map_or(0, |known| known.number);
        match (ListInfo::of(list), Revocations::from_der(list)) {
            (Ok(info), Ok(_)) if info.number == known => Ok(()),
            (Ok(info), Ok(read)) if info.number > known => self.take_revocations(info, list, read),
            (Ok(_), Ok(_)) => self.warn(
                &nowhere(),
                "the hub shows an older list of revoked certificates than before: it is not used",
            ),
            (Err(error), _) | (_, Err(error)) => self.warn(&nowhere(), format!("the hub: {error}")),
        }
    }

    fn take_revocations(
        &mut self,
        info: ListInfo,
        list: &[u8],
        read: Revocations,
    ) -> Result<(), StoreError> {
        let ListInfo { number, next_update_s } = info;
        let stored = StoredList { number, next_update_s, list: list.to_vec() };
        self.overlay.write(LIST, KEY, &stored)?;
        let groups: Vec<_> = self.groups.keys().cloned().collect();
        let before = self.revoked_in(&groups)?;
        self.revocations.list = read;
        self.revocations.silent_since_ms = None;
        for (group, clients) in self.revoked_in(&groups)? {
            let known = before.iter().any(|(of, known)| *of == group && *known == clients);
            if !known {
                self.tell_of_revoked(&group, &clients)?;
            }
        }
        Ok(())
    }

    /// Members of groups whose certificates are revoked, where there are any.
    fn revoked_in(
        &mut self,
        groups: &[GroupId],
    ) -> Result<Vec<(GroupId, Vec<ClientId>)>, StoreError> {
        let mut found = Vec::new();
        for group in groups {
            let Some(loaded) = self.take_group(group)? else { continue };
            let clients = self.revoked_members(&loaded);
            self.give_back(group, loaded);
            if !clients.is_empty() {
                found.push((group.clone(), clients));
            }
        }
        Ok(found)
    }

    /// Members of a group whose certificates are revoked.
    pub(super) fn revoked_members(&self, loaded: &Loaded) -> Vec<ClientId> {
        let bound = BridgeGroup::from_extensions(&loaded.group.context().extensions);
        let roster = loaded.group.roster();
        bound.map(|bound| revoked(&roster, &bound, &self.revocations.list)).unwrap_or_default()
    }

    /// Those of these members.
    pub(super) fn revoked_among(&self, loaded: &Loaded, clients: &[ClientId]) -> Vec<ClientId> {
        if clients.is_empty() {
            return Vec::new();
        }
        let mut revoked = self.revoked_members(loaded);
        revoked.retain(|client| clients.contains(client));
        revoked
    }

    /// People should know whom not to believe any more.
    pub(super) fn tell_of_revoked(
        &mut self,
        group: &GroupId,
        clients: &[ClientId],
    ) -> Result<(), StoreError> {
        for client in clients {
            let text = format!(
                "{client} was revoked: what it says is not its user's word any more; the hub has it removed"
            );
            self.warn(group, text)?;
        }
        Ok(())
    }

    /// A list whose time is over, and in whose place none came though it was asked for.
    fn tell_of_old_list(&mut self) -> Result<(), StoreError> {
        let stored: Option<StoredList> = self.overlay.read(LIST, KEY)?;
        if stored.is_none_or(|stored| stored.next_update_s >= self.now_ms / 1000) {
            self.revocations.silent_since_ms = None;
            return Ok(());
        }
        let since_ms = *self.revocations.silent_since_ms.get_or_insert(self.now_ms);
        let silent = self.now_ms.abs_diff(since_ms) >= REVOCATIONS_AGAIN_MS;
        if !silent || self.now_ms.abs_diff(self.revocations.told_old_ms) < DAY_MS {
            return Ok(());
        }
        self.revocations.told_old_ms = self.now_ms;
        self.warn(&nowhere(), NO_FRESH_LIST)
    }
}

fn revoked(roster: &Roster<'_>, bound: &BridgeGroup, list: &Revocations) -> Vec<ClientId> {
    let named = roster.member_identities_iter().filter(|identity| list.names(identity));
    let proven = named.filter(|identity| {
        let judged = check_leaf_against(identity, bound, None, list);
        matches!(judged, Err(IdentityError::Certificate(CertificateError::Revoked)))
    });
    proven.filter_map(|identity| client_id(identity).ok()).collect()
}

/// No group in particular.
fn nowhere() -> GroupId {
    GroupId(Vec::new())
}

#[cfg(test)]
crate::codec_properties::hold!(StoredList);
