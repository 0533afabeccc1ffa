//! Devices that are revoked: a user's lost one, by another of theirs.
//!
//! From then on the hub orders nothing that such a device makes or that adds it, certifies no key of it, and
//! has proposed its removal from all its groups. It never comes back: who logs in anew is another device.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};
use mls_rs_core::crypto::SignaturePublicKey;

use super::fetch_revocations;
use super::group_record;
use super::issue_credential::device_key_of;
use super::leaves;
use super::transparency;
use super::turn::{Stop, Turn, invalid, not_allowed};
use crate::address::{ClientId, UserId};
use crate::authority::{AUTHORITY_SUITE, RevokedCertificate};
use crate::engine;
use crate::limits::{REVOKED_CERTIFICATES_MAX, REVOKED_DEVICES_PER_USER_MAX};
use crate::overlay::{Overlay, decode};
use crate::store::{Space, StoreError};
use crate::transparency::{LogEntry, RevocationReason, Revoked, SerialNumber, user_label};
use crate::wire::Answer;
use crate::wire::claim_key_packages::{ClaimOutcome, ClaimedClient};
use crate::wire::revoke_device::{RevokeDevice, proof_of};

/// [`RevokedDevice`] by client.
const SPACE: Space = "revoked";
/// Records read from the database at once.
const PAGE: usize = 256;

/// Since when a device counts no more, and by whose word.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
struct RevokedDevice {
    at_ms: u64,
    /// The device of the same user that asked.
    by: Option<ClientId>,
    /// All certificates that it ever got and that had not ended.
    certificates: Vec<RunningCertificate>,
}

/// A certificate that has not ended.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
struct RunningCertificate {
    serial: SerialNumber,
    not_after_s: u64,
}

/// The certificates of all revoked devices that have not ended by themselves.
pub(super) fn certificates(
    store: &Overlay,
    now_ms: u64,
) -> Result<Vec<RevokedCertificate>, StoreError> {
    let (mut found, mut from) = (Vec::new(), Vec::new());
    while found.len() < REVOKED_CERTIFICATES_MAX {
        let page = store.scan(SPACE, &[], &from, PAGE)?;
        for (_, value) in &page {
            let RevokedDevice { at_ms, certificates, .. } = decode(SPACE, value)?;
            let running = certificates.into_iter().filter(|one| one.not_after_s > now_ms / 1000);
            found.extend(running.map(|one| RevokedCertificate { serial: one.serial.0, at_ms }));
        }
        match page.last() {
            Some((last, _)) if page.len() == PAGE => from = [last.as_slice(), &[0]].concat(),
            _ => break,
        }
    }
    found.truncate(REVOKED_CERTIFICATES_MAX);
    Ok(found)
}

/// Whether a client is revoked.
pub(super) fn is_revoked(store: &Overlay, client: &ClientId) -> Result<bool, StoreError> {
    Ok(store.get(SPACE, client.as_str().as_bytes())?.is_some())
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
        match is_revoked(self.store, client)? {
            true => {
                Err(not_allowed(format!("{client} is revoked: log in anew, as another device")))
            }
            false => Ok(()),
        }
    }

    /// A user revokes a device from another one.
    pub(super) fn revoke_device(
        &mut self,
        from: &UserId,
        request: &RevokeDevice,
    ) -> Result<Answer, Stop> {
        let RevokeDevice { device, by, proof } = request;
        if by.user() != *from || device.user() != *from {
            return Err(not_allowed(format!("{from} cannot revoke {device}")));
        } else if device == by {
            return Err(invalid("a device is revoked from another one: log this one out"));
        }
        self.refuse_revoked(by)?;
        self.check_known(device)?;
        let why = "only a device that this hub has certified can revoke another";
        let key = device_key_of(self.store, by)?.ok_or_else(|| not_allowed(why))?;
        let key = SignaturePublicKey::from(key);
        engine::verify(AUTHORITY_SUITE, &key, proof, &proof_of(device, by))
            .map_err(|_| invalid("the asking device's key has not signed this request"))?;
        let user = format!("{from}/");
        let all = self.store.scan(SPACE, user.as_bytes(), &[], REVOKED_DEVICES_PER_USER_MAX)?.len();
        if all >= REVOKED_DEVICES_PER_USER_MAX {
            let most = REVOKED_DEVICES_PER_USER_MAX;
            return Err(not_allowed(format!("{most} devices of {from} are revoked already")));
        }
        self.revoke(device, Some(by.clone()))?;
        Ok(Answer::Done)
    }

    /// A device that never showed itself is more likely a slip of the pen than a lost one.
    fn check_known(&self, device: &ClientId) -> Result<(), Stop> {
        let published = self.pools(&device.user())?.iter().any(|pool| pool.client == *device);
        let certified = device_key_of(self.store, device)?.is_some();
        if published || certified || is_revoked(self.store, device)? {
            return Ok(());
        }
        for group in leaves::all_groups(self.store, &device.user())? {
            if self.has_leaf(&group, device)? {
                return Ok(());
            }
        }
        Err(invalid(format!("this hub never saw a device {device}: look at its id again")))
    }

    /// Takes a device out of everything; once.
    fn revoke(&mut self, client: &ClientId, by: Option<ClientId>) -> Result<(), StoreError> {
        if is_revoked(self.store, client)? {
            return Ok(());
        }
        let at_ms = self.now_ms;
        let certificates = self.running_certificates(client)?;
        let revoked = RevokedDevice { at_ms, by, certificates };
        self.store.write(SPACE, client.as_str().as_bytes(), &revoked)?;
        fetch_revocations::outdate(self.store)?;
        let reason = RevocationReason::KeyCompromise;
        let entry = Revoked { client: client.clone(), serial: None, at_ms, reason };
        transparency::append(self.store, at_ms, &LogEntry::Revoked(entry))?;
        for group in leaves::all_groups(self.store, &client.user())? {
            if self.has_leaf(&group, client)?
                && let Some(mut record) = group_record::read(self.store, &group)?
                && record.successor.is_none()
            {
                self.propose_removal_of(&mut record, client)?;
            }
        }
        Ok(())
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

#[cfg(test)]
crate::codec_properties::hold!(RevokedDevice, RunningCertificate);
