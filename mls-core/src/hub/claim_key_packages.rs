//! `ClaimKeyPackages`: one key package of every device of some users, for one group.

use super::ClaimTarget;
use super::answers::Asked;
use super::claim_jobs::ClaimJob;
use super::group_record::bridge_group;
use super::rates::Rate;
use super::turn::{Stop, Turn, invalid, not_allowed};
use crate::address::{ClientId, Network, UserId};
use crate::limits::USERS_PER_CLAIM_MAX;
use crate::store::StoreError;
use crate::wire::claim_key_packages::{ClaimKeyPackages, ClaimOutcome, ClaimedClient};
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
        let mut found = Vec::new();
        let mut waiting = Vec::new();
        let suites = vec![suite];
        for user in users {
            let before = self.claimed_before(&request.group, &user, &suites)?;
            if user.network() == Network::Xmpp || self.setup.matrix.is_none() {
                found.extend(self.claim_from_pool(&request.group, &user, suite, before)?);
            } else if before.is_empty() {
                waiting.push(ClaimTarget { user, device: None });
            } else {
                found.extend(before);
            }
        }
        let (asked, group) = (asked.clone(), request.group);
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
        let public = self.groups.copy(self.store, &record)?;
        let for_others = request.users.iter().any(|user| user != from);
        if for_others && !bridge_group(&public)?.may_add(from) {
            return Err(not_allowed("only who may add to the group may claim for it"));
        }
        if !request.suites.contains(&record.suite) {
            return Err(invalid(format!("the group's cipher suite is {}", record.suite)));
        }
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
        Ok((users, record.suite))
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
