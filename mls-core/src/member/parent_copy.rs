//! A group as a branch of it needs it: a copy from which the engine makes or joins that (RFC 9420 11.3).
//!
//! The engine gives a branch its parent's GroupContext and signer, and compares the contexts on the way
//! in, which the RFC does not ask for: here rooms stand in the context, and a branch has its own. It
//! also knows the resumption PSK of the parent's current epoch only, while who was away for a while
//! comes to the Welcome when the parent has gone on. So the engine is given a copy of the parent's
//! stored state with the branch's extensions, another signer and, if need be, the secret of a past epoch.
//! Nothing else is done with it, and it never comes to the disk.
//!
//! What is changed stands at the ends of the state, which is in the TLS encoding: first the version and
//! the GroupContext, last the signer. The secret is looked for between them.

use mls_rs::error::MlsError;
use mls_rs::group::GroupContext;
use mls_rs_codec::{MlsDecode, MlsEncode};
use mls_rs_core::crypto::SignatureSecretKey;
use mls_rs_core::extension::ExtensionList;
use zeroize::Zeroizing;

use super::engine_storage::{self, MemberGroup, Slot};
use super::{Member, engine_fault, is_storage_fault};
use crate::group_settings::{self, SettingsError};
use crate::store::StoreError;
use crate::wire::GroupId;

/// Bytes of the state's version number.
const VERSION_BYTES: usize = 2;

impl Member {
    /// Whether the resumption PSK of an epoch of a group is here.
    pub(super) fn has_secret_of(&self, group: &GroupId, epoch: u64) -> Result<bool, StoreError> {
        let is_current = self.record(group).is_some_and(|record| record.epoch == epoch);
        let state = engine_storage::exists(&self.overlay, Slot::Current, &group.0)?;
        let past = engine_storage::past_epoch(&self.overlay, Slot::Current, &group.0, epoch)?;
        Ok(state && (is_current || past.is_some()))
    }

    /// A copy of the parent in an epoch whose secret is here, with the extensions and the signer of a
    /// branch; nothing where it cannot be made, as of a group that a ReInit has ended. The inner error is why
    /// there may be no such branch.
    pub(super) fn parent_copy(
        &self,
        parent: &GroupId,
        epoch: u64,
        extensions: &ExtensionList,
        signer: &SignatureSecretKey,
    ) -> Result<Result<Option<MemberGroup>, SettingsError>, StoreError> {
        match self.copy_parent(parent, epoch, extensions, signer) {
            Ok(copy) => Ok(Ok(Some(copy))),
            Err(NoCopy::Impossible) => Ok(Ok(None)),
            Err(NoCopy::Unfit(error)) => Ok(Err(error)),
            Err(NoCopy::Storage(error)) => Err(error),
        }
    }

    fn copy_parent(
        &self,
        parent: &GroupId,
        epoch: u64,
        extensions: &ExtensionList,
        signer: &SignatureSecretKey,
    ) -> Result<MemberGroup, NoCopy> {
        let held = engine_storage::state(&self.overlay, Slot::Current, &parent.0)?;
        let held = held.ok_or(NoCopy::Impossible)?;
        let group = self.engine.load_group(&parent.0).map_err(no_copy)?;
        let current = group.context();
        let rest = self.without_ends(parent, &group, &held)?;
        let (mut context, rest) = if current.epoch == epoch {
            (current.clone(), rest)
        } else {
            let (context, past) = self.past_secret(parent, Slot::Current, epoch)?;
            let now = self.current_secret(parent, current.epoch, &held)?;
            (context, exchanged(&rest, &now, &past)?)
        };
        group_settings::check_branch(&context.extensions, extensions).map_err(NoCopy::Unfit)?;
        context.extensions = extensions.clone();
        let version = held.get(..VERSION_BYTES).ok_or(NoCopy::Impossible)?;
        let state =
            Zeroizing::new([version, &encoded(&context)?, &rest, &encoded(signer)?].concat());
        let load = || self.engine.load_group(&parent.0);
        let copy = engine_storage::with_state(&self.overlay, &parent.0, &state, load)?;
        copy.map_err(no_copy)
    }

    /// The state without version and context before, and signer behind.
    fn without_ends(
        &self,
        id: &GroupId,
        group: &MemberGroup,
        held: &[u8],
    ) -> Result<Secret, NoCopy> {
        let leaf = group.current_member_signing_identity().map_err(no_copy)?;
        let signer = self.key_behind(id, group.cipher_suite(), &leaf.signature_key)?;
        let signer = encoded(signer.ok_or(NoCopy::Impossible)?.secret())?;
        let rest = held.get(VERSION_BYTES..).and_then(|rest| {
            let context = encoded(group.context()).ok()?;
            rest.strip_prefix(context.as_slice())?.strip_suffix(signer.as_slice())
        });
        Ok(Zeroizing::new(rest.ok_or(NoCopy::Impossible)?.to_vec()))
    }

    /// A past epoch's context and resumption secret, which stand first in what the engine keeps of it.
    fn past_secret(
        &self,
        group: &GroupId,
        slot: Slot,
        epoch: u64,
    ) -> Result<(GroupContext, Secret), NoCopy> {
        let kept = engine_storage::past_epoch(&self.overlay, slot, &group.0, epoch)?;
        let kept = kept.ok_or(NoCopy::Impossible)?;
        let mut rest = kept.as_slice();
        let context = GroupContext::mls_decode(&mut rest).map_err(|_| NoCopy::Impossible)?;
        u32::mls_decode(&mut rest).map_err(|_| NoCopy::Impossible)?; // the own leaf's index
        let secret =
            mls_rs_codec::byte_vec::mls_decode(&mut rest).map_err(|_| NoCopy::Impossible)?;
        Ok((context, Zeroizing::new(secret)))
    }

    /// The current epoch's resumption secret. The engine writes it down when the epoch ends, so it is
    /// ended in a copy beside the group, by a commit that goes nowhere.
    fn current_secret(&self, group: &GroupId, epoch: u64, held: &[u8]) -> Result<Secret, NoCopy> {
        let overlay = &self.overlay;
        engine_storage::set_state(overlay, Slot::Replay, &group.0, held);
        let slot = Slot::Replay;
        let ended = self.loader(slot).load_group(&group.0).and_then(|mut ahead| {
            ahead.clear_pending_commit();
            ahead.clear_proposal_cache();
            ahead.commit(Vec::new())?;
            ahead.apply_pending_commit()?;
            ahead.write_to_storage()
        });
        let secret = self.past_secret(group, slot, epoch);
        engine_storage::delete(overlay, slot, &group.0)?;
        ended.map_err(no_copy)?;
        secret.map(|(_, secret)| secret)
    }
}

type Secret = Zeroizing<Vec<u8>>;

/// The bytes with one secret in the place of another, which must stand there exactly once.
fn exchanged(bytes: &[u8], old: &Secret, new: &Secret) -> Result<Secret, NoCopy> {
    let mut places =
        bytes.windows(old.len().max(1)).enumerate().filter(|(_, at)| *at == old.as_slice());
    let (Some((place, _)), None) = (places.next(), places.next()) else {
        return Err(NoCopy::Impossible);
    };
    let mut changed = Zeroizing::new(bytes.to_vec());
    let room = changed.get_mut(place..).and_then(|rest| rest.get_mut(..old.len()));
    match room.filter(|room| room.len() == new.len()) {
        Some(room) => room.copy_from_slice(new),
        None => return Err(NoCopy::Impossible),
    }
    Ok(changed)
}

fn encoded(value: &impl MlsEncode) -> Result<Secret, NoCopy> {
    value.mls_encode_to_vec().map(Zeroizing::new).map_err(|_| NoCopy::Impossible)
}

/// Why there is no copy.
enum NoCopy {
    /// The machine's fault.
    Storage(StoreError),
    /// The branch may not be one of that parent.
    Unfit(SettingsError),
    /// The engine does not end the group's epoch, or lays its state out in another way, or the secret
    /// stands in it twice, as whoever knows it could have made it.
    Impossible,
}

impl From<StoreError> for NoCopy {
    fn from(error: StoreError) -> Self {
        Self::Storage(error)
    }
}

fn no_copy(error: MlsError) -> NoCopy {
    match is_storage_fault(&error) {
        true => NoCopy::Storage(engine_fault(&error)),
        false => NoCopy::Impossible,
    }
}
