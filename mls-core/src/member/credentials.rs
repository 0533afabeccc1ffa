//! Certificates for this device's own keys, from the authentication service of its domain.
//!
//! Asked for by itself where the hub names an authority for the domain, renewed at
//! [`CREDENTIAL_RENEW_MS`](crate::policy::CREDENTIAL_RENEW_MS). KeyPackages wait for the first one, for they would go out before it;
//! not for long, and not where it is refused: a basic credential is better than none. Groups take
//! a new credential with the next commit that this device makes in them.

use std::collections::BTreeMap;

use mls_rs_core::crypto::CipherSuite;
use mls_rs_core::identity::CertificateChain;

use super::Member;
use super::group_record::State;
use super::key_packages::Fill;
use super::keys::{SUITE, SignatureKey};
use super::no_certificate::{CertificateMissing, Missing, Pause};
use super::pinned_anchors::DomainAnchors;
use super::requests::Purpose;
use crate::authority::request_certificate;
use crate::identity::{Certificate, CertificateError, check_chain};
use crate::limits::{CREDENTIAL_PATIENCE_MS, RENEWAL_SPREAD};
use crate::policy::KEY_PACKAGE_LEFT_MS;
use crate::store::StoreError;
use crate::wire::issue_credential::{IssueCredential, IssuedCredential, proof_of};
use crate::wire::refusal::Refusal;
use crate::wire::{Answer, GroupId, Request, RequestId};

/// The suites whose signature schemes this device has a key of.
pub(super) const SCHEMES: [CipherSuite; 2] = [SUITE, CipherSuite::P256_AES128];

/// What is said of an authority that answers with something else.
pub(super) const OTHER_ANSWER: &str = "the authority answered something else than a certificate";

/// What is remembered in memory.
#[derive(Default)]
pub(super) struct Patience {
    /// Since when key packages wait for a credential.
    since_ms: Option<u64>,
    /// Whether any do.
    waiting: bool,
    /// Nothing is asked for, after a refusal.
    pub(super) pause: Pause,
    /// Keys without the certificate that was asked for, by what it was asked for.
    pub(super) missing: BTreeMap<Purpose, Missing>,
    /// Whether people know that certificates are over when they come.
    pub(super) told_ended: bool,
}

impl Member {
    /// Whether key packages can be made: with a certificate, or because there will be none.
    pub(super) fn credentials_settled(&mut self) -> Result<bool, StoreError> {
        let since_ms = *self.patience.since_ms.get_or_insert(self.now_ms);
        let waited = self.now_ms.saturating_sub(since_ms) >= CREDENTIAL_PATIENCE_MS;
        let certified = |suite: &CipherSuite| self.keys.of(*suite).certified_at_ms().is_some();
        // Nothing good can be made with a certificate that is over.
        let settled = !SCHEMES.iter().any(|suite| self.is_over(self.keys.of(*suite)))
            && match self.hub()? {
                _ if self.is_asking_home() => false,
                _ if waited || self.patience.pause.lasts(self.now_ms) => true,
                Some(_) => !self.is_certified_by_hub()? || SCHEMES.iter().all(certified),
                None => false,
            };
        self.patience.waiting |= !settled;
        Ok(settled)
    }

    /// Whether the certificate of a key has ended, or does within the time for which a key package
    /// must be good.
    pub(super) fn is_over(&self, key: &SignatureKey) -> bool {
        let needed_ms = self.now_ms.saturating_add(KEY_PACKAGE_LEFT_MS.saturating_mul(2));
        key.until_s() <= needed_ms / 1000
    }

    /// Whether the certificate in our leaf of a group has ended, and a new one was asked for: a leaf
    /// with the old one would be refused.
    pub(super) fn waits_for_credential(
        &self,
        group: &GroupId,
        suite: CipherSuite,
    ) -> Result<bool, StoreError> {
        let asking = self.is_asking(|purpose| match purpose {
            Purpose::Credential(_) => true,
            Purpose::GroupCredential(of) => of == group,
            _ => false,
        });
        Ok(asking && self.is_over(&self.key_in(group, suite)?))
    }

    /// Makes the key packages that waited, if they need wait no longer.
    pub(super) fn lose_patience(&mut self) -> Result<(), StoreError> {
        if !self.patience.waiting || !self.credentials_settled()? {
            return Ok(());
        }
        self.patience.waiting = false;
        self.fill_pools(Fill::BelowHalf)?;
        self.start_publishing()
    }

    /// Asks for the certificates that are missing, or old.
    pub(super) fn want_credentials(&mut self) -> Result<(), StoreError> {
        let waits = self.patience.pause.lasts(self.now_ms) || self.is_asking_home();
        if waits || self.hub()?.is_none() || !self.is_certified_by_hub()? || !self.is_announced()? {
            return Ok(());
        }
        for suite in SCHEMES {
            let purpose = Purpose::Credential(suite.into());
            if self.is_fresh(self.keys.of(suite))? || self.is_asking(|asked| *asked == purpose) {
                continue;
            }
            let key = self.keys.of(suite).clone();
            self.ask_for_credential(purpose, suite, &key)?;
        }
        self.renew_group_credentials()
    }

    /// Whether a key has a certificate that need not be renewed yet.
    pub(super) fn is_fresh(&self, key: &SignatureKey) -> Result<bool, StoreError> {
        let young = key.renew_at_ms().is_some_and(|at_ms| self.now_ms < at_ms);
        Ok(young && !self.is_taken_back(key)?)
    }

    /// What stood in the way of a certificate may be gone.
    pub(super) fn ask_for_credentials_anew(&mut self) -> Result<(), StoreError> {
        self.patience.pause = Pause::default();
        self.patience.missing.clear();
        self.want_credentials()
    }

    /// Asks for a certificate of a key of this device.
    pub(super) fn ask_for_credential(
        &mut self,
        purpose: Purpose,
        suite: CipherSuite,
        key: &SignatureKey,
    ) -> Result<RequestId, StoreError> {
        let failed = |e: &dyn std::fmt::Display| StoreError(format!("no certificate request: {e}"));
        let request = request_certificate(&self.client, suite, key.secret(), key.public())
            .map_err(|e| failed(&e))?;
        let own = self.keys.own();
        let proof = own.sign(SUITE, &proof_of(&request)).map_err(|e| failed(&e))?;
        let device_key = own.public().to_vec();
        self.note_asked_key(key)?;
        let request = IssueCredential { request, device_key, proof };
        self.request(purpose, Request::IssueCredential(request))
    }

    /// The authority answered about the key of a suite.
    pub(super) fn credential_answered(
        &mut self,
        suite: CipherSuite,
        result: Result<Answer, Refusal>,
    ) -> Result<(), StoreError> {
        let purpose = Purpose::Credential(suite.into());
        let ended = self.has_ended(&result);
        if ended && self.is_first_to_end(&purpose) {
            self.want_credentials()?;
            return self.lose_patience();
        }
        let taken = match result {
            _ if ended => Err(CertificateMissing::Ended),
            Ok(Answer::Credential(issued)) => {
                self.take_credential(suite, issued)?.map_err(CertificateMissing::Refused)
            }
            Ok(_) => Err(CertificateMissing::Refused(OTHER_ANSWER.to_owned())),
            Err(refusal) => Err(CertificateMissing::Refused(refusal.to_string())),
        };
        match taken {
            Ok(()) => {
                self.certificate_came(&purpose);
                // The command that wants it brings it into all groups itself, a few at a time.
                if !self.is_renewing_everywhere() {
                    self.renew_everywhere()?;
                }
            }
            Err(why) => self.own_certificate_missing(suite, &why)?,
        }
        self.lose_patience()
    }

    /// Whether an answer holds a certificate that is over.
    pub(super) fn has_ended(&self, result: &Result<Answer, Refusal>) -> bool {
        let Ok(Answer::Credential(issued)) = result else { return false };
        let chain: Vec<_> = issued.chain.iter().map(|one| one.0.clone()).collect();
        self.is_past(&chain.into())
    }

    /// Whether a certificate is over.
    pub(super) fn is_past(&self, chain: &CertificateChain) -> bool {
        Certificate::of(chain).is_ok_and(|one| one.not_after_s <= self.now_ms / 1000)
    }

    /// Keeps a certificate of the device's key.
    fn take_credential(
        &mut self,
        suite: CipherSuite,
        issued: IssuedCredential,
    ) -> Result<Result<(), String>, StoreError> {
        let key = self.keys.of(suite);
        let certificate = match self.check_issued(key, &issued)? {
            Ok(certificate) => certificate,
            Err(why) => return Ok(Err(why)),
        };
        let (first, taken_back) = (key.certified_at_ms().is_none(), self.is_taken_back(key)?);
        self.keys.certify(&self.overlay, suite, issued.chain, &certificate, self.now_ms)?;
        self.engine = self.engine_of(SUITE);
        if first || taken_back {
            self.outdate_key_packages(suite)?;
            self.patience.waiting |= taken_back;
        }
        self.look_whether_given_back().map(Ok)
    }

    /// Whether a certificate is what was asked for a key, and its authority the one that is pinned.
    pub(super) fn check_issued(
        &self,
        key: &SignatureKey,
        issued: &IssuedCredential,
    ) -> Result<Result<Certificate, String>, StoreError> {
        let Some(own) = self.own_authority()? else {
            return Ok(Err("no authority of this domain is known".to_owned()));
        };
        let chain: CertificateChain =
            issued.chain.iter().map(|one| one.0.clone()).collect::<Vec<_>>().into();
        Ok(match Certificate::of(&chain) {
            Ok(one) if one.client != self.client || one.key != key.public().as_ref() => {
                Err("the certificate is for another client or key".to_owned())
            }
            Ok(certificate) => check_chain(&chain, &own.known.0, self.now_ms / 1000)
                .map(|()| certificate)
                .map_err(|error| unknown_authority(&own, &error)),
            Err(error) => Err(error.to_string()),
        })
    }

    /// Has the credential brought into all groups, each at its own time within the hour.
    fn renew_everywhere(&mut self) -> Result<(), StoreError> {
        let live = self.groups.values().filter(|record| record.state == State::Live);
        let live: Vec<_> = live.map(|record| record.group.clone()).collect();
        live.iter().try_for_each(|group| self.renew_soon(group))
    }

    /// Has the leaf in a group renewed within the hour.
    pub(super) fn renew_soon(&mut self, group: &GroupId) -> Result<(), StoreError> {
        let due_ms = self.now_ms.saturating_add(self.random_wait(RENEWAL_SPREAD)?);
        self.touched.insert(group.clone());
        self.change_record(group, |record| record.update_due_ms = record.update_due_ms.min(due_ms))
    }
}

/// Why a certificate that leads to no known authority is not taken.
fn unknown_authority(own: &DomainAnchors, error: &CertificateError) -> String {
    if own.offered.0.is_empty() {
        return error.to_string();
    }
    format!("{error}; the hub names another authority now, which a person must accept first")
}
