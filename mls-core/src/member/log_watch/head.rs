//! The head of the log: followed only by the proof that the log begins with what it was (RFC 6962 2.1.2).

use mls_rs_core::crypto::SignaturePublicKey;
use mls_rs_core::identity::Credential;

use super::super::Member;
use super::super::keys::SUITE;
use super::super::requests::Purpose;
use super::super::warning::WarningKind;
use super::Watch;
use crate::store::StoreError;
use crate::transparency::{HeadSigner, LogError, LogView, SignedTreeHead};
use crate::wire::fetch_tree_head::{FetchTreeHead, FetchedTreeHead};
use crate::wire::issue_credential::CertificateBytes;
use crate::wire::refusal::Refusal;
use crate::wire::{Answer, GroupId, Request};

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

    /// The authority gave the head.
    pub(in super::super) fn tree_head_answered(
        &mut self,
        result: Result<Answer, Refusal>,
    ) -> Result<(), StoreError> {
        let Ok(Answer::TreeHead(fetched)) = result else { return Ok(()) };
        let Some((signer, key)) = self.signer_of(&fetched.head)? else {
            return self.head_is_unsigned();
        };
        let mut watch = self.watch()?;
        match follow_head(&watch, fetched, &key) {
            Ok(head) => {
                self.log.unsigned = 0;
                self.keep_signer(&signer)?;
                if watch.head.is_none() {
                    watch.since = head.head.size;
                }
                watch.head = Some(head);
                self.read_leaves(watch)
            }
            Err(LogError::Forked(two)) => self.log_forked(watch, *two, signer),
            Err(error) => self.warn(
                &GroupId::none(),
                WarningKind::Authority,
                format!("the authority: {error}"),
            ),
        }
    }

    /// Who signed a head, of those who may: whoever certified this device, and the roots that it goes by.
    fn signer_of(
        &self,
        head: &SignedTreeHead,
    ) -> Result<Option<(HeadSigner, SignaturePublicKey)>, StoreError> {
        let Some(own) = self.own_authority()? else { return Ok(None) };
        let mut chain = Vec::new();
        if let Credential::X509(certificates) = self.keys.of(SUITE).identity().credential {
            chain.extend(certificates.iter().map(|one| CertificateBytes(one.to_vec())));
        }
        let roots = own.known.0.iter().map(|anchor| CertificateBytes(anchor.certificate.clone()));
        let signers = roots.flat_map(|root| {
            [chain.clone(), Vec::new()].map(|chain| HeadSigner { root: root.clone(), chain })
        });
        let signed = |signer: HeadSigner| {
            let key = signer.key(&own.domain).ok()?;
            head.verify(&key).is_ok().then_some((signer, key))
        };
        Ok(signers.filter(|signer| signer.chain.len() != 1).find_map(signed))
    }

    /// Perhaps the authority has a new intermediate, whose certificate comes with the next of this device.
    fn head_is_unsigned(&mut self) -> Result<(), StoreError> {
        self.log.unsigned = self.log.unsigned.saturating_add(1);
        if self.log.unsigned > 1 {
            return self.warn(
                &GroupId::none(),
                WarningKind::Authority,
                format!("the authority: {}", LogError::Signature),
            );
        }
        let purpose = Purpose::Credential(SUITE.into());
        if self.is_asking(|asked| *asked == purpose) {
            return Ok(());
        }
        let key = self.keys.of(SUITE).clone();
        self.ask_for_credential(purpose, SUITE, &key).map(drop)
    }
}

/// The head, if it follows the known one.
fn follow_head(
    watch: &Watch,
    fetched: FetchedTreeHead,
    signer: &SignaturePublicKey,
) -> Result<SignedTreeHead, LogError> {
    let FetchedTreeHead { head, consistency } = fetched;
    let view = match &watch.head {
        None => LogView::first(head, signer),
        Some(known) => LogView::kept(known.clone()).advance(head, &consistency, signer),
    };
    view.map(|view| view.head().clone())
}
