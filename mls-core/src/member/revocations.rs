//! The lists of revoked certificates of this device's authority: fetched now and then, kept ([`lists`]), and held
//! against the leaves of all groups.
//!
//! What a group takes does not depend on it, for members hold different lists at one time; the hub refuses
//! what brings a revoked device in, and has it removed. Until then people are told, and this device adds none.

mod lists;

pub(super) use self::lists::open;
use self::lists::{Taken, newest_until_s, read, take};
use super::requests::Purpose;
use super::warning::WarningKind;
use super::{Member, loaded::Loaded};
use crate::address::ClientId;
use crate::bridge_group::BridgeGroup;
use crate::identity::{
    CertificateError, IdentityError, Revocations, check_leaf_against, client_id,
};
use crate::limits::{DAY_MS, REVOCATION_LISTS_MAX, REVOCATIONS_AGAIN_MS};
use crate::store::StoreError;
use crate::wire::blob::Part;
use crate::wire::refusal::Refusal;
use crate::wire::{Answer, GroupId, Request};

const OLDER_LIST: &str =
    "the hub shows an older list of revoked certificates than before: it is not used";
const NO_FRESH_LIST: &str =
    "the hub gives no fresh list of revoked certificates: who was revoked lately is not known";

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

impl Member {
    /// Asks for the lists, where it was not asked for lately.
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

    /// The hub gave the lists; each must not be older than the one that is known of its issuer.
    pub(super) fn revocations_answered(
        &mut self,
        result: Result<Answer, Refusal>,
    ) -> Result<(), StoreError> {
        let Ok(Answer::Revocations(answer)) = result else { return Ok(()) };
        let (mut newer, mut news) = (false, false);
        for list in answer.lists.iter().take(REVOCATION_LISTS_MAX).filter_map(Part::inline) {
            match take(&self.overlay, self.now_ms, list)? {
                Taken::Known => {}
                Taken::Newer { says_more } => (newer, news) = (true, news | says_more),
                Taken::Older => self.warn(&GroupId::none(), WarningKind::Authority, OLDER_LIST)?,
                Taken::Broken(error) => self.warn(
                    &GroupId::none(),
                    WarningKind::Authority,
                    format!("the hub: {error}"),
                )?,
            }
        }
        if !newer {
            return Ok(());
        }
        self.take_revocations(read(&self.overlay)?, news)?;
        self.look_for_own_revocation()
    }

    /// Holds the lists against all groups, where they have `news`; members whom they are the first to name are told
    /// of.
    fn take_revocations(&mut self, read: Revocations, news: bool) -> Result<(), StoreError> {
        let before = std::mem::replace(&mut self.revocations.list, read);
        self.revocations.silent_since_ms = None;
        let groups: Vec<_> = self.groups.keys().filter(|_| news).cloned().collect();
        for group in groups {
            let Some(loaded) = self.take_group(&group)? else { continue };
            let known = revoked(&loaded, &before);
            let mut clients = self.revoked_members(&loaded);
            self.give_back(&group, loaded);
            clients.retain(|client| !known.contains(client));
            self.tell_of_revoked(&group, &clients)?;
        }
        Ok(())
    }

    /// Members of a group whose certificates are revoked.
    pub(super) fn revoked_members(&self, loaded: &Loaded) -> Vec<ClientId> {
        revoked(loaded, &self.revocations.list)
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
        // Of this device it is told elsewhere, once for all groups.
        let own = self.client.clone();
        for client in clients.iter().filter(|client| **client != own) {
            let text = format!(
                "{client} was revoked: what it says is not its user's word any more; the hub has it removed"
            );
            self.warn(group, WarningKind::MemberRevoked, text)?;
        }
        Ok(())
    }

    /// A list whose time is over, and in whose place none came though it was asked for.
    fn tell_of_old_list(&mut self) -> Result<(), StoreError> {
        let until_s = newest_until_s(&self.overlay)?;
        if until_s.is_none_or(|until_s| until_s >= self.now_ms / 1000) {
            self.revocations.silent_since_ms = None;
            return Ok(());
        }
        let since_ms = *self.revocations.silent_since_ms.get_or_insert(self.now_ms);
        let silent = self.now_ms.abs_diff(since_ms) >= REVOCATIONS_AGAIN_MS;
        if !silent || self.now_ms.abs_diff(self.revocations.told_old_ms) < DAY_MS {
            return Ok(());
        }
        self.revocations.told_old_ms = self.now_ms;
        self.warn(&GroupId::none(), WarningKind::Authority, NO_FRESH_LIST)
    }
}

fn revoked(loaded: &Loaded, list: &Revocations) -> Vec<ClientId> {
    let bound = BridgeGroup::from_extensions(&loaded.group.context().extensions);
    let Ok(bound) = bound else { return Vec::new() };
    let roster = loaded.group.roster();
    let named = roster.member_identities_iter().filter(|identity| list.names(identity));
    let proven = named.filter(|identity| {
        let judged = check_leaf_against(identity, &bound, None, list);
        matches!(judged, Err(IdentityError::Certificate(CertificateError::Revoked)))
    });
    proven.filter_map(|identity| client_id(identity).ok()).collect()
}
