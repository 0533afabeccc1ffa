//! Time passed: what has ended is taken away.

use super::expiry::{Expiring, take_due};
use super::turn::Turn;
use crate::limits::SWEEP_ENTRIES_MAX;
use crate::store::StoreError;

impl Turn<'_> {
    /// A minute passed.
    pub(super) fn tick(&mut self) -> Result<(), StoreError> {
        self.sweep()?;
        self.renew_revocations()?;
        self.look_at_accounts()
    }

    /// Takes away what ended, within a bound; the rest goes with the next tick.
    fn sweep(&mut self) -> Result<(), StoreError> {
        self.rates.forget_full(self.now_ms);
        for ended in take_due(self.store, self.now_ms, SWEEP_ENTRIES_MAX)? {
            match ended {
                Expiring::Answer(key) => self.forget_answer(&key),
                Expiring::Blob(hash) => self.expire_blob(&hash)?,
                Expiring::Upload(upload) => self.end_upload(&upload)?,
                Expiring::Welcome(key) => self.drop_welcome(&key.client, &key.id)?,
                Expiring::Claim(claim) => self.forget_claim(&claim)?,
                Expiring::PublishedPackage(hash) => self.forget_published(&hash),
                Expiring::IdleLeaf(leaf) => self.look_at_leaf(&leaf)?,
                Expiring::Knock(key) => self.expire_knock(&key)?,
                Expiring::CredentialJob(job) => self.forget_credential_job(&job),
                Expiring::SlowJob(job) => {
                    self.slow_room_job(&job)?;
                    self.slow_claim_job(&job)?;
                }
                Expiring::Job(job) => {
                    self.forget_room_job(&job);
                    self.forget_claim_job(&job)?;
                }
            }
        }
        Ok(())
    }
}
