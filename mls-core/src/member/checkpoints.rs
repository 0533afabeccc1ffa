//! Checkpoints (see [`crate::checkpoint`]): said beside the first message of an epoch, and held
//! against what is here when they come from others.
//!
//! One says its checkpoint again after a restart and every [`CHECKPOINT_REPEAT_MS`], so that a long
//! epoch does not look like silence. A valid one that does not agree is kept as evidence and told,
//! and the handshakes are fetched again, once: the hub's own answer then proves a lie, or fills a
//! gap. Nothing else follows from a checkpoint, or whoever can sign one could move the group.

use std::collections::BTreeMap;

use mls_rs_core::crypto::SignaturePublicKey;

use super::alarm::{Alarm, OtherStateSeen};
use super::loaded::Loaded;
use super::requests::Purpose;
use super::seen::{delete_epochs_before, epoch_prefix};
use super::warning::WarningKind;
use super::{Member, ReceivedMessage, engine_fault};
use crate::address::ClientId;
use crate::checkpoint::{Checkpoint, CheckpointBytes, CheckpointTbs, EpochMark};
use crate::engine::sha256;
use crate::evidence::{Evidence, OtherState};
use crate::identity::client_id;
use crate::policy::{CHECKPOINT_REPEAT_MS, NO_CHECKPOINT_NOTICE_MS, PAST_EPOCHS};
use crate::receipt::Receipt;
use crate::store::{Space, StoreError};
use crate::wire::fetch_handshakes::FetchHandshakes;
use crate::wire::{GroupId, Request};

/// What this device knows of each epoch, by group and epoch.
const MARK: Space = "epoch_mark";

/// What is remembered of checkpoints in memory.
#[derive(Default)]
pub(super) struct Checkpoints {
    /// The epoch and the time of our last one in each group.
    said: BTreeMap<GroupId, (u64, u64)>,
    /// What came from the other network in each group.
    heard: BTreeMap<GroupId, Heard>,
    /// Checkpoints of each group that were ignored because nobody in it signed them.
    ignored: BTreeMap<GroupId, u64>,
}

/// What came from the other network.
struct Heard {
    /// When a good checkpoint last came; before the first, when we began to listen.
    good_ms: u64,
    /// Whether people were told that none comes.
    told: bool,
}

impl Member {
    /// A group is in a new epoch, to which `receipt` led.
    pub(super) fn mark_epoch(
        &self,
        group: &GroupId,
        loaded: &Loaded,
        receipt: &Receipt,
    ) -> Result<(), StoreError> {
        let epoch = loaded.group.current_epoch();
        let authenticator = loaded.group.epoch_authenticator().map_err(|e| engine_fault(&e))?;
        let mark = EpochMark {
            epoch,
            authenticator: sha256(&authenticator),
            seq: receipt.tbs.seq,
            receipt: receipt.hash().map_err(|e| StoreError(e.to_string()))?,
        };
        self.overlay.write(MARK, &epoch_prefix(group, epoch), &mark)?;
        self.keep_handshake_key(group, loaded)?;
        delete_epochs_before(&self.overlay, MARK, group, epoch.saturating_sub(PAST_EPOCHS))
    }

    /// Deletes what is known of a group's epochs.
    pub(super) fn forget_marks(&self, group: &GroupId) -> Result<(), StoreError> {
        delete_epochs_before(&self.overlay, MARK, group, u64::MAX)
    }

    /// What is known of an epoch that this device was in.
    pub(super) fn epoch_mark(
        &self,
        group: &GroupId,
        epoch: u64,
    ) -> Result<Option<EpochMark>, StoreError> {
        self.overlay.read(MARK, &epoch_prefix(group, epoch))
    }

    /// What to say beside the next message, if anything; before it is encrypted.
    pub(super) fn next_checkpoint(
        &mut self,
        group: &GroupId,
        loaded: &mut Loaded,
    ) -> Result<Option<CheckpointBytes>, StoreError> {
        let epoch = loaded.group.current_epoch();
        let fresh = |(said, at_ms): &(u64, u64)| {
            *said == epoch && self.now_ms.saturating_sub(*at_ms) < CHECKPOINT_REPEAT_MS
        };
        if self.checkpoints.said.get(group).is_some_and(fresh) {
            return Ok(None);
        }
        let mark = self.epoch_mark(group, epoch)?;
        let Some(mark) = mark else { return Ok(None) };
        let generation = loaded.group.peek_next_key_generation().map_err(|e| engine_fault(&e))?;
        let (leaf, suite) = (loaded.group.current_member_index(), loaded.group.cipher_suite());
        let skipped = loaded.take_skipped().min(generation);
        let signed = CheckpointTbs::new(group.clone(), &mark, leaf, generation, skipped)
            .sign(suite, self.key_in(group, suite)?.secret())
            .and_then(|checkpoint| checkpoint.to_bytes())
            .map_err(|e| StoreError(format!("a checkpoint could not be signed: {e}")))?;
        self.checkpoints.said.insert(group.clone(), (epoch, self.now_ms));
        Ok(Some(CheckpointBytes(signed)))
    }

    /// A checkpoint came beside a message of `epoch`, which need not be readable. The checkpoint,
    /// if a member of the group signed it.
    pub(super) fn judge_checkpoint(
        &mut self,
        group: &GroupId,
        epoch: u64,
        loaded: &Loaded,
        received: &ReceivedMessage,
    ) -> Result<Option<Checkpoint>, StoreError> {
        let Some(bytes) = &received.checkpoint else { return Ok(None) };
        let mark = self.epoch_mark(group, epoch)?;
        let Some(mark) = mark else { return Ok(None) };
        let Some((client, key, checkpoint)) = authentic(group, epoch, loaded, &bytes.0) else {
            // Who signed in a past epoch may have another key today, or be gone.
            if epoch == loaded.group.current_epoch() {
                self.ignore_checkpoint(group)?;
            }
            return Ok(None);
        };
        if !self.agrees(group, &mark, &checkpoint)? {
            let suite = u16::from(loaded.group.cipher_suite());
            let signature_key = key.to_vec();
            let checkpoint = checkpoint.clone();
            let other = OtherState { client, signature_key, suite, checkpoint, ours: mark };
            self.other_state(group, other)?;
        }
        Ok(Some(checkpoint))
    }

    fn agrees(
        &self,
        group: &GroupId,
        mark: &EpochMark,
        checkpoint: &Checkpoint,
    ) -> Result<bool, StoreError> {
        if !mark.agrees(checkpoint) || checkpoint.tbs.seq == mark.seq {
            return Ok(mark.agrees(checkpoint));
        }
        let Some(record) = self.record(group) else { return Ok(true) };
        let Some(known) = self.followed(record, checkpoint.tbs.seq)? else { return Ok(true) };
        let hash = known.receipt.hash().map_err(|e| StoreError(e.to_string()))?;
        Ok(hash == checkpoint.tbs.receipt)
    }

    /// A member signed another state than ours: told once, and the hub is asked again.
    fn other_state(&mut self, group: &GroupId, other: OtherState) -> Result<(), StoreError> {
        let (epoch, client) = (other.checkpoint.tbs.epoch, other.client.clone());
        let from_seq = other.checkpoint.tbs.seq.min(other.ours.seq);
        let Some(evidence) = self.keep_evidence(&Evidence::Checkpoint(other))? else {
            return Ok(());
        };
        self.alarm(group, Alarm::OtherState(OtherStateSeen { epoch, client, evidence }))?;
        if self.is_asking(|p| matches!(p, Purpose::Handshakes(g) if g == group)) {
            return Ok(());
        }
        let fetch = FetchHandshakes { group: group.clone(), from_seq };
        self.request(Purpose::Handshakes(group.clone()), Request::FetchHandshakes(fetch))
            .map(|_| ())
    }

    /// Nobody in the group signed it: people are told once, for anybody in the room can do that.
    fn ignore_checkpoint(&mut self, group: &GroupId) -> Result<(), StoreError> {
        let ignored = self.checkpoints.ignored.entry(group.clone()).or_default();
        *ignored = ignored.saturating_add(1);
        if *ignored > 1 {
            return Ok(());
        }
        self.warn(
            group,
            WarningKind::Refused,
            "a checkpoint that nobody in the group signed was ignored",
        )
    }

    /// A message of `sender` was read, with a good checkpoint or without.
    pub(super) fn heard_from(
        &mut self,
        group: &GroupId,
        sender: &ClientId,
        checkpoint: bool,
    ) -> Result<(), StoreError> {
        let (network, now_ms) = (sender.network(), self.now_ms);
        if network == self.client.network() {
            return Ok(());
        }
        let heard = self.checkpoints.heard.entry(group.clone());
        let heard = heard.or_insert(Heard { good_ms: now_ms, told: false });
        if checkpoint {
            (heard.good_ms, heard.told) = (now_ms, false);
        }
        let silent = now_ms.saturating_sub(heard.good_ms) >= NO_CHECKPOINT_NOTICE_MS;
        if heard.told || !silent {
            return Ok(());
        }
        heard.told = true;
        self.alarm(group, Alarm::NoCheckpoints(network))
    }
}

/// Who signed it and with which key, if it is for this epoch and from a leaf of the group.
fn authentic(
    group: &GroupId,
    epoch: u64,
    loaded: &Loaded,
    bytes: &[u8],
) -> Option<(ClientId, SignaturePublicKey, Checkpoint)> {
    let checkpoint = Checkpoint::from_bytes(bytes).ok()?;
    let tbs = &checkpoint.tbs;
    if tbs.group != *group || tbs.epoch != epoch {
        return None;
    }
    let leaf = loaded.group.roster().member_with_index(tbs.leaf).ok()?;
    let key = leaf.signing_identity.signature_key.clone();
    checkpoint.verify(loaded.group.cipher_suite(), &key).ok()?;
    Some((client_id(&leaf.signing_identity).ok()?, key, checkpoint))
}
