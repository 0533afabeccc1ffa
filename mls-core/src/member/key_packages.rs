//! The pools of key packages, one a suite: one-time packages and one last resort, where our network
//! keeps them (RFC 9420 16.8 for why there is a last resort).
//!
//! Private parts stay here until the package is used or has expired ([`super::kept_packages`] has their
//! bound). A last-resort package is replaced when it was used, or is 30 days old. One-time packages are
//! replaced as they are used, and where the hub keeps them, which lets the oldest go for new ones, all of
//! them after 30 days. A homeserver gives none back: there unused ones end with their lifetime.

use mls_rs::extension::recommended::LastResortKeyPackageExt;
use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};
use mls_rs_core::crypto::CipherSuite;
use mls_rs_core::extension::ExtensionList;

use super::engine_storage::{KEY_PACKAGE, MemberClient};
use super::intents::{Intent, Stage, Step};
use super::keys::SUITE;
use super::warning::WarningKind;
use super::{Command, Event, KeyPackageUpload, Member, Output, engine_fault};
use crate::address::Network;
use crate::engine::{cipher_suite, sha256_parts};
use crate::limits::KEY_PACKAGES_PER_PUBLISH_MAX;
use crate::overlay::decode;
use crate::policy::{CIPHER_SUITES, KEY_PACKAGE_ROTATE_MS, key_package_pool};
use crate::store::{Space, StoreError};
use crate::wire::{Digest, GroupId};

const POOL: Space = "key_package_pool";
/// Whether the homeserver lists this device, by its key.
const ANNOUNCED: Space = "announced_device";
/// Uploads that are not confirmed.
pub(super) const UPLOAD: Space = "key_package_upload";

/// What we know of our pool.
#[derive(Clone, Debug, Default, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub(super) struct Pool {
    /// One-time packages at our network, by its own word or by what we uploaded.
    left: u32,
    /// Reference of the last-resort package.
    pub(super) last_resort: Vec<u8>,
    /// When it was made.
    last_resort_ms: u64,
    /// Packages in uploads that are not confirmed.
    pub(super) uploading: u32,
    /// When all one-time packages were last replaced.
    one_time_ms: u64,
    /// When private parts, of all suites, were last looked through; kept with the first suite.
    pub(super) swept_ms: u64,
}

/// When a pool is filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fill {
    /// Whatever is missing.
    Whole,
    /// When less than half is left.
    BelowHalf,
}

fn pool_key(suite: CipherSuite) -> [u8; 2] {
    u16::from(suite).to_be_bytes()
}

impl Member {
    pub(super) fn pool(&self, suite: CipherSuite) -> Result<Pool, StoreError> {
        Ok(self.overlay.read(POOL, &pool_key(suite))?.unwrap_or_default())
    }

    pub(super) fn write_pool(&self, suite: CipherSuite, pool: &Pool) -> Result<(), StoreError> {
        self.overlay.write(POOL, &pool_key(suite), pool)
    }

    /// The network, or the hub for it, says how many one-time packages are left.
    pub(super) fn key_packages_left(
        &mut self,
        suite: CipherSuite,
        left: u32,
    ) -> Result<(), StoreError> {
        if !CIPHER_SUITES.contains(&suite) {
            return Ok(());
        }
        let pool = self.pool(suite)?;
        if pool.left != left {
            self.write_pool(suite, &Pool { left, ..pool })?;
        }
        self.fill_pool(suite, Fill::BelowHalf)
    }

    /// Fills the pools of all suites, each as [`Member::fill_pool`] does.
    pub(super) fn fill_pools(&mut self, fill: Fill) -> Result<(), StoreError> {
        CIPHER_SUITES.into_iter().try_for_each(|suite| self.fill_pool(suite, fill))
    }

    /// On XMPP the hub keeps them, so it has to be known.
    fn can_publish(&mut self) -> Result<bool, StoreError> {
        Ok(self.client.network() == Network::Matrix || self.need_hub()?.is_some())
    }

    /// Makes packages if too few are left, or the last resort has to be replaced, and nothing is on
    /// its way; not before it is known which credential they will have.
    fn fill_pool(&mut self, suite: CipherSuite, fill: Fill) -> Result<(), StoreError> {
        if !self.can_publish()? || !self.credentials_settled()? {
            return Ok(());
        }
        let size = key_package_pool(suite);
        let below = match fill {
            Fill::Whole => size,
            Fill::BelowHalf => size / 2,
        };
        let mut pool = self.pool(suite)?;
        if pool.uploading > 0 {
            return Ok(());
        }
        let now_ms = self.now_ms;
        let is_old = |made_ms| now_ms.saturating_sub(made_ms) >= KEY_PACKAGE_ROTATE_MS;
        let replaced = self.client.network() == Network::Xmpp && is_old(pool.one_time_ms);
        let mut missing = match pool.left < below {
            _ if replaced => size,
            true => size.saturating_sub(pool.left),
            false => 0,
        };
        if missing > 0 && !self.has_place_for_packages()? {
            missing = 0;
        } else if replaced {
            pool.one_time_ms = self.now_ms;
        }
        let mut stale = pool.last_resort.is_empty() || is_old(pool.last_resort_ms);
        let portion = u32::try_from(KEY_PACKAGES_PER_PUBLISH_MAX).unwrap_or(u32::MAX);
        while missing > 0 || stale {
            // Halves of the pool, each small enough for one request.
            let count = missing.min(portion).min(size.div_ceil(2));
            self.make_upload(suite, &mut pool, count, stale)?;
            missing = missing.saturating_sub(count);
            stale = false;
        }
        self.write_pool(suite, &pool)
    }

    fn make_upload(
        &mut self,
        suite: CipherSuite,
        pool: &mut Pool,
        count: u32,
        last_resort: bool,
    ) -> Result<(), StoreError> {
        let engine = self.engine_of(suite);
        let one_time = (0..count)
            .map(|_| self.make_package(&engine, suite, false))
            .collect::<Result<Vec<_>, _>>()?;
        let last_resort =
            last_resort.then(|| self.make_package(&engine, suite, true)).transpose()?;
        if let Some((reference, _)) = &last_resort {
            pool.last_resort.clone_from(reference);
            pool.last_resort_ms = self.now_ms;
        }
        let references =
            one_time.iter().chain(&last_resort).map(|(reference, _)| reference.as_slice());
        let id = sha256_parts(&references.collect::<Vec<_>>());
        let upload = KeyPackageUpload {
            id,
            suite: suite.into(),
            suites: CIPHER_SUITES.map(u16::from).to_vec(),
            signature_key: self.keys.own().public().to_vec(),
            one_time,
            last_resort,
        };
        pool.uploading = pool.uploading.saturating_add(1);
        self.overlay.write(UPLOAD, &id.0, &upload)?;
        self.outputs.push(Output::UploadKeyPackages(upload));
        Ok(())
    }

    /// The key of a suite has a certificate now: packages without one are replaced.
    pub(super) fn outdate_key_packages(&mut self, scheme: CipherSuite) -> Result<(), StoreError> {
        let key = self.keys.of(scheme).public().clone();
        for suite in CIPHER_SUITES.into_iter().filter(|s| *self.keys.of(*s).public() == key) {
            let pool = self.pool(suite)?;
            self.write_pool(suite, &Pool { left: 0, last_resort: Vec::new(), ..pool })?;
        }
        Ok(())
    }

    /// Makes fresh packages in place of all that are published; where the network gives none back, in place
    /// of the last resorts only.
    pub(super) fn replace_key_packages(&mut self) -> Result<(), StoreError> {
        let mut staying = 0u32;
        for suite in CIPHER_SUITES {
            let pool = self.pool(suite)?;
            staying = staying.saturating_add(pool.left);
            self.write_pool(suite, &Pool { last_resort: Vec::new(), one_time_ms: 0, ..pool })?;
        }
        if self.client.network() == Network::Matrix && staying > 0 {
            let text = format!(
                "the homeserver gives no one-time key packages back: up to {staying} from before stay \
                 there, each until it is used or has ended"
            );
            self.warn(&GroupId::none(), WarningKind::KeyPackagesStay, text)?;
        }
        self.fill_pools(Fill::Whole)
    }

    /// Whether the homeserver lists this device and its key, as the authority wants it; if not, that is
    /// uploaded first, without a package.
    pub(super) fn is_announced(&mut self) -> Result<bool, StoreError> {
        let key = self.keys.own().public().to_vec();
        let known =
            self.client.network() == Network::Xmpp || self.overlay.get(ANNOUNCED, &key)?.is_some();
        let id = sha256_parts(&[b"announcement", &key]);
        if known || self.overlay.get(UPLOAD, &id.0)?.is_some() {
            return Ok(known);
        }
        let upload = KeyPackageUpload {
            id,
            suite: SUITE.into(),
            suites: CIPHER_SUITES.map(u16::from).to_vec(),
            signature_key: key,
            one_time: Vec::new(),
            last_resort: None,
        };
        self.overlay.write(UPLOAD, &id.0, &upload)?;
        self.outputs.push(Output::UploadKeyPackages(upload));
        Ok(false)
    }

    /// Reference and MLSMessage of a fresh package.
    fn make_package(
        &self,
        engine: &MemberClient,
        suite: CipherSuite,
        last_resort: bool,
    ) -> Result<(Vec<u8>, Vec<u8>), StoreError> {
        let mut extensions = ExtensionList::new();
        if last_resort {
            extensions.set_from(LastResortKeyPackageExt).map_err(|e| StoreError(e.to_string()))?;
        }
        // The lifetime is counted from here, and longer by as much.
        let time = self.backdated();
        let leaf = self
            .leaf_extensions(self.keys.of(suite).public())
            .map_err(|e| StoreError(e.to_string()))?;
        let message = engine
            .generate_key_package_message(extensions, leaf, Some(time))
            .map_err(|e| engine_fault(&e))?;
        let suite = cipher_suite(suite).map_err(|e| StoreError(e.to_string()))?;
        let reference = message.key_package_reference(&suite).map_err(|e| engine_fault(&e))?;
        let bytes = message.to_bytes().map_err(|e| engine_fault(&e))?;
        Ok((reference.map(|reference| reference.to_vec()).unwrap_or_default(), bytes))
    }

    /// The network has an upload.
    pub(super) fn key_packages_uploaded(&mut self, id: &Digest) -> Result<(), StoreError> {
        let Some(upload) = self.overlay.read::<KeyPackageUpload>(UPLOAD, &id.0)? else {
            return Ok(());
        };
        self.overlay.delete(UPLOAD, &id.0);
        self.overlay.put(ANNOUNCED, &upload.signature_key, Vec::new());
        if upload.one_time.is_empty() && upload.last_resort.is_none() {
            self.want_credentials()?;
            return self.publishing_goes_on(id);
        }
        let count = u32::try_from(upload.one_time.len()).unwrap_or(u32::MAX);
        let suite = CipherSuite::from(upload.suite);
        let mut pool = self.pool(suite)?;
        pool.uploading = pool.uploading.saturating_sub(1);
        pool.left = pool.left.saturating_add(count).min(key_package_pool(suite));
        self.write_pool(suite, &pool)?;
        if self.uploads()?.is_empty() {
            let pools = CIPHER_SUITES.map(|suite| self.pool(suite));
            let left = pools.into_iter().map(|pool| pool.map(|pool| pool.left));
            let left = left.sum::<Result<u32, StoreError>>()?;
            self.emit(Event::KeyPackagesPublished(left))?;
            self.ask_to_join()?;
        }
        self.publishing_goes_on(id)
    }

    /// Starts the PublishKeyPackages commands that wait.
    pub(super) fn start_publishing(&mut self) -> Result<(), StoreError> {
        let publishes = |intent: &&Intent| matches!(intent.command, Command::PublishKeyPackages);
        let waiting: Vec<_> = self.intents.values().filter(publishes).map(|i| i.number).collect();
        waiting.into_iter().try_for_each(|number| self.step_publish(number).map(drop))
    }

    /// Starts a PublishKeyPackages command.
    pub(super) fn step_publish(&mut self, number: u64) -> Result<Step, StoreError> {
        let waiting = self.intents.get(&number).is_some_and(|i| i.stage == Stage::Waiting);
        if !waiting || !self.can_publish()? || !self.credentials_settled()? {
            return Ok(Step::Wait);
        }
        self.fill_pools(Fill::Whole)?;
        let uploads = self.uploads()?.into_iter().map(|upload| upload.id).collect::<Vec<_>>();
        if uploads.is_empty() {
            return self.done(number, None).map(|()| Step::Next);
        }
        self.set_stage(number, Stage::Uploading(uploads)).map(|()| Step::Wait)
    }

    /// Ends the commands that waited for this upload and no other.
    fn publishing_goes_on(&mut self, id: &Digest) -> Result<(), StoreError> {
        let publishes = |command: &Command| matches!(command, Command::PublishKeyPackages);
        let waiting: Vec<_> =
            self.intents.values().filter(|i| publishes(&i.command)).map(|i| i.number).collect();
        for number in waiting {
            let Some(Stage::Uploading(mut left)) =
                self.intents.get(&number).map(|intent| intent.stage.clone())
            else {
                continue;
            };
            left.retain(|upload| upload != id);
            if left.is_empty() {
                self.done(number, None)?;
            } else {
                self.set_stage(number, Stage::Uploading(left))?;
            }
        }
        Ok(())
    }

    /// Packages were used to join: a last resort is replaced at once.
    pub(super) fn key_packages_used(
        &mut self,
        suite: CipherSuite,
        references: &[Vec<u8>],
    ) -> Result<(), StoreError> {
        let mut pool = self.pool(suite)?;
        if !pool.last_resort.is_empty() && references.contains(&pool.last_resort) {
            pool.last_resort.clear();
            self.write_pool(suite, &pool)?;
            self.fill_pool(suite, Fill::BelowHalf)?;
        }
        Ok(())
    }

    /// A Welcome to these is given up: nobody is to open it any more. Of a last resort others may be on
    /// their way.
    pub(super) fn key_packages_spent(
        &mut self,
        suite: CipherSuite,
        references: &[Vec<u8>],
    ) -> Result<(), StoreError> {
        let last_resort = self.pool(suite)?.last_resort;
        for reference in references.iter().filter(|reference| **reference != last_resort) {
            self.overlay.delete(KEY_PACKAGE, reference);
        }
        self.key_packages_used(suite, references)
    }

    /// Uploads that are not confirmed, by suite: their ids hang on keys, and the order in which they go should not.
    pub(super) fn uploads(&self) -> Result<Vec<KeyPackageUpload>, StoreError> {
        let entries = self.overlay.scan(UPLOAD, &[], &[], usize::from(u16::MAX))?;
        let uploads = entries.into_iter().map(|(_, value)| decode(UPLOAD, &value));
        let mut uploads = uploads.collect::<Result<Vec<KeyPackageUpload>, _>>()?;
        uploads.sort_by_key(|upload| (upload.suite, upload.one_time.len()));
        Ok(uploads)
    }
}

#[cfg(test)]
crate::codec_properties::hold!(Pool);
