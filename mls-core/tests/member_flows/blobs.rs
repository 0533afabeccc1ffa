//! What a member's runtime does before it hands an answer on: it fetches the parts that are blobs.

use mls_core::hub::{self, Effect, Reply, ReplyTo};
use mls_core::wire::blob::{BlobRef, GetBlob, Part};
use mls_core::wire::{Answer, Request};

use crate::network::World;

impl World {
    /// Puts the bytes of blobs in their places.
    pub(crate) fn fetch_parts(&mut self, index: usize, answer: &mut Answer) {
        for part in answer.parts_mut() {
            if let Part::Blob(blob) = part {
                *part = Part::Inline(self.fetch(index, blob));
            }
        }
    }

    fn fetch(&mut self, index: usize, blob: &BlobRef) -> Vec<u8> {
        let mut bytes = Vec::new();
        while bytes.len() < blob.size as usize {
            let offset = u32::try_from(bytes.len()).unwrap();
            let request = Request::GetBlob(GetBlob { hash: blob.hash, offset });
            let asked = hub::RequestInput {
                from: self.user(index),
                reply_to: ReplyTo::Jid(index.to_string()),
                id: format!("blob-{index}-{}-{offset}", self.hub_writes.len()),
                request,
            };
            let outcome = self.hub.handle(self.now_ms, hub::Input::Request(asked)).unwrap();
            self.hub_store.apply(&outcome.writes);
            self.hub_writes.extend(outcome.writes);
            match outcome.effects.as_slice() {
                [Effect::Answer(answer)] => match &answer.reply {
                    Reply::Ok(Answer::BlobChunk(chunk)) => bytes.extend_from_slice(&chunk.bytes),
                    other => panic!("{other:?}"),
                },
                other => panic!("{other:?}"),
            }
        }
        bytes
    }
}
