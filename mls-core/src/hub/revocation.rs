//! Devices that are revoked: by another device of their user, by the operator, or because they are no more.
//!
//! From then on the hub orders nothing that such a device makes or that adds it, certifies no key of it, and
//! has proposed its removal from all its groups. Unless the operator lifts that, it never comes back: who logs
//! in anew is another device. An account can be revoked too, with all devices that it has and that it gets.

mod record;

use std::collections::BTreeSet;

pub use record::RevokedBy;
use record::RunningCertificate;
pub(super) use record::{certificates, devices, lift, lift_user, user_since_ms, users, write_user};

use super::issue_credential::certified_devices;
use super::turn::{Stop, Turn, not_allowed};
use super::{Roles, fetch_revocations, group_record, idle, leaves, transparency};
use crate::address::{ClientId, UserId};
use crate::overlay::Overlay;
use crate::store::StoreError;
use crate::transparency::{LogEntry, Revoked, user_label};
use crate::wire::claim_key_packages::{ClaimOutcome, ClaimedClient};

/// Entries of the log read at once.
const PAGE: usize = 256;

/// By whose word a client counts no more; nothing where it counts.
pub(super) fn revoked_by(
    store: &Overlay,
    client: &ClientId,
) -> Result<Option<RevokedBy>, StoreError> {
    if user_since_ms(store, &client.user())?.is_some() {
        return Ok(Some(RevokedBy::OperatorOfUser));
    }
    Ok(record::of_device(store, client)?.map(|(by, _)| by))
}

/// Whether a client is revoked.
pub(super) fn is_revoked(store: &Overlay, client: &ClientId) -> Result<bool, StoreError> {
    Ok(revoked_by(store, client)?.is_some())
}

/// A packet of packages without those of revoked devices.
pub(super) fn without_revoked(
    store: &Overlay,
    found: Vec<ClaimedClient>,
) -> Result<Vec<ClaimedClient>, StoreError> {
    let judge = |claimed: ClaimedClient| {
        let revoked = match &claimed.client {
            Some(client) => is_revoked(store, client)?,
            None => false,
        };
        let outcome = if revoked { ClaimOutcome::Revoked } else { claimed.outcome };
        Ok(ClaimedClient { outcome, ..claimed })
    };
    found.into_iter().map(judge).collect()
}

impl Turn<'_> {
    /// A device that is revoked does nothing here, and nothing is done for it.
    pub(super) fn refuse_revoked(&self, client: &ClientId) -> Result<(), Stop> {
        let user = client.user();
        let why = match revoked_by(self.store, client)? {
            None => return Ok(()),
            Some(RevokedBy::OperatorOfUser) => {
                format!(
                    "{user} is revoked by the administrator of its domain, who alone can undo it"
                )
            }
            Some(RevokedBy::Operator) => format!(
                "{client} is revoked by the administrator of its domain: ask them, or log in anew, as another device"
            ),
            Some(RevokedBy::Gone) => format!(
                "{client} is revoked, for its homeserver did not list it any more: log in anew, as another device"
            ),
            Some(RevokedBy::Device(_)) => {
                format!("{client} is revoked: log in anew, as another device")
            }
        };
        Err(not_allowed(why))
    }

    /// Takes a device out of everything; once. In how many groups its removal is proposed.
    pub(super) fn revoke(&mut self, client: &ClientId, by: &RevokedBy) -> Result<u32, StoreError> {
        self.revoke_at(client, by, self.now_ms)
    }

    /// The same, of a device that is revoked since `at_ms`.
    pub(super) fn revoke_at(
        &mut self,
        client: &ClientId,
        by: &RevokedBy,
        at_ms: u64,
    ) -> Result<u32, StoreError> {
        if let Some((former, _)) = record::of_device(self.store, client)? {
            // What the operator says of the device itself outlasts what they say of its account.
            if (&former, by) == (&RevokedBy::OperatorOfUser, &RevokedBy::Operator) {
                record::write_by(self.store, client, by)?;
            }
            return Ok(0);
        }
        self.revoked_changed = true;
        let certificates = self.running_certificates(client)?;
        record::write(self.store, client, at_ms, by, certificates)?;
        if self.keys.authority.is_some() {
            self.publish_revoked(client, by)?;
        }
        self.propose_removal_everywhere(client)
    }

    /// The list of revoked certificates says too little from now on, and the log tells the device's user.
    fn publish_revoked(&self, client: &ClientId, by: &RevokedBy) -> Result<(), StoreError> {
        fetch_revocations::outdate(self.store)?;
        let at_ms = self.now_ms;
        let entry = Revoked { client: client.clone(), serial: None, at_ms, reason: by.reason() };
        transparency::append(self.store, at_ms, &LogEntry::Revoked(entry)).map(drop)
    }

    fn propose_removal_everywhere(&mut self, client: &ClientId) -> Result<u32, StoreError> {
        let mut groups = 0u32;
        for group in leaves::all_groups(self.store, &client.user())? {
            if self.has_leaf(&group, client)?
                && let Some(mut record) = group_record::read(self.store, &group)?
                && record.successor.is_none()
            {
                self.propose_removal_of(&mut record, client)?;
                groups = groups.saturating_add(1);
            }
        }
        Ok(groups)
    }

    /// Devices of a user that this hub ever saw and could still meet: certified, published, or in a group.
    pub(super) fn known_devices(&self, user: &UserId) -> Result<BTreeSet<ClientId>, StoreError> {
        let mut known: BTreeSet<_> = certified_devices(self.store, user)?.into_iter().collect();
        known.extend(self.pools(user)?.into_iter().map(|pool| pool.client));
        for group in leaves::all_groups(self.store, user)? {
            known.extend(idle::clients(self.store, &group, user)?);
        }
        Ok(known)
    }

    /// Whether there may be such a device: one that never showed itself here is more likely a slip of the pen. An
    /// authority alone meets only devices that it certifies, and has to take the word of who names another.
    pub(super) fn may_be(&self, device: &ClientId) -> Result<bool, StoreError> {
        if matches!(self.setup.roles, Roles::Authentication { .. }) {
            return Ok(true);
        }
        let known = self.known_devices(&device.user())?.contains(device);
        Ok(known || is_revoked(self.store, device)?)
    }

    /// What the log has of a device's certificates.
    fn running_certificates(
        &self,
        client: &ClientId,
    ) -> Result<Vec<RunningCertificate>, StoreError> {
        let (label, mut from) = (user_label(&client.user()), 0);
        let mut running = Vec::new();
        loop {
            let page = transparency::entries_of(self.store, &label, from, PAGE)?;
            for (_, entry) in &page {
                if let LogEntry::Issued(issued) = entry
                    && issued.client == *client
                    && issued.not_after_s > self.now_ms / 1000
                {
                    let (serial, not_after_s) = (issued.serial.clone(), issued.not_after_s);
                    running.push(RunningCertificate { serial, not_after_s });
                }
            }
            match page.last() {
                Some((last, _)) if page.len() == PAGE => from = last.saturating_add(1),
                _ => return Ok(running),
            }
        }
    }

    /// Revoked devices of a group that comes to the hub, or comes back to it, are to leave it.
    pub(super) fn remove_revoked(
        &mut self,
        record: &mut group_record::GroupRecord,
        members: &[ClientId],
    ) -> Result<(), StoreError> {
        for client in members {
            if is_revoked(self.store, client)? {
                self.propose_removal_of(record, client)?;
            }
        }
        Ok(())
    }
}
