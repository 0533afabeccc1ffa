//! Claims that wait for a homeserver: kept until it has answered for every device.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::answers::Asked;
use super::expiry::{Expiring, expire_at};
use super::revocation::{is_revoked, without_revoked};
use super::turn::{Turn, effect_id};
use super::{ClaimMatrix, ClaimTarget, Claimed, Effect, Reply};
use crate::key_package;
use crate::limits::{CLAIM_ATTEMPTS_MAX, DEVICES_PER_USER_MAX, JOB_KEEP_MS, JOB_WAIT_MS};
use crate::store::{Space, StoreError};
use crate::wire::claim_key_packages::{ClaimOutcome, ClaimedClient};
use crate::wire::refusal::Refusal;
use crate::wire::{Answer, Digest, GroupId};

const JOB: Space = "claim_job";
/// The job that a round of asking the homeserver belongs to.
const ROUND: Space = "claim_round";

/// A claim that is not answered yet.
#[derive(MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(Debug, proptest_derive::Arbitrary))]
pub(super) struct ClaimJob {
    /// Who asked.
    pub(super) asked: Asked,
    /// Whether they were told to ask again.
    pub(super) answered: bool,
    /// What for.
    pub(super) group: GroupId,
    /// Acceptable suites.
    pub(super) suites: Vec<u16>,
    /// What is known already.
    pub(super) found: Vec<ClaimedClient>,
    /// Whom the homeserver is being asked for.
    pub(super) waiting: Vec<ClaimTarget>,
    /// How often it was asked.
    pub(super) round: u8,
}

impl Turn<'_> {
    /// The job of this request, if it is not done yet.
    pub(super) fn claim_job(&self, asked: &Asked) -> Result<Option<ClaimJob>, StoreError> {
        self.store.read(JOB, &asked.key().0)
    }

    /// Stores a job, and gives its asker [`JOB_WAIT_MS`] of patience.
    pub(super) fn write_claim_job(&self, job: &ClaimJob) -> Result<(), StoreError> {
        let key = job.asked.key();
        self.store.write(JOB, &key.0, job)?;
        let slow_ms = self.now_ms.saturating_add(JOB_WAIT_MS);
        expire_at(self.store, slow_ms, &Expiring::SlowJob(key))?;
        expire_at(self.store, self.now_ms.saturating_add(JOB_KEEP_MS), &Expiring::Job(key))
    }

    /// Asks the homeserver for all that the job waits for.
    pub(super) fn ask_homeserver(&mut self, job: &mut ClaimJob) -> Result<(), StoreError> {
        job.round = job.round.saturating_add(1);
        let key = job.asked.key();
        let round = round_id(&key, job.round);
        self.store.write(ROUND, &round.0, &key)?;
        self.effects.push(Effect::ClaimMatrix(ClaimMatrix {
            job: round,
            targets: job.waiting.clone(),
            suites: job.suites.clone(),
        }));
        Ok(())
    }

    /// The homeserver has answered a round.
    pub(super) fn claimed(&mut self, claimed: Claimed) -> Result<(), StoreError> {
        let Some(key) = self.store.read::<Digest>(ROUND, &claimed.job.0)? else { return Ok(()) };
        self.store.delete(ROUND, &claimed.job.0);
        let Some(mut job) = self.store.read::<ClaimJob>(JOB, &key.0)? else { return Ok(()) };
        let mut again = Vec::new();
        for target in std::mem::take(&mut job.waiting) {
            again.extend(self.settle(&mut job, &target, &claimed.clients)?);
        }
        job.waiting = again;
        if job.waiting.is_empty() {
            self.finish_claim(job)
        } else {
            self.ask_homeserver(&mut job)?;
            self.store.write(JOB, &key.0, &job)
        }
    }

    /// All is known.
    pub(super) fn finish_claim(&mut self, job: ClaimJob) -> Result<(), StoreError> {
        self.store.delete(JOB, &job.asked.key().0);
        let answer = Answer::KeyPackages(without_revoked(self.store, job.found)?);
        self.remember(&job.asked, &answer)?;
        if !job.answered {
            self.reply(&job.asked, Reply::Ok(answer))?;
        }
        Ok(())
    }

    /// The asker has waited long enough: not now, ask again.
    pub(super) fn slow_claim_job(&mut self, key: &Digest) -> Result<(), StoreError> {
        let Some(mut job) = self.store.read::<ClaimJob>(JOB, &key.0)? else { return Ok(()) };
        if !job.answered {
            self.reply(&job.asked, Reply::Refused(Refusal::Unavailable(JOB_WAIT_MS)))?;
            job.answered = true;
            self.store.write(JOB, &key.0, &job)?;
        }
        Ok(())
    }

    /// The job will not be done any more.
    pub(super) fn forget_claim_job(&self, key: &Digest) -> Result<(), StoreError> {
        if let Some(job) = self.store.read::<ClaimJob>(JOB, &key.0)? {
            self.store.delete(ROUND, &round_id(key, job.round).0);
            self.store.delete(JOB, &key.0);
        }
        Ok(())
    }

    /// What the homeserver said about one target; returns the devices to ask for once more.
    fn settle(
        &self,
        job: &mut ClaimJob,
        target: &ClaimTarget,
        clients: &[ClaimedClient],
    ) -> Result<Vec<ClaimTarget>, StoreError> {
        let mut again = Vec::new();
        let mut any = false;
        for claimed in clients.iter().filter(|claimed| is_for(claimed, target)) {
            let known = job.found.iter().any(|f| f.client.is_some() && f.client == claimed.client);
            let many = job.found.iter().filter(|f| f.user == target.user).count();
            if known || many >= DEVICES_PER_USER_MAX {
                continue;
            }
            any = true;
            match self.judge(job, claimed)? {
                Some(outcome) => job.found.push(ClaimedClient { outcome, ..claimed.clone() }),
                None => again.push(ClaimTarget {
                    user: target.user.clone(),
                    device: claimed.client.as_ref().map(|client| client.device()),
                }),
            }
        }
        if !any {
            job.found.push(nothing_for(target));
        }
        Ok(again)
    }

    /// The outcome for one device; none where another package is worth asking for.
    fn judge(
        &self,
        job: &ClaimJob,
        claimed: &ClaimedClient,
    ) -> Result<Option<ClaimOutcome>, StoreError> {
        // What nobody may use is not kept for who asks again.
        if let Some(client) = &claimed.client
            && is_revoked(self.store, client)?
        {
            return Ok(Some(ClaimOutcome::Revoked));
        }
        let (package, last_resort) = match &claimed.outcome {
            ClaimOutcome::OneTime(package) => (package, false),
            ClaimOutcome::LastResort(package) => (package, true),
            other => return Ok(Some(other.clone())),
        };
        let fit = key_package::check(package, self.now_ms)
            .ok()
            .filter(|fit| Some(&fit.client) == claimed.client.as_ref())
            .filter(|fit| job.suites.contains(&fit.suite));
        match fit {
            Some(fit) => {
                self.log_claim(&job.group, &fit, package, last_resort)?;
                Ok(Some(claimed.outcome.clone()))
            }
            // A last resort would only come again.
            None if last_resort || job.round >= CLAIM_ATTEMPTS_MAX => {
                Ok(Some(ClaimOutcome::Incompatible))
            }
            None => Ok(None),
        }
    }
}

fn round_id(job: &Digest, round: u8) -> Digest {
    effect_id("claim", &[&job.0, &[round]])
}

fn is_for(claimed: &ClaimedClient, target: &ClaimTarget) -> bool {
    let user = claimed.user == target.user
        && claimed.client.as_ref().is_none_or(|client| client.user() == target.user);
    let device = target.device.as_ref().is_none_or(|wanted| {
        claimed.client.as_ref().is_some_and(|client| client.device() == *wanted)
    });
    user && device
}

/// What is said of a target that the homeserver said nothing about.
fn nothing_for(target: &ClaimTarget) -> ClaimedClient {
    let client = target.device.as_ref().and_then(|device| target.user.device(device).ok());
    let outcome = if client.is_some() { ClaimOutcome::Exhausted } else { ClaimOutcome::Unknown };
    ClaimedClient { user: target.user.clone(), client, outcome }
}

#[cfg(test)]
crate::codec_properties::hold!(ClaimJob);
