//! Certificates that did not come: when each is asked for again, and that people are not told of each try.
//!
//! Kept in memory: after a restart each is asked for once more.

use std::fmt::{Display, Formatter};

use mls_rs_core::crypto::CipherSuite;

use super::Member;
use super::keys::SUITE;
use super::requests::Purpose;
use super::warning::WarningKind;
use crate::limits::{CREDENTIAL_AGAIN_MS, CREDENTIAL_ENDED_AGAIN_MS, REVOKED_AGAIN_MS};
use crate::store::StoreError;
use crate::wire::GroupId;

/// Why a certificate did not come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CertificateMissing {
    /// It was over when it came, and not for the first time.
    Ended,
    /// It was refused, or not taken, with one sentence for people.
    Refused(String),
}

impl Display for CertificateMissing {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ended => {
                f.write_str("what comes is over already, by this device's clock: is that right?")
            }
            Self::Refused(why) => f.write_str(why),
        }
    }
}

/// A time in which nothing is asked for. A clock that was far ahead, and is set right, ends it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pause {
    since_ms: u64,
    wait_ms: u64,
}

impl Pause {
    /// Whether it lasts.
    pub(super) fn lasts(self, now_ms: u64) -> bool {
        now_ms.abs_diff(self.since_ms) < self.wait_ms
    }
}

/// What is remembered of a key without the certificate that was asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Missing {
    /// Certificates in a row that were over when they came.
    ended: u32,
    /// Of a group's own key: not asked for again by itself within this.
    pause: Pause,
    /// Whether people know.
    told: bool,
}

impl Missing {
    /// How long nothing is asked for after one more that was over.
    fn wait_ms(self) -> u64 {
        let doubled = 2u64.saturating_pow(self.ended.saturating_sub(2));
        CREDENTIAL_ENDED_AGAIN_MS.saturating_mul(doubled).min(CREDENTIAL_AGAIN_MS)
    }
}

impl Member {
    /// A certificate came that is over. Whether it is the first in a row: it may have been on its way for
    /// longer than its life, and another one is asked for at once.
    pub(super) fn is_first_to_end(&mut self, purpose: &Purpose) -> bool {
        let missing = self.patience.missing.entry(purpose.clone()).or_default();
        missing.ended = missing.ended.saturating_add(1);
        missing.ended == 1
    }

    /// A certificate came that is good.
    pub(super) fn certificate_came(&mut self, purpose: &Purpose) {
        self.patience.missing.remove(purpose);
        self.patience.told_ended = false;
    }

    /// One of this device's own keys gets no certificate: nothing is asked for within a pause.
    pub(super) fn own_certificate_missing(
        &mut self,
        suite: CipherSuite,
        why: &CertificateMissing,
    ) -> Result<(), StoreError> {
        let purpose = Purpose::Credential(suite.into());
        self.patience.pause = self.pause_after(&purpose, why)?;
        if self.is_over(self.keys.of(suite)) {
            self.keys.uncertify(&self.overlay, suite)?;
            self.engine = self.engine_of(SUITE);
        }
        if self.is_known_revoked()? || self.is_known_to_end(why) {
            return Ok(());
        }
        let text = format!("this device gets no certificate of its domain's authority: {why}");
        self.warn(&GroupId::none(), WarningKind::NoCertificate, text)
    }

    /// A group's own key gets no certificate: it is not asked for again by itself within a pause. Whether
    /// people are to be told.
    pub(super) fn group_certificate_missing(
        &mut self,
        group: &GroupId,
        why: &CertificateMissing,
    ) -> Result<bool, StoreError> {
        let purpose = Purpose::GroupCredential(group.clone());
        let pause = self.pause_after(&purpose, why)?;
        let known = self.is_known_revoked()? || self.is_known_to_end(why);
        let missing = self.patience.missing.entry(purpose).or_default();
        missing.pause = pause;
        let news = !known && !missing.told;
        missing.told |= news;
        Ok(news)
    }

    /// Whether the certificate of a group's own key was refused, or over, just now.
    pub(super) fn is_certificate_paused(&self, purpose: &Purpose) -> bool {
        let missing = self.patience.missing.get(purpose);
        missing.is_some_and(|missing| missing.pause.lasts(self.now_ms))
    }

    fn pause_after(
        &self,
        purpose: &Purpose,
        why: &CertificateMissing,
    ) -> Result<Pause, StoreError> {
        let missing = self.patience.missing.get(purpose).copied().unwrap_or_default();
        let wait_ms = match why {
            CertificateMissing::Ended => missing.wait_ms(),
            CertificateMissing::Refused(_) if self.is_known_revoked()? => REVOKED_AGAIN_MS,
            CertificateMissing::Refused(_) => CREDENTIAL_AGAIN_MS,
        };
        Ok(Pause { since_ms: self.now_ms, wait_ms })
    }

    /// Whether people know that certificates are over when they come. From here on they do.
    fn is_known_to_end(&mut self, why: &CertificateMissing) -> bool {
        *why == CertificateMissing::Ended && std::mem::replace(&mut self.patience.told_ended, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_ends_with_its_time_or_when_the_clock_was_set_right() {
        let pause = Pause { since_ms: 10_000, wait_ms: 1000 };
        let lasts = [0, 9000, 9001, 10_999, 11_000].map(|now_ms| pause.lasts(now_ms));
        assert_eq!(lasts, [false, false, true, true, false]);
        assert!(!Pause::default().lasts(0));
    }

    #[test]
    fn pauses_after_certificates_that_were_over_grow_up_to_a_day() {
        let waits = [2, 3, 4, 12, 13, u32::MAX].map(|ended| {
            Missing { ended, ..Missing::default() }.wait_ms() / CREDENTIAL_ENDED_AGAIN_MS
        });
        assert_eq!(waits, [1, 2, 4, 1024, 1440, 1440]);
    }
}
