//! The claim log: which key package was handed out for which group. Only such may be added.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::expiry::{ClaimKey, Expiring, expire_at};
use super::turn::Turn;
use crate::address::{ClientId, UserId};
use crate::key_package::{self, FitPackage};
use crate::limits::{CLAIM_KEEP_MS, CLAIM_SAME_ANSWER_MS, DEVICES_PER_USER_MAX};
use crate::overlay::decode;
use crate::store::{Space, StoreError};
use crate::wire::GroupId;
use crate::wire::claim_key_packages::{ClaimOutcome, ClaimedClient};

/// Claims by group and KeyPackageRef.
const CLAIM: Space = "claim";
/// The newest package of each client that was claimed and not used, by group and client.
const UNUSED: Space = "claim_unused";

/// A package that was handed out.
#[derive(MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(Debug, proptest_derive::Arbitrary))]
struct Claim {
    client: ClientId,
    last_resort: bool,
    used: bool,
}

/// The package itself, for who asks again.
#[derive(MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(Debug, proptest_derive::Arbitrary))]
struct UnusedClaim {
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    reference: Vec<u8>,
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    package: Vec<u8>,
    last_resort: bool,
    claimed_ms: u64,
}

impl Turn<'_> {
    /// Writes down that a package is handed out for a group.
    pub(super) fn log_claim(
        &self,
        group: &GroupId,
        fit: &FitPackage,
        package: &[u8],
        last_resort: bool,
    ) -> Result<(), StoreError> {
        let claim = Claim { client: fit.client.clone(), last_resort, used: false };
        self.store.write(CLAIM, &claim_key(group, &fit.reference), &claim)?;
        let unused = UnusedClaim {
            reference: fit.reference.clone(),
            package: package.to_vec(),
            last_resort,
            claimed_ms: self.now_ms,
        };
        self.store.write(UNUSED, &client_key(group, fit.client.as_str()), &unused)?;
        let key = ClaimKey { group: group.clone(), reference: fit.reference.clone() };
        let end = self.now_ms.saturating_add(CLAIM_KEEP_MS);
        expire_at(self.store, end, &Expiring::Claim(key))
    }

    /// What was claimed for the group from this user, is not used, and is still good to hand
    /// out again; nothing if there is none.
    pub(super) fn claimed_before(
        &self,
        group: &GroupId,
        user: &UserId,
        suites: &[u16],
    ) -> Result<Vec<ClaimedClient>, StoreError> {
        let prefix = client_key(group, &format!("{user}/"));
        let mut found = Vec::new();
        for (_, value) in self.store.scan(UNUSED, &prefix, b"", DEVICES_PER_USER_MAX)? {
            let unused: UnusedClaim = decode(UNUSED, &value)?;
            let old = unused.claimed_ms.saturating_add(CLAIM_SAME_ANSWER_MS) < self.now_ms;
            let fit = key_package::check(&unused.package, self.now_ms);
            let Some(fit) = fit.ok().filter(|fit| !old && suites.contains(&fit.suite)) else {
                continue;
            };
            let outcome = match unused.last_resort {
                true => ClaimOutcome::LastResort(unused.package),
                false => ClaimOutcome::OneTime(unused.package),
            };
            found.push(ClaimedClient { user: user.clone(), client: Some(fit.client), outcome });
        }
        Ok(found)
    }

    /// Whether this package may be added: handed out for this group, and not used up.
    pub(super) fn may_add(&self, group: &GroupId, fit: &FitPackage) -> Result<bool, StoreError> {
        let claim: Option<Claim> = self.store.read(CLAIM, &claim_key(group, &fit.reference))?;
        Ok(claim
            .is_some_and(|claim| claim.client == fit.client && (claim.last_resort || !claim.used)))
    }

    /// Whether a package of the client was handed out for the group and waits to be used.
    pub(super) fn is_claimed(
        &self,
        group: &GroupId,
        client: &ClientId,
    ) -> Result<bool, StoreError> {
        Ok(self.store.get(UNUSED, &client_key(group, client.as_str()))?.is_some())
    }

    /// The client whose package this is, if it was handed out for the group and not used; it is
    /// used now.
    pub(super) fn use_claimed(
        &self,
        group: &GroupId,
        reference: &[u8],
    ) -> Result<Option<ClientId>, StoreError> {
        let key = claim_key(group, reference);
        let Some(claim) = self.store.read::<Claim>(CLAIM, &key)? else { return Ok(None) };
        if claim.used && !claim.last_resort {
            return Ok(None);
        }
        let client = claim.client.clone();
        self.store.write(CLAIM, &key, &Claim { used: true, ..claim })?;
        self.store.delete(UNUSED, &client_key(group, client.as_str()));
        Ok(Some(client))
    }

    /// The package was added.
    pub(super) fn use_claim(&self, group: &GroupId, fit: &FitPackage) -> Result<(), StoreError> {
        let key = claim_key(group, &fit.reference);
        if let Some(mut claim) = self.store.read::<Claim>(CLAIM, &key)? {
            claim.used = true;
            self.store.write(CLAIM, &key, &claim)?;
        }
        // The next claim for this user asks anew, or a device that came since would be missed.
        let prefix = client_key(group, &format!("{}/", fit.client.user()));
        for (key, _) in self.store.scan(UNUSED, &prefix, b"", DEVICES_PER_USER_MAX)? {
            self.store.delete(UNUSED, &key);
        }
        Ok(())
    }

    /// The claim is so old that its package may no longer be added.
    pub(super) fn forget_claim(&self, claim: &ClaimKey) -> Result<(), StoreError> {
        let key = claim_key(&claim.group, &claim.reference);
        if let Some(known) = self.store.read::<Claim>(CLAIM, &key)? {
            let unused_key = client_key(&claim.group, known.client.as_str());
            let unused: Option<UnusedClaim> = self.store.read(UNUSED, &unused_key)?;
            if unused.is_some_and(|unused| unused.reference == claim.reference) {
                self.store.delete(UNUSED, &unused_key);
            }
        }
        self.store.delete(CLAIM, &key);
        Ok(())
    }
}

fn claim_key(group: &GroupId, reference: &[u8]) -> Vec<u8> {
    [group.0.as_slice(), reference].concat()
}

fn client_key(group: &GroupId, client: &str) -> Vec<u8> {
    [group.0.as_slice(), client.as_bytes()].concat()
}

#[cfg(test)]
crate::codec_properties::hold!(Claim, UnusedClaim);
