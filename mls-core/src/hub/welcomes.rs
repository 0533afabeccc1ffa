//! Welcomes that wait for their devices, with the tree that each needs.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::expiry::{Expiring, WelcomeKey, expire_at};
use super::turn::Turn;
use super::{Effect, Notify};
use crate::address::ClientId;
use crate::engine::sha256_parts;
use crate::limits::{WELCOME_KEEP_MS, WELCOMES_PER_CLIENT_MAX};
use crate::overlay::decode;
use crate::store::{Space, StoreError};
use crate::wire::blob::{BlobRef, Part};
use crate::wire::welcome::{Resumed, Welcome};
use crate::wire::welcome_waiting::WelcomeWaiting;
use crate::wire::{Digest, GroupId, Notice};

const SPACE: Space = "welcome";
/// When each Welcome came, by client and id: its place in [`SPACE`].
const PLACE: Space = "welcome_place";

/// A Welcome that waits; its large parts are blobs, shared by all whom one commit added.
#[derive(Clone, Debug, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub(super) struct WaitingWelcome {
    /// Names it.
    pub(super) id: Digest,
    client: ClientId,
    group: GroupId,
    resumes: Option<Resumed>,
    epoch: u64,
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    receipt: Vec<u8>,
    tree: BlobRef,
    welcome: BlobRef,
}

/// What all whom a commit added are told.
pub(super) struct WelcomeContent {
    /// The group.
    pub(super) group: GroupId,
    /// The group whose resumption PSK the Welcome needs.
    pub(super) resumes: Option<Resumed>,
    /// The epoch that the commit led to.
    pub(super) epoch: u64,
    /// The commit's receipt.
    pub(super) receipt: Vec<u8>,
    /// The tree of that epoch.
    pub(super) tree: Vec<u8>,
    /// The Welcome's MLSMessage.
    pub(super) welcome: Vec<u8>,
}

impl Turn<'_> {
    /// Keeps a Welcome for each client, and says so.
    pub(super) fn welcome(
        &mut self,
        content: &WelcomeContent,
        clients: &[ClientId],
    ) -> Result<(), StoreError> {
        let tree = self.keep_blob(&content.tree, 0)?;
        let welcome = self.keep_blob(&content.welcome, 0)?;
        for client in clients {
            let id = sha256_parts(&[&content.welcome, client.as_str().as_bytes()]);
            let waiting = WaitingWelcome {
                id,
                client: client.clone(),
                group: content.group.clone(),
                resumes: content.resumes.clone(),
                epoch: content.epoch,
                receipt: content.receipt.clone(),
                tree,
                welcome,
            };
            self.keep_welcome(&waiting)?;
            let notice = Notice::WelcomeWaiting(WelcomeWaiting { device: client.device() });
            self.effects.push(Effect::Notify(Notify { id, to: client.clone(), notice }));
        }
        Ok(())
    }

    /// Welcomes that wait for a client, the oldest first.
    pub(super) fn waiting_welcomes(
        &self,
        client: &ClientId,
        limit: usize,
    ) -> Result<Vec<WaitingWelcome>, StoreError> {
        let found = self.store.scan(SPACE, &client_key(client), b"", limit)?;
        found.iter().map(|(_, value)| decode(SPACE, value)).collect()
    }

    /// A Welcome as it travels, with at most `room` bytes inline, the largest part leaving
    /// first; nothing if a part is no longer kept.
    pub(super) fn outgoing_welcome(
        &self,
        waiting: &WaitingWelcome,
        room: usize,
    ) -> Result<Option<Welcome>, StoreError> {
        let beside = waiting.resumes.as_ref().map_or(0, MlsSize::mls_encoded_len);
        let room = room.saturating_sub(waiting.receipt.len()).saturating_sub(beside);
        let size = |blob: &BlobRef| usize::try_from(blob.size).unwrap_or(usize::MAX);
        let (tree_inline, welcome_inline) = match (size(&waiting.tree), size(&waiting.welcome)) {
            (t, w) if t.saturating_add(w) <= room => (true, true),
            (t, w) if t >= w => (false, w <= room),
            (t, _) => (t <= room, false),
        };
        let Some(tree) = self.outgoing_part(waiting.tree, tree_inline)? else { return Ok(None) };
        let welcome = self.outgoing_part(waiting.welcome, welcome_inline)?;
        let Some(welcome) = welcome else { return Ok(None) };
        Ok(Some(Welcome {
            id: waiting.id,
            client: waiting.client.clone(),
            group: waiting.group.clone(),
            resumes: waiting.resumes.clone(),
            epoch: waiting.epoch,
            receipt: waiting.receipt.clone(),
            tree,
            welcome,
        }))
    }

    /// A blob as it travels; nothing if it is no longer kept.
    fn outgoing_part(&self, blob: BlobRef, inline: bool) -> Result<Option<Part>, StoreError> {
        match inline {
            true => Ok(self.blob_bytes(&blob.hash)?.map(Part::Inline)),
            false => Ok(self.has_blob(&blob.hash)?.then_some(Part::Blob(blob))),
        }
    }

    /// A Welcome was dealt with, or waited too long.
    pub(super) fn drop_welcome(&self, client: &ClientId, id: &Digest) -> Result<(), StoreError> {
        let place_key = [client_key(client).as_slice(), &id.0].concat();
        let Some(place) = self.store.get(PLACE, &place_key)? else { return Ok(()) };
        if let Some(waiting) = self.store.read::<WaitingWelcome>(SPACE, &place)? {
            self.hold_blob(&waiting.tree.hash, false)?;
            self.hold_blob(&waiting.welcome.hash, false)?;
        }
        self.store.delete(SPACE, &place);
        self.store.delete(PLACE, &place_key);
        Ok(())
    }

    fn keep_welcome(&self, waiting: &WaitingWelcome) -> Result<(), StoreError> {
        let client = &waiting.client;
        let before = self.waiting_welcomes(client, WELCOMES_PER_CLIENT_MAX)?;
        if let (WELCOMES_PER_CLIENT_MAX.., Some(oldest)) = (before.len(), before.first()) {
            self.drop_welcome(client, &oldest.id)?;
        }
        self.hold_blob(&waiting.tree.hash, true)?;
        self.hold_blob(&waiting.welcome.hash, true)?;
        let time = self.now_ms.to_be_bytes();
        let place = [client_key(client).as_slice(), &time, &waiting.id.0].concat();
        self.store.write(SPACE, &place, waiting)?;
        let place_key = [client_key(client).as_slice(), &waiting.id.0].concat();
        self.store.put(PLACE, &place_key, place);
        let key = WelcomeKey { client: client.clone(), id: waiting.id };
        let end = self.now_ms.saturating_add(WELCOME_KEEP_MS);
        expire_at(self.store, end, &Expiring::Welcome(key))
    }
}

fn client_key(client: &ClientId) -> Vec<u8> {
    [client.as_str().as_bytes(), &[0]].concat()
}

#[cfg(test)]
crate::codec_properties::hold!(WaitingWelcome);
