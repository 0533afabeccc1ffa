//! A commit of ours whose certificate ended on its way to the hub.
//!
//! The hub rightly refuses it, but nothing is wrong that people could mend: by the time of the answer
//! this device has another certificate, or asks for one. So the commit is made anew with that, as after a
//! lost race and as often. Whatever else a commit is refused for, and a certificate that is not renewed,
//! people hear of.

use mls_rs_core::crypto::CipherSuite;
use mls_rs_core::identity::{Credential, SigningIdentity};

use super::engine_storage::{self, Slot};
use super::group_record::PendingCommit;
use super::keys::SignatureKey;
use super::requests::Purpose;
use super::{Member, engine_fault};
use crate::limits::COMMIT_ATTEMPTS_MAX;
use crate::store::StoreError;
use crate::wire::GroupId;

impl Member {
    /// The hub finds that a commit of ours is not valid.
    pub(super) fn commit_invalid(&mut self, group: &GroupId, why: &str) -> Result<(), StoreError> {
        if self.is_made_anew(group)? {
            self.commit_lost(group)
        } else {
            self.commit_refused(group, why)
        }
    }

    /// Whether what is wrong with the pending commit is our own certificate, which ended on the way, and
    /// another is there or will be.
    fn is_made_anew(&mut self, group: &GroupId) -> Result<bool, StoreError> {
        let Some(record) = self.record(group) else { return Ok(false) };
        let (suite, attempts) = (CipherSuite::from(record.suite), record.attempts);
        let Some(pending) = record.pending.clone() else { return Ok(false) };
        if attempts.saturating_add(1) >= COMMIT_ATTEMPTS_MAX {
            return Ok(false);
        }
        let Some(shown) = self.shown_by(group, &pending)? else { return Ok(false) };
        let Credential::X509(chain) = &shown.credential else { return Ok(false) };
        if !self.is_past(chain) {
            return Ok(false);
        }
        let current = self.key_in(group, suite)?;
        let key = self.key_behind(group, suite, &shown.signature_key)?;
        let key = key.unwrap_or_else(|| current.clone());
        if !self.has_run_out(&key) {
            return Ok(true);
        }
        match key.public() == current.public() {
            true => self.want_credentials()?,
            // One that the commit was to bring.
            false => drop(self.fresh_key(group, suite)?),
        }
        Ok(self.is_asking_for_certificate(group))
    }

    /// Whether the certificate of a key has ended, not only soon; none never does.
    fn has_run_out(&self, key: &SignatureKey) -> bool {
        key.until_s() <= self.now_ms / 1000
    }

    fn is_asking_for_certificate(&self, group: &GroupId) -> bool {
        self.is_asking(|purpose| match purpose {
            Purpose::Credential(_) => true,
            Purpose::GroupCredential(of) => of == group,
            _ => false,
        })
    }

    /// Whether a way back would show a certificate that has ended, while another is asked for.
    pub(super) fn way_back_waits_for_certificate(
        &self,
        group: &GroupId,
        suite: CipherSuite,
    ) -> Result<bool, StoreError> {
        Ok(self.is_asking_for_certificate(group) && self.has_run_out(&self.key_in(group, suite)?))
    }

    /// What our leaf shows in the epoch that the pending commit leads to.
    fn shown_by(
        &mut self,
        group: &GroupId,
        pending: &PendingCommit,
    ) -> Result<Option<SigningIdentity>, StoreError> {
        if pending.external {
            return self.shown_by_candidate(group);
        }
        let Some(loaded) = self.take_group(group)? else { return Ok(None) };
        let mut next = loaded.group.clone();
        self.give_back(group, loaded);
        let applied = match self.is_ordered_by_room(group) {
            true => self.apply_own_to(&mut next, group, &pending.hash)?,
            false => next.has_pending_commit() && next.apply_pending_commit().is_ok(),
        };
        let shown = applied.then(|| next.current_member_signing_identity().cloned().ok());
        Ok(shown.flatten())
    }

    fn shown_by_candidate(&self, group: &GroupId) -> Result<Option<SigningIdentity>, StoreError> {
        if !engine_storage::exists(&self.overlay, Slot::Candidate, &group.0)? {
            return Ok(None);
        }
        let loader = self.loader(Slot::Candidate);
        let candidate = loader.load_group(&group.0).map_err(|e| engine_fault(&e))?;
        Ok(candidate.current_member_signing_identity().cloned().ok())
    }
}
