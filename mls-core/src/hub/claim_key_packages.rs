//! `ClaimKeyPackages`: one key package of every device of some users, for one group.

use mls_rs_core::crypto::CipherSuite;

use super::ClaimTarget;
use super::answers::Asked;
use super::claim_jobs::ClaimJob;
use super::group_record::{self, GroupRecord, bridge_group};
use super::leaves;
use super::rates::Rate;
use super::revocation::is_revoked;
use super::turn::{Stop, Turn, invalid, not_allowed};
use crate::address::{ClientId, Network, UserId};
use crate::limits::USERS_PER_CLAIM_MAX;
use crate::policy::{CIPHER_SUITES, GROUP_ID_BYTES};
use crate::store::StoreError;
use crate::wire::claim_key_packages::{
    ClaimKeyPackages, ClaimOutcome, ClaimPurpose, ClaimedClient,
};
use crate::wire::refusal::Refusal;
use crate::wire::{Answer, GroupId};

impl Turn<'_> {
    /// Answers at once where this hub's own pool has all; otherwise when the homeserver has
    /// answered. Asked again meanwhile, the answer goes to the newest asker.
    pub(super) fn claim_key_packages(
        &mut self,
        asked: &Asked,
        request: ClaimKeyPackages,
    ) -> Result<Option<Answer>, Stop> {
        if let Some(mut job) = self.claim_job(asked)? {
            if job.asked.request != asked.request {
                return Err(invalid("this id was used for another request: choose a new one"));
            }
            job.asked = asked.clone();
            job.answered = false;
            self.write_claim_job(&job)?;
            return Ok(None);
        }
        let (users, suite) = self.check_claim(&asked.from, &request)?;
        let group = match &request.purpose {
            ClaimPurpose::Add => request.group.clone(),
            ClaimPurpose::Successor(next) | ClaimPurpose::Branch(next) => next.clone(),
        };
        let mut found = Vec::new();
        let mut waiting = Vec::new();
        let suites = vec![suite];
        for user in users {
            let before = self.claimed_before(&group, &user, &suites)?;
            if user.network() == Network::Xmpp || self.setup.matrix.is_none() {
                found.extend(self.claim_from_pool(&group, &user, suite, before)?);
            } else if before.is_empty() {
                waiting.push(ClaimTarget { user, device: None });
            } else {
                found.extend(before);
            }
        }
        let asked = asked.clone();
        let mut job = ClaimJob { asked, answered: false, group, suites, found, waiting, round: 0 };
        if job.waiting.is_empty() {
            self.finish_claim(job)?;
        } else {
            self.ask_homeserver(&mut job)?;
            self.write_claim_job(&job)?;
        }
        Ok(None)
    }

    /// Whether the asker may claim for this group now; returns the users, each once, and the
    /// group's suite.
    fn check_claim(
        &mut self,
        from: &UserId,
        request: &ClaimKeyPackages,
    ) -> Result<(Vec<UserId>, u16), Stop> {
        let record = self.group_of_member(&request.group, from)?;
        let suite = match &request.purpose {
            ClaimPurpose::Add => self.check_claim_to_add(&record, from, request)?,
            ClaimPurpose::Successor(next) => {
                self.check_successor_claim(&record, from, request, next)?
            }
            ClaimPurpose::Branch(next) => self.check_branch_claim(&record, request, next)?,
        };
        let mut users = request.users.clone();
        users.sort();
        users.dedup();
        if users.is_empty() || users.len() > USERS_PER_CLAIM_MAX {
            return Err(invalid(format!("name 1 to {USERS_PER_CLAIM_MAX} users")));
        }
        if let Some(user) = users.iter().find(|user| !record.reaches(user.network())) {
            return Err(not_allowed(format!("the group has no room on {}", user.network())));
        }
        for user in &users {
            self.rates
                .take(Rate::Claims, &[from.as_str(), user.as_str()], self.now_ms)
                .map_err(Refusal::RateLimited)?;
        }
        Ok((users, suite))
    }

    /// Whether the asker may add these users; gives the group's suite.
    fn check_claim_to_add(
        &mut self,
        record: &GroupRecord,
        from: &UserId,
        request: &ClaimKeyPackages,
    ) -> Result<u16, Stop> {
        let public = self.groups.copy(self.store, record)?;
        let for_others = request.users.iter().any(|user| user != from);
        if for_others && !bridge_group(&public)?.may_add(from) {
            return Err(not_allowed("only who may add to the group may claim for it"));
        }
        only_suite_of(record, request)
    }

    /// Whether these members may be taken into a branch, which everybody may make; gives its suite.
    fn check_branch_claim(
        &self,
        record: &GroupRecord,
        request: &ClaimKeyPackages,
        branch: &GroupId,
    ) -> Result<u16, Stop> {
        self.check_next(record, branch)?;
        self.check_members_asked_for(record, request)?;
        only_suite_of(record, request)
    }

    /// Whether a group that is to be made of this one may have that id.
    fn check_next(&self, record: &GroupRecord, next: &GroupId) -> Result<(), Stop> {
        if next.0.len() != GROUP_ID_BYTES || *next == record.group {
            return Err(invalid("this cannot be the id of another group"));
        } else if group_record::read(self.store, next)?.is_some() {
            return Err(Refusal::Exists.into());
        }
        Ok(())
    }

    /// Whether everybody of whom packages are asked for is in the group.
    fn check_members_asked_for(
        &self,
        record: &GroupRecord,
        request: &ClaimKeyPackages,
    ) -> Result<(), Stop> {
        for user in &request.users {
            if leaves::count(self.store, &record.group, user)? == 0 {
                return Err(not_allowed(format!("{user} is not in the group")));
            }
        }
        Ok(())
    }

    /// Whether an admin may claim of these members for the group that is to follow a ReInit; gives
    /// the one suite that it names.
    fn check_successor_claim(
        &mut self,
        record: &GroupRecord,
        from: &UserId,
        request: &ClaimKeyPackages,
        successor: &GroupId,
    ) -> Result<u16, Stop> {
        let public = self.groups.copy(self.store, record)?;
        let named = record.successor.as_ref().is_none_or(|next| next.group == *successor);
        if !bridge_group(&public)?.is_admin(from) {
            return Err(not_allowed("only an admin may start a group anew"));
        } else if !named {
            // Somebody else has ended the group, and said what follows.
            return Err(Refusal::Exists.into());
        }
        self.check_next(record, successor)?;
        self.check_members_asked_for(record, request)?;
        match request.suites.as_slice() {
            [suite] if CIPHER_SUITES.contains(&CipherSuite::from(*suite)) => Ok(*suite),
            _ => Err(invalid("name the one suite of the group that is to follow: 1, 2 or 3")),
        }
    }

    fn claim_from_pool(
        &mut self,
        group: &GroupId,
        user: &UserId,
        suite: u16,
        before: Vec<ClaimedClient>,
    ) -> Result<Vec<ClaimedClient>, StoreError> {
        let mut found = before;
        let pools = self.pools(user)?;
        let mut clients: Vec<ClientId> = pools.iter().map(|pool| pool.client.clone()).collect();
        clients.dedup();
        for client in clients {
            if found.iter().any(|claimed| claimed.client.as_ref() == Some(&client)) {
                continue;
            }
            let pool = pools.iter().find(|pool| pool.client == client && pool.suite == suite);
            let taken = match pool {
                _ if is_revoked(self.store, &client)? => Err(ClaimOutcome::Revoked),
                Some(pool) => self.take_from_pool(pool.clone())?,
                None => Err(ClaimOutcome::Incompatible),
            };
            let outcome = match taken {
                Ok(taken) => {
                    let last_resort = taken.fit.last_resort;
                    self.log_claim(group, &taken.fit, &taken.package, last_resort)?;
                    match last_resort {
                        true => ClaimOutcome::LastResort(taken.package),
                        false => ClaimOutcome::OneTime(taken.package),
                    }
                }
                Err(outcome) => outcome,
            };
            found.push(ClaimedClient { user: user.clone(), client: Some(client), outcome });
        }
        if found.is_empty() {
            let outcome = ClaimOutcome::Unknown;
            found.push(ClaimedClient { user: user.clone(), client: None, outcome });
        }
        Ok(found)
    }
}

/// The suite of a group, if the asker takes packages of it.
fn only_suite_of(record: &GroupRecord, request: &ClaimKeyPackages) -> Result<u16, Stop> {
    match request.suites.contains(&record.suite) {
        true => Ok(record.suite),
        false => Err(invalid(format!("the group's cipher suite is {}", record.suite))),
    }
}
