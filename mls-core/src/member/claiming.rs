//! Claiming key packages of everybody who is to be in a group that is made at once, with all its
//! members: one that follows a ReInit, or a branch.

use mls_rs::MlsMessage;
use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::requests::Purpose;
use super::{Member, claimed_package};
use crate::address::{ClientId, UserId};
use crate::identity::Revocations;
use crate::limits::USERS_PER_CLAIM_MAX;
use crate::store::StoreError;
use crate::wire::claim_key_packages::{ClaimKeyPackages, ClaimPurpose, ClaimedClient};
use crate::wire::publish_key_packages::KeyPackageBytes;
use crate::wire::{GroupId, Request};

/// How far the claims have come.
#[derive(Clone, Debug, Default, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub(super) struct Claiming {
    /// Whose packages are asked for.
    users: Vec<UserId>,
    /// Those of them whose packages are still to be claimed.
    to_claim: Vec<UserId>,
    /// A claim is under way.
    pub(super) under_way: bool,
    /// Packages that were claimed and checked.
    packages: Vec<KeyPackageBytes>,
    /// One sentence for each client that has none.
    pub(super) failures: Vec<String>,
}

impl Claiming {
    /// Of all devices of these users.
    pub(super) fn of(mut users: Vec<UserId>) -> Self {
        users.sort();
        users.dedup();
        Self { to_claim: users.clone(), users, ..Self::default() }
    }

    /// Asks for those of more users, too. Whether any of them was not asked for before.
    pub(super) fn ask_also(&mut self, users: impl Iterator<Item = UserId>) -> bool {
        for user in users {
            if !self.users.contains(&user) {
                self.users.push(user.clone());
                self.to_claim.push(user);
            }
        }
        !self.to_claim.is_empty()
    }

    /// The packages that are there, by client.
    pub(super) fn held(&self) -> Vec<(ClientId, MlsMessage)> {
        self.packages.iter().filter_map(claimed_package::client).collect()
    }

    /// The hub answered a claim.
    pub(super) fn take(
        &mut self,
        claimed: &[ClaimedClient],
        suite: u16,
        now_ms: u64,
        revocations: &Revocations,
    ) {
        self.under_way = false;
        for client in claimed {
            match claimed_package::check(client, &self.users, suite, now_ms, revocations) {
                Ok((client, _)) if self.held().iter().any(|(held, _)| *held == client) => {}
                Ok((_, package)) => self.packages.push(package),
                Err(why) => self.failures.push(why),
            }
        }
    }
}

impl Member {
    /// Claims for a command what is not claimed yet, in portions. Whether anything was left.
    pub(super) fn claim_next(
        &mut self,
        number: u64,
        group: &GroupId,
        suite: u16,
        purpose: ClaimPurpose,
        claiming: &mut Claiming,
    ) -> Result<bool, StoreError> {
        if claiming.to_claim.is_empty() {
            return Ok(false);
        }
        let some = claiming.to_claim.len().min(USERS_PER_CLAIM_MAX);
        let users = claiming.to_claim.drain(..some).collect();
        claiming.under_way = true;
        let claim = ClaimKeyPackages { group: group.clone(), users, suites: vec![suite], purpose };
        self.request(Purpose::Intent(number), Request::ClaimKeyPackages(claim)).map(|_| true)
    }
}

#[cfg(test)]
crate::codec_properties::hold!(Claiming);
