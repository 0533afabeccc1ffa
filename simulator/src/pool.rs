//! KeyPackages as a homeserver keeps them for a device.

use std::collections::{BTreeMap, VecDeque};

use mls_core::member::KeyPackageUpload;
use mls_core::wire::claim_key_packages::ClaimOutcome;

/// One device's KeyPackages, by suite.
#[derive(Clone, Default)]
pub(crate) struct Pool {
    one_time: BTreeMap<u16, VecDeque<Vec<u8>>>,
    last_resort: BTreeMap<u16, Vec<u8>>,
    /// The signature key that the homeserver lists under the device.
    pub(crate) announced: Option<Vec<u8>>,
}

impl Pool {
    /// Puts what a device uploads beside what is there.
    pub(crate) fn put(&mut self, upload: KeyPackageUpload) {
        self.announced = Some(upload.signature_key);
        let one_time = self.one_time.entry(upload.suite).or_default();
        one_time.extend(upload.one_time.into_iter().map(|(_, bytes)| bytes));
        self.last_resort.extend(upload.last_resort.map(|(_, bytes)| (upload.suite, bytes)));
    }

    /// Takes one out for the first of `suites`.
    pub(crate) fn claim(&mut self, suites: &[u16]) -> ClaimOutcome {
        let Some(suite) = suites.first() else { return ClaimOutcome::Exhausted };
        match (
            self.one_time.get_mut(suite).and_then(VecDeque::pop_front),
            self.last_resort.get(suite),
        ) {
            (Some(package), _) => ClaimOutcome::OneTime(package),
            (None, Some(package)) => ClaimOutcome::LastResort(package.clone()),
            (None, None) => ClaimOutcome::Exhausted,
        }
    }
}
