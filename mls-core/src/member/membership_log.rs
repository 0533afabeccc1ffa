//! The durable log of who came into a group, who went, and who wanted it so.
//!
//! One row a commit that changed the membership or a leaf, under the commit's place in the group's
//! order. It stays when this device leaves the group, up to [`MEMBERSHIP_LOG_KEEP_MS`] and
//! [`MEMBERSHIP_LOG_MAX`], and goes with the group's record ([`super::gone_groups`]).

use mls_rs::group::proposal::Proposal;
use mls_rs::group::{CommitMessageDescription, NewEpoch, Roster, Sender};
use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::Member;
use super::epoch_change::client_at;
use super::seen::{delete_epochs_before, group_prefix};
use crate::address::ClientId;
use crate::identity::client_id;
use crate::limits::MEMBERSHIP_LOG_MAX;
use crate::overlay::decode;
use crate::policy::MEMBERSHIP_LOG_KEEP_MS;
use crate::receipt::Receipt;
use crate::store::{Space, StoreError};
use crate::wire::GroupId;

/// Entries, by group, seq and epoch.
const LOG: Space = "membership_log";
/// Old entries that go with each new one, so that a long log shrinks step by step.
const FORGOTTEN_AT_ONCE: usize = 4;

/// What one commit changed, or how this device came in.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct MembershipEntry {
    /// The commit's position in the group's order; of commits that a room ordered, the last that the
    /// hub gave out before them.
    pub seq: u64,
    /// The epoch that it led to.
    pub epoch: u64,
    /// When the hub accepted it, by its receipt, in milliseconds since 1970; without a hub, when it
    /// came here.
    pub time_ms: u64,
    /// Who committed; not known of the commit by which this device was added.
    pub committer: Option<ClientId>,
    /// What changed, each with who proposed it.
    pub changes: Vec<MembershipChange>,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct MembershipChange {
    /// What happened.
    pub kind: ChangeKind,
    /// To whom.
    pub client: ClientId,
    /// Who wanted it.
    pub by: Proposer,
}

/// What happened to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
#[repr(u8)]
pub enum ChangeKind {
    /// It came.
    Added = 1u8,
    /// It went, or was put out.
    Removed = 2u8,
    /// It came back to its own leaf by an external commit.
    Returned = 3u8,
    /// It renewed its leaf by a proposal, or by a commit of nothing else.
    Updated = 4u8,
    /// It has another signature key or credential than before.
    NewKey = 5u8,
}

/// Who wanted a change.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
#[repr(u8)]
pub enum Proposer {
    /// A member.
    Member(ClientId) = 1u8,
    /// The hub: the client left, was put out of the room, or stayed away too long.
    Hub = 2u8,
    /// Not known: it was before this device came in.
    Unknown = 3u8,
}

impl Member {
    /// The log of a group from `from_seq` on, at most `limit` entries, the oldest first. The next
    /// page begins one after the last entry's seq.
    pub fn membership_log(
        &self,
        group: &GroupId,
        from_seq: u64,
        limit: usize,
    ) -> Result<Vec<MembershipEntry>, StoreError> {
        let entries =
            self.overlay.scan(LOG, &group_prefix(group), &key(group, from_seq, 0), limit)?;
        entries.into_iter().map(|(_, value)| decode(LOG, &value)).collect()
    }

    /// Writes what a commit with a receipt changed.
    pub(super) fn log_changes(
        &self,
        receipt: &Receipt,
        epoch: u64,
        committer: Option<ClientId>,
        changes: Vec<MembershipChange>,
    ) -> Result<(), StoreError> {
        let (group, seq, time_ms) = (&receipt.tbs.group, receipt.tbs.seq, receipt.tbs.time_ms);
        self.log_entry(group, &MembershipEntry { seq, epoch, time_ms, committer, changes })
    }

    /// Writes an entry, and takes away what is too old or too much.
    pub(super) fn log_entry(
        &self,
        group: &GroupId,
        entry: &MembershipEntry,
    ) -> Result<(), StoreError> {
        let seq = entry.seq;
        self.overlay.write(LOG, &key(group, seq, entry.epoch), entry)?;
        let prefix = group_prefix(group);
        for (old, value) in self.overlay.scan(LOG, &prefix, &prefix, FORGOTTEN_AT_ONCE)? {
            let entry: MembershipEntry = decode(LOG, &value)?;
            let aged = entry.time_ms.saturating_add(MEMBERSHIP_LOG_KEEP_MS) < self.now_ms;
            if aged || entry.seq.saturating_add(MEMBERSHIP_LOG_MAX) <= seq {
                self.overlay.delete(LOG, &old);
            }
        }
        Ok(())
    }

    /// Deletes the log of a group.
    pub(super) fn forget_membership(&self, group: &GroupId) -> Result<(), StoreError> {
        // An entry's key begins with the commit's place where others have an epoch.
        delete_epochs_before(&self.overlay, LOG, group, u64::MAX)
    }

    /// Takes back the entries after this place and epoch.
    pub(super) fn unlog_after(
        &self,
        group: &GroupId,
        seq: u64,
        epoch: u64,
    ) -> Result<(), StoreError> {
        let (prefix, from) = (group_prefix(group), key(group, seq, epoch.saturating_add(1)));
        for (entry, _) in self.overlay.scan(LOG, &prefix, &from, usize::from(u16::MAX))? {
            self.overlay.delete(LOG, &entry);
        }
        Ok(())
    }

    /// This device is in the group now, by whatever way.
    pub(super) fn log_own(
        &self,
        receipt: &Receipt,
        epoch: u64,
        kind: ChangeKind,
        by: Proposer,
    ) -> Result<(), StoreError> {
        let client = self.client.clone();
        let committer = match &by {
            Proposer::Member(client) => Some(client.clone()),
            Proposer::Hub | Proposer::Unknown => None,
        };
        self.log_changes(receipt, epoch, committer, vec![MembershipChange { kind, client, by }])
    }
}

/// What a commit changed. `external` says that its committer came back, or in, by it.
pub(super) fn changes(
    epoch: &NewEpoch,
    before: &Roster<'_>,
    committer: &ClientId,
    external: bool,
) -> Vec<MembershipChange> {
    let by = |sender: &Sender| match sender {
        Sender::Member(leaf) => {
            client_at(before, *leaf).map_or(Proposer::Unknown, Proposer::Member)
        }
        Sender::External(_) => Proposer::Hub,
        _ => Proposer::Member(committer.clone()),
    };
    let changed = |proposal: &Proposal, sender: &Sender| match (proposal, sender) {
        (Proposal::Add(add), _) => {
            Some((ChangeKind::Added, client_id(add.signing_identity()).ok()?))
        }
        (Proposal::Remove(remove), _) => {
            Some((ChangeKind::Removed, client_at(before, remove.to_remove())?))
        }
        (Proposal::Update(_), Sender::Member(leaf)) => {
            Some((ChangeKind::Updated, client_at(before, *leaf)?))
        }
        _ => None,
    };
    let applied = epoch.applied_proposals.iter();
    let mut changes: Vec<_> = applied
        .filter_map(|info| {
            let (kind, client) = changed(&info.proposal, &info.sender)?;
            Some(MembershipChange { kind, client, by: by(&info.sender) })
        })
        .collect();
    let own = |kind| {
        let client = committer.clone();
        MembershipChange { kind, by: Proposer::Member(client.clone()), client }
    };
    if external {
        let was_in = changes.iter().any(|c| c.client == *committer);
        changes.retain(|change| change.client != *committer);
        changes.push(own(if was_in { ChangeKind::Returned } else { ChangeKind::Added }));
    } else if epoch.applied_proposals.is_empty() {
        changes.push(own(ChangeKind::Updated));
    }
    changes
}

/// Who came out of a commit with another signature key or credential: its committer, and those whose
/// updates it covers.
pub(super) fn new_keys(
    commit: &CommitMessageDescription,
    epoch: &NewEpoch,
    before: &Roster<'_>,
    after: &Roster<'_>,
) -> Vec<MembershipChange> {
    let updates = epoch.applied_proposals.iter().filter_map(|info| match info.sender {
        Sender::Member(leaf) if matches!(info.proposal, Proposal::Update(_)) => Some(leaf),
        _ => None,
    });
    let committer = (!commit.is_external).then_some(commit.committer);
    let changed = |leaf: u32| {
        let identity =
            |roster: &Roster<'_>| Some(roster.member_with_index(leaf).ok()?.signing_identity);
        let (was, is) = (identity(before)?, identity(after)?);
        let client = client_id(&is).ok().filter(|_| was != is)?;
        let by = Proposer::Member(client.clone());
        Some(MembershipChange { kind: ChangeKind::NewKey, client, by })
    };
    committer.into_iter().chain(updates).filter_map(changed).collect()
}

fn key(group: &GroupId, seq: u64, epoch: u64) -> Vec<u8> {
    [group_prefix(group), seq.to_be_bytes().to_vec(), epoch.to_be_bytes().to_vec()].concat()
}

#[cfg(test)]
crate::codec_properties::hold!(MembershipEntry, MembershipChange, ChangeKind, Proposer);
