//! `PublishKeyPackages`: an XMPP client fills its pool.

use std::collections::BTreeSet;

use mls_rs::MlsMessage;
use mls_rs_core::crypto::CipherSuite;

use super::expiry::{Expiring, expire_at};
use super::rates::Rate;
use super::turn::{Stop, Turn, invalid, not_allowed};
use crate::address::{ClientId, Network, UserId};
use crate::engine::sha256;
use crate::key_package::{self, FitPackage};
use crate::limits::{DEVICES_PER_USER_MAX, KEY_PACKAGES_PER_PUBLISH_MAX};
use crate::policy::KEY_PACKAGE_LEFT_MS;
use crate::store::{Space, StoreError};
use crate::wire::publish_key_packages::{KeyPackageCount, PublishKeyPackages};
use crate::wire::refusal::Refusal;
use crate::wire::{Answer, Digest};

/// Hashes of one-time packages that were published once: none comes into the pool twice, for
/// then it could be handed out twice.
const PUBLISHED: Space = "published_package";

impl Turn<'_> {
    /// Pools what fits; one package that does not fit refuses the whole request.
    pub(super) fn publish_key_packages(
        &mut self,
        from: &UserId,
        request: &PublishKeyPackages,
    ) -> Result<Answer, Stop> {
        if from.network() != Network::Xmpp {
            return Err(not_allowed("on Matrix the homeserver keeps the key packages"));
        } else if request.one_time.len() > KEY_PACKAGES_PER_PUBLISH_MAX {
            return Err(invalid(format!("at most {KEY_PACKAGES_PER_PUBLISH_MAX} at once")));
        }
        let client = from.device(&request.device).map_err(invalid)?;
        self.rates
            .take(Rate::Publications, &[from.as_str()], self.now_ms)
            .map_err(Refusal::RateLimited)?;
        self.make_room(from, &client)?;
        let suite = suite_of(request)?;
        let mut pool = self.pool(&client, suite)?;
        for package in &request.one_time {
            let fit = self.own_package(&client, &package.0, false)?;
            if self.is_new(&package.0, &fit)? {
                self.pool_one_time(&mut pool, &package.0)?;
            }
        }
        if let Some(package) = &request.last_resort {
            self.own_package(&client, &package.0, true)?;
            self.pool_last_resort(&mut pool, &package.0);
        }
        self.write_pool(&pool)?;
        let count = KeyPackageCount { one_time: pool.one_time, last_resort: pool.last_resort };
        Ok(Answer::KeyPackageCount(count))
    }

    /// Whether one more device may publish; one that has long stopped filling its pools makes room.
    fn make_room(&self, from: &UserId, client: &ClientId) -> Result<(), Stop> {
        let pools = self.pools(from)?;
        let clients: BTreeSet<&ClientId> = pools.iter().map(|pool| &pool.client).collect();
        if clients.len() < DEVICES_PER_USER_MAX || clients.contains(client) {
            return Ok(());
        }
        let fills = |client: &&&ClientId| {
            pools.iter().any(|pool| pool.client == ***client && pool.one_time > 0)
        };
        let unused = clients.iter().find(|client| !fills(client));
        let unused = unused.ok_or_else(|| {
            not_allowed(format!("at most {DEVICES_PER_USER_MAX} devices publish"))
        })?;
        let theirs = pools.iter().filter(|pool| pool.client == **unused);
        theirs.for_each(|pool| self.drop_pool(pool));
        Ok(())
    }

    /// A published package is no longer valid, so it need not be known any more.
    pub(super) fn forget_published(&self, hash: &Digest) {
        self.store.delete(PUBLISHED, &hash.0);
    }

    fn own_package(
        &self,
        client: &ClientId,
        package: &[u8],
        last_resort: bool,
    ) -> Result<FitPackage, Stop> {
        let fit = key_package::check(package, self.now_ms)
            .map_err(|why| invalid(format!("a key package of {client}: {why}")))?;
        if fit.client != *client {
            Err(invalid(format!("a key package is for {}, not for {client}", fit.client)))
        } else if fit.until_ms < self.now_ms.saturating_add(KEY_PACKAGE_LEFT_MS) {
            Err(invalid("a key package must be valid for at least a day more"))
        } else if fit.last_resort != last_resort {
            Err(invalid("the last resort, and it alone, carries the extension 0x000A"))
        } else {
            Ok(fit)
        }
    }

    fn is_new(&self, package: &[u8], fit: &FitPackage) -> Result<bool, StoreError> {
        let hash = sha256(package);
        if self.store.get(PUBLISHED, &hash.0)?.is_some() {
            return Ok(false);
        }
        self.store.put(PUBLISHED, &hash.0, Vec::new());
        expire_at(self.store, fit.until_ms, &Expiring::PublishedPackage(hash))?;
        Ok(true)
    }
}

/// The one suite of all packages of a request; of none, the suite that everybody must have.
fn suite_of(request: &PublishKeyPackages) -> Result<u16, Stop> {
    let packages = request.one_time.iter().chain(&request.last_resort);
    let suites: BTreeSet<u16> = packages
        .filter_map(|package| MlsMessage::from_bytes(&package.0).ok()?.cipher_suite())
        .map(u16::from)
        .collect();
    match suites.len() {
        0 | 1 => Ok(suites.first().copied().unwrap_or(CipherSuite::CURVE25519_AES128.into())),
        _ => Err(invalid("the packages of one request are of one cipher suite")),
    }
}
