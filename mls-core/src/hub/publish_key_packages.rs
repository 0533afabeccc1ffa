//! `PublishKeyPackages`: an XMPP client fills its pool.

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
        let pools = self.pools(from)?;
        self.rates
            .take(Rate::Publications, &[from.as_str()], self.now_ms)
            .map_err(Refusal::RateLimited)?;
        if pools.len() >= DEVICES_PER_USER_MAX && pools.iter().all(|pool| pool.client != client) {
            // One that has long stopped filling its pool makes room.
            let unused = pools.iter().find(|pool| pool.one_time == 0);
            let unused = unused.ok_or_else(|| {
                not_allowed(format!("at most {DEVICES_PER_USER_MAX} devices publish"))
            })?;
            self.drop_pool(unused);
        }
        let mut pool = self.pool(&client)?;
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
