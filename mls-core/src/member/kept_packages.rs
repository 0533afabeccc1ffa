//! Private parts of key packages: how many are kept, and when they go.
//!
//! Whoever asks a homeserver gets one-time packages of a device, and uses up as many as it likes; the
//! device makes others, and keeps the private parts of all until they end. So there is a bound: above it
//! nobody gets more than the last resort, until some have ended.

use mls_rs_core::key_package::KeyPackageData;

use super::Member;
use super::engine_storage::KEY_PACKAGE;
use super::key_packages::Fill;
use super::keys::SUITE;
use super::warning::WarningKind;
use crate::limits::{DAY_MS, KEY_PACKAGES_KEPT_MAX, KEY_PACKAGES_SWEPT_AT_ONCE};
use crate::overlay::decode;
use crate::store::{Space, StoreError};
use crate::wire::GroupId;

/// Up to which reference private parts were looked through, while that is going on.
const SWEPT: Space = "key_packages_swept";
const OWN: &[u8] = b"own";

/// What is remembered in memory.
#[derive(Default)]
pub(super) struct KeptPackages {
    /// So many are kept that none is made, until the next sweep.
    full: bool,
    /// Whether people know.
    told: bool,
}

impl Member {
    /// Whether private parts of more one-time packages can be kept; people are told once if not.
    pub(super) fn has_place_for_packages(&mut self) -> Result<bool, StoreError> {
        if self.kept_packages.full {
            return Ok(false);
        }
        let kept = self.overlay.scan(KEY_PACKAGE, &[], &[], KEY_PACKAGES_KEPT_MAX)?.len();
        self.kept_packages.full = kept >= KEY_PACKAGES_KEPT_MAX;
        if self.kept_packages.full && !self.kept_packages.told {
            self.kept_packages.told = true;
            let text = format!(
                "this device keeps the private parts of {kept} key packages, for somebody takes one after \
                 the other: it makes no more until some have ended, and is added by its last resort"
            );
            self.warn(&GroupId::none(), WarningKind::KeyPackagesStay, text)?;
        }
        Ok(!self.kept_packages.full)
    }

    /// Once a day, over as many minutes as it takes: deletes private parts that have expired; then rotates
    /// the last resort.
    pub(super) fn sweep_key_packages(&mut self) -> Result<(), StoreError> {
        let mut pool = self.pool(SUITE)?;
        if pool.swept_ms.saturating_add(DAY_MS) > self.now_ms || !self.sweep_slice()? {
            return Ok(());
        }
        pool.swept_ms = self.now_ms;
        self.write_pool(SUITE, &pool)?;
        self.kept_packages.full = false;
        let published = !pool.last_resort.is_empty();
        self.drop_stale_uploads()?;
        if published { self.fill_pools(Fill::BelowHalf) } else { Ok(()) }
    }

    /// Deletes what has expired among the next private parts, in the order of their references. Whether
    /// these were the last.
    fn sweep_slice(&mut self) -> Result<bool, StoreError> {
        let from = self.overlay.get(SWEPT, OWN)?.unwrap_or_default();
        let rows = self.overlay.scan(KEY_PACKAGE, &[], &from, KEY_PACKAGES_SWEPT_AT_ONCE)?;
        let expired_s = self.now_ms.saturating_sub(DAY_MS) / 1000;
        for (reference, value) in &rows {
            if decode::<KeyPackageData>(KEY_PACKAGE, value)?.expiration < expired_s {
                self.overlay.delete(KEY_PACKAGE, reference);
            }
        }
        match rows.last() {
            Some((last, _)) if rows.len() == KEY_PACKAGES_SWEPT_AT_ONCE => {
                self.overlay.put(SWEPT, OWN, [last.as_slice(), &[0]].concat());
                Ok(false)
            }
            _ => {
                self.overlay.delete(SWEPT, OWN);
                Ok(true)
            }
        }
    }
}
