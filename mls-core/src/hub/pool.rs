//! The pool of XMPP clients' key packages: one-time packages, handed out once and the oldest
//! first, and one last resort for each client.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};
use mls_rs_core::crypto::CipherSuite;

use super::rates::Rate;
use super::turn::{Turn, effect_id};
use super::{Effect, Notify};
use crate::address::{ClientId, UserId};
use crate::key_package::{self, FitPackage};
use crate::limits::DEVICES_PER_USER_MAX;
use crate::overlay::decode;
use crate::policy::{CIPHER_SUITES, key_package_pool};
use crate::store::{Space, StoreError};
use crate::wire::Notice;
use crate::wire::claim_key_packages::ClaimOutcome;
use crate::wire::key_packages_low::KeyPackagesLow;

/// One entry a client and suite.
const POOL: Space = "pool";
/// One-time packages, by client, suite and number.
const ONE_TIME: Space = "pool_one_time";
/// Last-resort packages, by client and suite.
const LAST_RESORT: Space = "pool_last_resort";
/// Pools of one user.
const POOLS_PER_USER_MAX: usize = DEVICES_PER_USER_MAX * CIPHER_SUITES.len();
/// A client that runs low is told at the mark, and again after so many more.
const LOW_STEP: u32 = 10;

/// What a client has in the pool.
#[derive(Clone, Debug, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub(super) struct Pool {
    /// Whose it is.
    pub(super) client: ClientId,
    /// RFC 9420 number of the packages' suite.
    pub(super) suite: u16,
    /// One-time packages.
    pub(super) one_time: u32,
    /// The number of the next package.
    next: u64,
    /// Whether there is a last resort.
    pub(super) last_resort: bool,
}

/// A package that was taken from the pool.
pub(super) struct Taken {
    /// What it is.
    pub(super) fit: FitPackage,
    /// The MLSMessage.
    pub(super) package: Vec<u8>,
}

impl Turn<'_> {
    /// What the client has of a suite; nothing, if it never published any.
    pub(super) fn pool(&self, client: &ClientId, suite: u16) -> Result<Pool, StoreError> {
        let client = client.clone();
        let empty = Pool { client, suite, one_time: 0, next: 0, last_resort: false };
        Ok(self.store.read(POOL, &empty.key())?.unwrap_or(empty))
    }

    /// The pools of all clients of a user, those of one client together.
    pub(super) fn pools(&self, user: &UserId) -> Result<Vec<Pool>, StoreError> {
        let prefix = format!("{user}/");
        let found = self.store.scan(POOL, prefix.as_bytes(), b"", POOLS_PER_USER_MAX)?;
        found.iter().map(|(_, value)| decode(POOL, value)).collect()
    }

    /// Puts a one-time package in; of more than a pool holds, the oldest goes.
    pub(super) fn pool_one_time(&self, pool: &mut Pool, package: &[u8]) -> Result<(), StoreError> {
        self.store.put(ONE_TIME, &pool.one_time_key(pool.next), package.to_vec());
        pool.next = pool.next.saturating_add(1);
        pool.one_time = pool.one_time.saturating_add(1);
        if pool.one_time > key_package_pool(CipherSuite::from(pool.suite)) {
            self.pop(pool)?;
        }
        Ok(())
    }

    /// Puts the last resort in, in place of the one before.
    pub(super) fn pool_last_resort(&self, pool: &mut Pool, package: &[u8]) {
        self.store.put(LAST_RESORT, &pool.key(), package.to_vec());
        pool.last_resort = true;
    }

    /// Stores the counts; a pool with nothing in it goes.
    pub(super) fn write_pool(&self, pool: &Pool) -> Result<(), StoreError> {
        if pool.one_time == 0 && !pool.last_resort {
            self.store.delete(POOL, &pool.key());
            return Ok(());
        }
        self.store.write(POOL, &pool.key(), pool)
    }

    /// Forgets a client's pool, which has no one-time package.
    pub(super) fn drop_pool(&self, pool: &Pool) {
        self.store.delete(LAST_RESORT, &pool.key());
        self.store.delete(POOL, &pool.key());
    }

    /// Takes a package of the client: a one-time package, else its last resort. Packages that no
    /// longer fit are thrown away.
    pub(super) fn take_from_pool(
        &mut self,
        mut pool: Pool,
    ) -> Result<Result<Taken, ClaimOutcome>, StoreError> {
        let had_any = pool.one_time > 0 || pool.last_resort;
        let before = pool.one_time;
        let user = pool.client.user();
        let mut taken = None;
        if pool.one_time > 0
            && self.rates.take(Rate::OneTimeClaims, &[user.as_str()], self.now_ms).is_ok()
        {
            while taken.is_none() {
                let Some(package) = self.pop(&mut pool)? else { break };
                taken = self.fitting(&pool, package);
            }
        }
        if taken.is_none() && pool.last_resort {
            let package =
                self.store.get(LAST_RESORT, &pool.key())?.map(|p| p.to_vec()).unwrap_or_default();
            let over = key_package::check(&package, self.now_ms).is_err();
            taken = self.fitting(&pool, package);
            if over {
                // Its time has ended, and nobody has replaced it.
                self.store.delete(LAST_RESORT, &pool.key());
                pool.last_resort = false;
            }
        }
        self.write_pool(&pool)?;
        self.tell_if_low(&pool, before);
        Ok(taken.ok_or(if had_any { ClaimOutcome::Incompatible } else { ClaimOutcome::Exhausted }))
    }

    fn fitting(&self, pool: &Pool, package: Vec<u8>) -> Option<Taken> {
        let fit = key_package::check(&package, self.now_ms).ok()?;
        let fits = fit.client == pool.client && fit.suite == pool.suite;
        fits.then_some(Taken { fit, package })
    }

    fn pop(&self, pool: &mut Pool) -> Result<Option<Vec<u8>>, StoreError> {
        let prefix = pool.key();
        let Some((key, package)) = self.store.scan(ONE_TIME, &prefix, b"", 1)?.pop() else {
            pool.one_time = 0;
            return Ok(None);
        };
        self.store.delete(ONE_TIME, &key);
        pool.one_time = pool.one_time.saturating_sub(1);
        Ok(Some(package.to_vec()))
    }

    /// Tells the client that its pool runs low, when it falls below the mark and at each step.
    fn tell_if_low(&mut self, pool: &Pool, before: u32) {
        let mark = key_package_pool(CipherSuite::from(pool.suite)) / 2;
        let fell = before >= mark;
        let stepped = before / LOW_STEP != pool.one_time / LOW_STEP || pool.one_time == 0;
        if pool.one_time < mark && (fell || stepped) {
            let client = &pool.client;
            let id = effect_id(
                "key packages low",
                &[&pool.key(), &pool.next.to_be_bytes(), &pool.one_time.to_be_bytes()],
            );
            let (device, suite) = (client.device(), pool.suite);
            let notice = KeyPackagesLow { device, suite, count: pool.one_time };
            let notice = Notice::KeyPackagesLow(notice);
            self.effects.push(Effect::Notify(Notify { id, to: client.clone(), notice }));
        }
    }
}

impl Pool {
    /// No client's name holds a zero byte.
    fn key(&self) -> Vec<u8> {
        [self.client.as_str().as_bytes(), &[0], &self.suite.to_be_bytes()].concat()
    }

    fn one_time_key(&self, number: u64) -> Vec<u8> {
        [self.key().as_slice(), &number.to_be_bytes()].concat()
    }
}

#[cfg(test)]
crate::codec_properties::hold!(Pool);
