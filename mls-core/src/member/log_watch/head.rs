//! The head of the log: followed only by the proof that the log begins with what it was (RFC 6962 2.1.2).

use mls_rs_core::crypto::SignaturePublicKey;
use mls_rs_core::identity::Credential;

use super::super::Member;
use super::super::alarm::{Alarm, LogForked};
use super::super::keys::SUITE;
use super::super::requests::Purpose;
use super::{Watch, nowhere};
use crate::identity::public_key_of;
use crate::store::StoreError;
use crate::transparency::{LogError, LogView, SignedTreeHead};
use crate::wire::fetch_tree_head::{FetchTreeHead, FetchedTreeHead};
use crate::wire::refusal::Refusal;
use crate::wire::{Answer, Request};

impl Member {
    /// Asks how far the log goes, where that was not asked for within this time.
    pub(in super::super) fn look_into_log(&mut self, again_ms: u64) -> Result<(), StoreError> {
        if self.hub()?.is_none() || !self.is_certified_by_hub()? {
            return Ok(());
        }
        let mut watch = self.watch()?;
        let recent = self.now_ms.abs_diff(watch.looked_ms) < again_ms;
        if recent || watch.fork.is_some() || self.is_asking_log() {
            return Ok(());
        }
        watch.looked_ms = self.now_ms;
        self.save_watch(&watch)?;
        self.log.seen = self.seen_certificates()?;
        self.forget_asked_keys()?;
        let since_size = watch.head.map_or(0, |known| known.head.size);
        let asked = Request::FetchTreeHead(FetchTreeHead { since_size });
        self.request(Purpose::TreeHead, asked).map(drop)
    }

    fn is_asking_log(&self) -> bool {
        self.is_asking(|asked| {
            matches!(asked, Purpose::TreeHead | Purpose::LogLeaves | Purpose::OwnEntries)
        })
    }

    /// The hub gave the head.
    pub(in super::super) fn tree_head_answered(
        &mut self,
        result: Result<Answer, Refusal>,
    ) -> Result<(), StoreError> {
        let Ok(Answer::TreeHead(fetched)) = result else { return Ok(()) };
        let mut watch = self.watch()?;
        match self.follow_head(&watch, fetched)? {
            Ok(head) => {
                self.log.unsigned = 0;
                if watch.head.is_none() {
                    watch.since = head.head.size;
                }
                watch.head = Some(head);
                self.read_leaves(watch)
            }
            Err(LogError::Signature) => self.head_is_unsigned(),
            Err(LogError::Forked(two)) => {
                let (first, second) = (two.first.head.size, two.second.head.size);
                watch.fork = Some(*two);
                self.save_watch(&watch)?;
                self.alarm(&nowhere(), Alarm::LogForked(LogForked { first, second }))
            }
            Err(error) => self.warn(&nowhere(), format!("the hub: {error}")),
        }
    }

    /// The head, if it follows the known one.
    fn follow_head(
        &self,
        watch: &Watch,
        fetched: FetchedTreeHead,
    ) -> Result<Result<SignedTreeHead, LogError>, StoreError> {
        let FetchedTreeHead { head, consistency } = fetched;
        let signers = self.log_signers()?;
        let signed = |key: &&SignaturePublicKey| head.verify(key).is_ok();
        let Some(signer) = signers.iter().find(signed) else {
            return Ok(Err(LogError::Signature));
        };
        let view = match &watch.head {
            None => LogView::first(head, signer),
            Some(known) => LogView::kept(known.clone()).advance(head, &consistency, signer),
        };
        Ok(view.map(|view| view.head().clone()))
    }

    /// The keys that may have signed: of whoever certified this device, and of the roots that it goes by.
    fn log_signers(&self) -> Result<Vec<SignaturePublicKey>, StoreError> {
        let mut certificates = Vec::new();
        if let Credential::X509(chain) = self.keys.of(SUITE).identity().credential {
            certificates.extend(chain.get(1).map(|issuer| issuer.to_vec()));
        }
        if let Some(own) = self.own_authority()? {
            certificates.extend(own.known.0.into_iter().map(|anchor| anchor.certificate));
        }
        let keys = certificates.iter().filter_map(|der| public_key_of(der).ok());
        Ok(keys.map(SignaturePublicKey::from).collect())
    }

    /// Perhaps the authority has a new intermediate, whose certificate comes with the next of this device.
    fn head_is_unsigned(&mut self) -> Result<(), StoreError> {
        self.log.unsigned = self.log.unsigned.saturating_add(1);
        if self.log.unsigned > 1 {
            return self.warn(&nowhere(), format!("the hub: {}", LogError::Signature));
        }
        let purpose = Purpose::Credential(SUITE.into());
        if self.is_asking(|asked| *asked == purpose) {
            return Ok(());
        }
        let key = self.keys.of(SUITE).clone();
        self.ask_for_credential(purpose, SUITE, &key).map(drop)
    }
}
