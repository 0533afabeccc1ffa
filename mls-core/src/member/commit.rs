//! Making a commit, handing it to the hub, and what becomes of it.
//!
//! One commit of ours is in flight per group. It is kept pending with the engine and applied
//! only on its receipt (see [`super::handshake`]); a lost race clears it, and whatever wanted
//! it builds it anew later, from the group as it is then.

use mls_rs::MlsMessage;
use mls_rs::group::{CommitBuilder, CommitOutput};
use mls_rs_core::crypto::CipherSuite;
use mls_rs_core::extension::ExtensionList;
use mls_rs_core::protocol_version::ProtocolVersion;
use mls_rs_core::psk::ExternalPskId;

use super::Member;
use super::engine_storage::{self, MemberConfig, MemberGroup, Slot};
use super::group_record::{GroupRecord, PendingCommit, State};
use super::keys::SignatureKey;
use super::loaded::Loaded;
use super::overtaken::is_needless;
use super::requests::Purpose;
use super::sealed_handshakes::handshake_key;
use super::warning::WarningKind;
use crate::engine::{EngineError, mls_time, sha256};
use crate::limits::{COMMIT_ATTEMPTS_MAX, COMMIT_PAUSE_MS, COMMIT_RETRY_MS};
use crate::receipt::Receipt;
use crate::seal::handshake_key::HandshakeKey;
use crate::store::StoreError;
use crate::submission::Submission;
use crate::wire::handshake::Handshake;
use crate::wire::refusal::Refusal;
use crate::wire::submit_commit::SubmitCommit;
use crate::wire::{Answer, GroupId, Request, RequestId};

/// What a commit changes beside covering pending proposals; nothing makes it an update.
#[derive(Default)]
pub(super) struct Changes {
    /// Key packages to add.
    pub(super) add: Vec<MlsMessage>,
    /// Leaves to remove.
    pub(super) remove: Vec<u32>,
    /// The group's new context extensions.
    pub(super) context: Option<ExtensionList>,
    /// The own leaf's new extensions.
    pub(super) leaf: Option<ExtensionList>,
    /// The own leaf's new signature key, with its credential.
    pub(super) key: Option<SignatureKey>,
    /// External PSKs to use.
    pub(super) psks: Vec<ExternalPskId>,
    /// Epochs whose resumption PSKs to use.
    pub(super) past_epochs: Vec<u64>,
    /// The end of the group.
    pub(super) reinit: Option<ReInit>,
}

/// What follows a group that ends.
pub(super) struct ReInit {
    /// The id of the group that follows.
    pub(super) successor: GroupId,
    /// Its suite.
    pub(super) suite: CipherSuite,
    /// Its GroupContext extensions.
    pub(super) extensions: ExtensionList,
}

/// A commit, and what goes to the hub with it.
pub(super) struct Built {
    pub(super) commit: Vec<u8>,
    pub(super) welcome: Option<Vec<u8>>,
    pub(super) group_info: Vec<u8>,
    pub(super) has_path: bool,
    /// The group's.
    pub(super) suite: CipherSuite,
    /// The key that stands for us in the epoch in which it is sent.
    pub(super) signer: SignatureKey,
    /// Of the epoch that the commit leads to.
    pub(super) handshake_key: HandshakeKey,
}

impl Built {
    /// From what the engine made; `next` is the group with the commit applied.
    pub(super) fn new(
        next: &MemberGroup,
        signer: SignatureKey,
        output: &CommitOutput,
    ) -> Result<Self, EngineError> {
        let info = output
            .external_commit_group_info()
            .ok_or_else(|| EngineError::Crypto("the commit came without a GroupInfo".to_owned()))?;
        let welcome = output.welcome_messages().first().map(MlsMessage::to_bytes).transpose()?;
        Ok(Self {
            commit: output.commit_message().to_bytes()?,
            welcome,
            group_info: info.to_bytes()?,
            has_path: output.contains_update_path,
            suite: next.cipher_suite(),
            signer,
            handshake_key: handshake_key(next)?,
        })
    }
}

impl Member {
    /// Whether a commit may be made in the group now.
    pub(super) fn may_commit(&self, group: &GroupId) -> bool {
        self.record(group).is_some_and(|record| {
            record.state == State::Live
                && record.pending.is_none()
                && record.proposing.is_none()
                && record.rejoin.is_none()
                && record.broken_seq.is_none()
                && record.commit_after_ms <= self.now_ms
                // If that cannot be read, neither can the key with which to commit.
                && !self.waits_for_credential(group, record.suite.into()).unwrap_or(false)
        })
    }

    /// Makes a commit and submits it. An error of the engine leaves the group as it was.
    pub(super) fn commit(
        &mut self,
        group: &GroupId,
        loaded: Loaded,
        intent: Option<u64>,
        changes: Changes,
    ) -> Result<Result<(), EngineError>, StoreError> {
        let mut loaded = self.without_doubt(group, loaded)?;
        let signer = self.key_in(group, loaded.group.cipher_suite())?;
        let changes = match self.show_statement(&loaded, signer.public(), changes) {
            Ok(changes) => changes,
            Err(error) => return Ok(Err(error)),
        };
        if self.is_ordered_by_room(group) {
            return self.commit_into_room(group, loaded, intent, changes);
        }
        let built = match build(&mut loaded, signer, changes, self.now_ms) {
            Ok(built) => built,
            Err(error) => return Ok(Err(error)),
        };
        let epoch = loaded.group.current_epoch();
        self.snapshot(&mut loaded)?;
        self.give_back(group, loaded);
        self.submit(group, epoch, built, intent, false).map(Ok)
    }

    /// Signs a submission and hands it to the hub.
    pub(super) fn submit(
        &mut self,
        group: &GroupId,
        epoch: u64,
        built: Built,
        intent: Option<u64>,
        external: bool,
    ) -> Result<(), StoreError> {
        let submission = Submission {
            group,
            epoch,
            commit: &built.commit,
            welcome: built.welcome.as_deref(),
            group_info: &built.group_info,
        };
        let signature = submission
            .sign(built.suite, built.signer.secret())
            .map_err(|e| StoreError(format!("a submission could not be signed: {e}")))?;
        let hash = sha256(&built.commit);
        let request = Request::SubmitCommit(SubmitCommit {
            group: group.clone(),
            epoch,
            after_seq: self.place_of(group),
            commit: built.commit.into(),
            welcome: built.welcome.map(Into::into),
            group_info: built.group_info.into(),
            handshake_key: built.handshake_key,
            signature,
        });
        let request = self.request(Purpose::Commit(group.clone()), request)?;
        let has_path = built.has_path;
        let pending = PendingCommit { hash, request, intent, has_path, external };
        self.change_record(group, |record| record.pending = Some(pending))
    }

    /// The hub answered a SubmitCommit.
    pub(super) fn commit_answered(
        &mut self,
        group: &GroupId,
        id: &RequestId,
        result: Result<Answer, Refusal>,
    ) -> Result<(), StoreError> {
        let ours =
            |record: &&GroupRecord| record.pending.as_ref().is_some_and(|p| p.request == *id);
        if self.record(group).filter(ours).is_none() {
            self.forget_request(id);
            return Ok(());
        }
        match result {
            Ok(Answer::Receipt(receipt)) => self.commit_accepted(group, id, receipt),
            Ok(_) => self.commit_refused(group, "the hub answered something else than a receipt"),
            Err(Refusal::WrongEpoch(current)) => {
                let by_room = self.is_ordered_by_room(group);
                let behind = by_room || self.record(group).is_some_and(|r| current > r.epoch);
                self.commit_lost(group)?;
                if behind { self.fetch_handshakes(group) } else { Ok(()) }
            }
            Err(Refusal::MissingProposals(_)) => {
                self.commit_lost(group)?;
                self.fetch_handshakes(group)
            }
            Err(Refusal::Gone) => self.ended_at_hub(group),
            Err(refusal @ Refusal::InvalidCommit(_)) => {
                self.commit_invalid(group, &format!("the hub refuses: {refusal}"))
            }
            Err(refusal) => self.commit_refused(group, &format!("the hub refuses: {refusal}")),
        }
    }

    /// Our commit has its receipt: it goes the way of every handshake. The request stays until
    /// the commit is applied, which a gap before it, or a forged receipt, delays.
    fn commit_accepted(
        &mut self,
        group: &GroupId,
        id: &RequestId,
        receipt: Vec<u8>,
    ) -> Result<(), StoreError> {
        let Some(Request::SubmitCommit(submitted)) = self.stored_request(id)? else {
            return Ok(());
        };
        let seq = Receipt::from_bytes(&receipt).map(|r| r.tbs.seq).unwrap_or_default();
        self.handshake(Handshake {
            group: group.clone(),
            seq,
            epoch: submitted.epoch,
            message: submitted.commit,
            receipt,
        })
    }

    /// Our commit will not be: what wanted it builds it anew after a while.
    pub(super) fn commit_lost(&mut self, group: &GroupId) -> Result<(), StoreError> {
        let Some(pending) = self.take_pending(group)? else { return Ok(()) };
        if pending.external {
            self.try_welcomes_into(group)?;
        }
        self.attempt_lost(group, pending.intent, "commits lost their race")
    }

    /// What this command, or nobody, wanted of the group came to nothing, and is tried again a few times.
    /// `what` says of how many of them what is told at last.
    pub(super) fn attempt_lost(
        &mut self,
        group: &GroupId,
        intent: Option<u64>,
        what: &str,
    ) -> Result<(), StoreError> {
        let attempts = self.record(group).map_or(0, |r| r.attempts).saturating_add(1);
        if attempts < COMMIT_ATTEMPTS_MAX {
            let after_ms = self.now_ms.saturating_add(self.random_wait(attempts)?);
            return self.change_record(group, |record| {
                record.attempts = attempts;
                record.commit_after_ms = after_ms;
            });
        }
        self.pause_commits(group)?;
        let behind = self.record(group).is_some_and(GroupRecord::is_behind);
        self.change_record(group, |record| match &mut record.rejoin {
            // Who cannot follow the group otherwise has nothing else to do than to go on.
            Some(rejoin) if behind || rejoin.intent.is_none() => rejoin.intent = None,
            rejoin => *rejoin = None,
        })?;
        match intent {
            Some(number) => {
                let why = format!("{attempts} {what}: try again later");
                self.commit_failed(number, group, &why)
            }
            None => Ok(()),
        }
    }

    /// The hub will never take our commit.
    pub(super) fn commit_refused(&mut self, group: &GroupId, why: &str) -> Result<(), StoreError> {
        let Some(pending) = self.take_pending(group)? else { return Ok(()) };
        if pending.external {
            return self.no_way_back(group, why, false);
        }
        self.pause_commits(group)?;
        match pending.intent {
            Some(number) => {
                self.change_record(group, |record| record.commit_after_ms = 0)?;
                self.commit_failed(number, group, why)
            }
            None => {
                self.warn(group, WarningKind::CommitFailed, format!("a commit was refused: {why}"))
            }
        }
    }

    /// A commit that nobody asked for failed: let some time pass.
    pub(super) fn pause_commits(&mut self, group: &GroupId) -> Result<(), StoreError> {
        let after_ms = self.now_ms.saturating_add(COMMIT_PAUSE_MS);
        self.change_record(group, |record| {
            record.attempts = 0;
            record.commit_after_ms = after_ms;
        })
    }

    /// Takes back what is pending, with the engine, in the record and in the outbox.
    pub(super) fn take_pending(
        &mut self,
        group: &GroupId,
    ) -> Result<Option<PendingCommit>, StoreError> {
        self.take_proposing(group)?;
        let Some(pending) = self.record(group).and_then(|r| r.pending.clone()) else {
            return Ok(None);
        };
        self.forget_request(&pending.request);
        if pending.external {
            engine_storage::delete(&self.overlay, Slot::Candidate, &group.0)?;
            self.bind_as_before(group)?;
        } else if let Some(loaded) = self.loaded.get_mut(group) {
            loaded.group.clear_pending_commit();
        }
        self.change_record(group, |record| {
            record.pending = None;
            if pending.external && is_needless(record) {
                record.rejoin = None;
            }
            if let Some(rejoin) = &mut record.rejoin {
                rejoin.base = None;
            }
        })?;
        Ok(Some(pending))
    }

    /// Random up to [`COMMIT_RETRY_MS`], times the attempts.
    pub(super) fn random_wait(&self, attempts: u32) -> Result<u64, StoreError> {
        let bytes = self.crypto.random_bytes(8).map_err(|e| StoreError(e.to_string()))?;
        let random = bytes.iter().fold(0u64, |sum, byte| sum.rotate_left(8) ^ u64::from(*byte));
        let wait_ms = random.checked_rem(COMMIT_RETRY_MS).unwrap_or_default();
        // Never none: what won has to arrive first.
        Ok(wait_ms.saturating_add(1).saturating_mul(u64::from(attempts)))
    }
}

fn build(
    loaded: &mut Loaded,
    signer: SignatureKey,
    changes: Changes,
    now_ms: u64,
) -> Result<Built, EngineError> {
    let output = prepare(loaded, &signer, changes, now_ms)?.build()?;
    let mut next = loaded.group.clone();
    next.apply_pending_commit()?;
    Built::new(&next, signer, &output)
}

/// A commit that is not built yet; it brings what the own leaf is to show, if that has changed.
pub(super) fn prepare<'a>(
    loaded: &'a mut Loaded,
    own: &SignatureKey,
    changes: Changes,
    now_ms: u64,
) -> Result<CommitBuilder<'a, MemberConfig>, EngineError> {
    let renewed = loaded.group.current_member_signing_identity()? != &own.identity();
    let key = changes.key.or_else(|| renewed.then(|| own.clone()));
    let mut builder = loaded.group.commit_builder().commit_time(mls_time(now_ms));
    for package in changes.add {
        builder = builder.add_member(package)?;
    }
    for leaf in changes.remove {
        builder = builder.remove_member(leaf)?;
    }
    if let Some(extensions) = changes.context {
        builder = builder.set_group_context_ext(extensions)?;
    }
    if let Some(extensions) = changes.leaf {
        builder = builder.set_leaf_node_extensions(extensions);
    }
    if let Some(key) = key {
        builder = builder.set_new_signing_identity(key.secret().clone(), key.identity());
    }
    for psk in changes.psks {
        builder = builder.add_external_psk(psk)?;
    }
    for epoch in changes.past_epochs {
        builder = builder.add_resumption_psk(epoch)?;
    }
    if let Some(ReInit { successor, suite, extensions }) = changes.reinit {
        let version = ProtocolVersion::MLS_10;
        builder = builder.reinit(Some(successor.0), version, suite, extensions)?;
    }
    Ok(builder)
}
