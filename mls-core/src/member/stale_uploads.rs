//! Uploads of key packages that could not be made for so long that nobody takes them any more: given
//! up, or they would hold up all that follow.

use mls_rs_core::crypto::CipherSuite;

use super::intents::Stage;
use super::key_packages::UPLOAD;
use super::{KeyPackageUpload, Member};
use crate::key_package;
use crate::policy::KEY_PACKAGE_LEFT_MS;
use crate::store::StoreError;
use crate::wire::Digest;

impl Member {
    /// Forgets uploads whose packages are over, or soon will be. Commands that waited for them begin
    /// anew.
    pub(super) fn drop_stale_uploads(&mut self) -> Result<(), StoreError> {
        let uploads = self.uploads()?.into_iter();
        let stale: Vec<_> = uploads.filter(|upload| self.is_stale(upload)).collect();
        for upload in &stale {
            self.overlay.delete(UPLOAD, &upload.id.0);
            let suite = CipherSuite::from(upload.suite);
            let mut pool = self.pool(suite)?;
            pool.uploading = pool.uploading.saturating_sub(1);
            let last_resort = upload.last_resort.as_ref();
            if last_resort.is_some_and(|(reference, _)| *reference == pool.last_resort) {
                pool.last_resort.clear();
            }
            self.write_pool(suite, &pool)?;
            self.publish_anew(&upload.id)?;
        }
        if stale.is_empty() { Ok(()) } else { self.start_publishing() }
    }

    /// All packages of an upload are made at once; one that only announces the device has none.
    fn is_stale(&self, upload: &KeyPackageUpload) -> bool {
        let least_ms = self.now_ms.saturating_add(KEY_PACKAGE_LEFT_MS);
        let first = upload.one_time.first().or(upload.last_resort.as_ref());
        first.is_some_and(|(_, package)| match key_package::check(package, self.now_ms) {
            Ok(fit) => fit.until_ms < least_ms,
            Err(_) => true,
        })
    }

    fn publish_anew(&mut self, upload: &Digest) -> Result<(), StoreError> {
        let waits = |stage: &Stage| matches!(stage, Stage::Uploading(of) if of.contains(upload));
        let waiting: Vec<_> =
            self.intents.values().filter(|i| waits(&i.stage)).map(|i| i.number).collect();
        waiting.into_iter().try_for_each(|number| self.set_stage(number, Stage::Waiting))
    }
}
