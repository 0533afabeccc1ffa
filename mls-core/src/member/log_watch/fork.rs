//! A log that forked: both heads are kept with what shows who signed them, for others to check; and a person can
//! have this device follow the new one.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::super::Member;
use super::super::alarm::{Alarm, LogForked};
use super::super::warning::WarningKind;
use super::Watch;
use super::own::forget_entries;
use super::proofs::PROVEN;
use crate::limits::{LOG_FORKS_KEPT_MAX, LOG_PROVEN_MAX};
use crate::overlay::decode;
use crate::store::{Space, StoreError};
use crate::transparency::{Frontier, HeadSigner, LogEvidence, ShownHead, TwoHeads};
use crate::wire::{Digest, GroupId};

/// [`KeptFork`]s, by the time at which they were found.
const FORK: Space = "log_fork";
/// The [`HeadSigner`] of the newest head that was followed.
const SIGNER: Space = "log_signer";
const KEY: &[u8] = b"head";

/// A fork of the log, as this device found it.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct KeptFork {
    /// Both heads; [`LogEvidence::verify`] tells whether they convince others.
    pub evidence: LogEvidence,
    /// When it was found, in milliseconds since 1970.
    pub found_ms: u64,
    /// When a person had this device follow the second one's log, if one did.
    pub accepted_ms: Option<u64>,
}

impl Member {
    /// Notes who signed the head that is followed from now on.
    pub(super) fn keep_signer(&self, signer: &HeadSigner) -> Result<(), StoreError> {
        match self.overlay.read::<HeadSigner>(SIGNER, KEY)?.as_ref() == Some(signer) {
            true => Ok(()),
            false => self.overlay.write(SIGNER, KEY, signer),
        }
    }

    /// The log is not the one that it was: people are told, and nothing of it is followed any more.
    pub(super) fn log_forked(
        &mut self,
        mut watch: Watch,
        two: TwoHeads,
        signer: HeadSigner,
    ) -> Result<(), StoreError> {
        let (first, second) = (two.first.head.size, two.second.head.size);
        self.keep_fork(&two, signer)?;
        watch.fork = Some(two);
        self.save_watch(&watch)?;
        self.alarm(&GroupId::none(), Alarm::LogForked(LogForked { first, second }))
    }

    fn keep_fork(&self, two: &TwoHeads, signer: HeadSigner) -> Result<(), StoreError> {
        // Profiles of before did not note who signed the first: then it was who signs now, as far as is known.
        let first = self.overlay.read(SIGNER, KEY)?.unwrap_or_else(|| signer.clone());
        let evidence = LogEvidence {
            domain: self.client.user().domain(),
            first: ShownHead { head: two.first.clone(), signer: first },
            second: ShownHead { head: two.second.clone(), signer },
        };
        let kept = self.overlay.scan(FORK, &[], &[], LOG_FORKS_KEPT_MAX)?;
        if let (true, Some((oldest, _))) = (kept.len() >= LOG_FORKS_KEPT_MAX, kept.first()) {
            self.overlay.delete(FORK, oldest);
        }
        let fork = KeptFork { evidence, found_ms: self.now_ms, accepted_ms: None };
        self.overlay.write(FORK, &self.now_ms.to_be_bytes(), &fork)
    }

    /// The forks that this device has found, the oldest first.
    pub(super) fn kept_forks(&self) -> Result<Vec<KeptFork>, StoreError> {
        let kept = self.overlay.scan(FORK, &[], &[], LOG_FORKS_KEPT_MAX)?;
        kept.iter().map(|(_, value)| decode(FORK, value)).collect()
    }

    /// A person has this device follow the log that came, whose head has this root: it is read anew, and what
    /// the former held is not compared with it.
    pub(in super::super) fn accept_log(
        &mut self,
        number: u64,
        root: Digest,
    ) -> Result<(), StoreError> {
        let mut watch = self.watch()?;
        let Some(two) = watch.fork.take() else {
            return self.fail(number, "the log has not forked: there is nothing to accept");
        };
        if two.second.head.root != root {
            let shown = two.second.head.in_words();
            return self.fail(number, format!("the log that came has another root: {shown}"));
        }
        self.note_accepted(&two)?;
        // What came before this device's first look is in both logs, or was put there since.
        watch.since = watch.since.min(two.second.head.size);
        (watch.frontier, watch.own) = (Frontier::default(), Vec::new());
        watch.head = Some(two.second.clone());
        self.save_watch(&watch)?;
        forget_entries(&self.overlay)?;
        for (certificate, _) in self.overlay.scan(PROVEN, &[], &[], LOG_PROVEN_MAX)? {
            self.overlay.delete(PROVEN, &certificate);
        }
        let text = format!(
            "BY A PERSON'S WORD this device follows another log of certificates: {}. What the authority signed \
             between the point where the two part and {} may be missing from it. Both heads are kept: \
             `certificates --evidence FILE`",
            two.second.head.in_words(),
            two.first.head.in_words(),
        );
        self.warn(&GroupId::none(), WarningKind::Authority, text)?;
        self.look_into_log(0)?;
        self.done(number, None)
    }

    fn note_accepted(&self, two: &TwoHeads) -> Result<(), StoreError> {
        let last = self.kept_forks()?.into_iter().rev().find(|kept| kept.evidence.heads() == *two);
        let Some(kept) = last else { return Ok(()) };
        self.overlay.write(SIGNER, KEY, &kept.evidence.second.signer)?;
        let accepted = KeptFork { accepted_ms: Some(self.now_ms), ..kept };
        self.overlay.write(FORK, &accepted.found_ms.to_be_bytes(), &accepted)
    }
}

#[cfg(test)]
crate::codec_properties::hold!(KeptFork);
