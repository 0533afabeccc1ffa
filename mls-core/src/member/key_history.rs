//! How others came to other keys: whether the handshakes since the state that is here lead to the tree
//! that the hub shows.
//!
//! They are followed without the group's secrets, as the hub follows them. Each is signed by a key that
//! was known before it, so what they lead to needs nobody's word: a hub can hold them back, and then a
//! person decides, but it cannot make them up. What only members can check, whether a path can be
//! decrypted and who has the epoch's secrets, does not matter here.

use mls_rs_core::crypto::SignaturePublicKey;

use super::Member;
use super::engine_storage::MemberGroup;
use super::requests::Purpose;
use crate::bridge_group::BridgeGroup;
use crate::door;
use crate::engine::{PublicGroup, mls_time, observer};
use crate::limits::KEY_HISTORY_MAX;
use crate::receipt::Receipt;
use crate::store::StoreError;
use crate::wire::fetch_handshakes::{FetchHandshakes, Handshakes};
use crate::wire::handshake::Handshake;
use crate::wire::refusal::Refusal;
use crate::wire::{Answer, Digest, GroupId, Request};

/// A group that is followed in public.
pub(super) struct KeyHistory {
    pub(super) public: PublicGroup,
    /// The last handshake that was followed, and its receipt's hash.
    pub(super) seq: u64,
    receipt: Digest,
    /// How many may follow.
    left: u64,
    /// What to tell people if it leads nowhere.
    why: String,
}

impl KeyHistory {
    /// From a state of our own, which began with the handshake `seq`.
    fn begin(group: &MemberGroup, seq: u64, receipt: Digest, why: String) -> Option<Self> {
        let info = group.group_info_message(true).ok()?;
        let public = observer().observe_group(info, None, None).ok()?;
        Some(Self { public, seq, receipt, left: KEY_HISTORY_MAX, why })
    }

    /// Follows the next handshakes. Whether all of them were good ones, and there were any.
    fn follow(&mut self, group: &GroupId, answer: &Handshakes) -> bool {
        let new = answer.handshakes.iter().filter(|handshake| handshake.seq > self.seq);
        let new: Vec<_> = new.collect();
        !new.is_empty() && new.into_iter().all(|one| self.take(group, one).is_some())
    }

    fn take(&mut self, group: &GroupId, handshake: &Handshake) -> Option<()> {
        self.left = self.left.checked_sub(1)?;
        let context = self.public.group_context();
        let (suite, bound) = (context.cipher_suite, &context.extensions);
        let key = BridgeGroup::from_extensions(bound).ok()?.receipt_key;
        let receipt = Receipt::from_bytes(&handshake.receipt).ok()?;
        receipt.verify(&SignaturePublicKey::from(key)).ok()?;
        let bytes = handshake.message.inline()?;
        receipt.covers(group, bytes).ok()?;
        if self.seq.checked_add(1) != Some(receipt.tbs.seq) || receipt.tbs.previous != self.receipt
        {
            return None;
        }
        let message = door::handshake(bytes, group, suite).ok()?.message;
        let time = mls_time(receipt.tbs.time_ms);
        self.public.process_incoming_message_with_time(message, time).ok()?;
        (self.seq, self.receipt) = (receipt.tbs.seq, receipt.hash().ok()?);
        Some(())
    }
}

impl Member {
    /// The hub shows other keys than those that are known here: asks for the handshakes that led to
    /// them. Whether that may help.
    pub(super) fn ask_for_key_history(
        &mut self,
        group: &GroupId,
        why: String,
    ) -> Result<bool, StoreError> {
        if !self.key_histories.contains_key(group) {
            let Some(begun) = self.begin_key_history(group, why)? else { return Ok(false) };
            self.key_histories.insert(group.clone(), begun);
        }
        let Some(history) = self.key_histories.get(group) else { return Ok(false) };
        let from_seq = history.seq.saturating_add(1);
        let fetch = FetchHandshakes { group: group.clone(), from_seq };
        let purpose = Purpose::KeyHistory(group.clone());
        self.request(purpose, Request::FetchHandshakes(fetch)).map(|_| true)
    }

    fn begin_key_history(
        &self,
        group: &GroupId,
        why: String,
    ) -> Result<Option<KeyHistory>, StoreError> {
        let Ok(here) = self.engine.load_group(&group.0) else { return Ok(None) };
        let mark = self.epoch_mark(group, here.current_epoch())?;
        Ok(mark.and_then(|mark| KeyHistory::begin(&here, mark.seq, mark.receipt, why)))
    }

    /// The hub answered with the handshakes that led to other keys, or did not.
    pub(super) fn key_history_answered(
        &mut self,
        group: &GroupId,
        result: Result<Answer, Refusal>,
    ) -> Result<(), StoreError> {
        let Some(history) = self.key_histories.get_mut(group) else { return Ok(()) };
        let why = history.why.clone();
        let (good, whole) = match result {
            Ok(Answer::Handshakes(answer)) => {
                (history.follow(group, &answer), history.seq >= answer.last_seq)
            }
            _ => (false, false),
        };
        if !good {
            self.key_histories.remove(group);
            return self.no_way_back(group, &why, true);
        } else if !whole {
            return self.ask_for_key_history(group, why).map(drop);
        }
        self.touched.insert(group.clone());
        Ok(())
    }
}
