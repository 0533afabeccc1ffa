//! Answers: the same request asked again by the same account gets the same answer for a day.
//!
//! Only what a request has changed is remembered. A refusal changed nothing, and a question may
//! be answered anew; handshakes are known by their hash ([`super::handshake_log`]).

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::expiry::{Expiring, expire_at};
use super::turn::{Turn, machine};
use super::{AnswerEffect, Effect, Reply, ReplyTo};
use crate::address::UserId;
use crate::engine::sha256_parts;
use crate::limits::ANSWER_KEEP_MS;
use crate::seal::answer_key::AnswerKey;
use crate::store::{Space, StoreError};
use crate::wire::{Answer, Digest, RequestId};

const SPACE: Space = "answer";

/// Who waits for an answer, and to what.
#[derive(Clone, Debug, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub(super) struct Asked {
    /// The account.
    pub(super) from: UserId,
    /// Where the answer goes.
    pub(super) reply_to: ReplyTo,
    /// The account's id for the request.
    pub(super) id: RequestId,
    /// SHA-256 of the request.
    pub(super) request: Digest,
    /// What the answer is sealed with, where the request was.
    pub(super) answer_key: Option<AnswerKey>,
}

/// An answer that was given, and the request that it was given to.
#[derive(MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(Debug, proptest_derive::Arbitrary))]
pub(super) struct Given {
    /// SHA-256 of the request.
    pub(super) request: Digest,
    /// The answer.
    pub(super) answer: Answer,
}

impl Asked {
    /// One name for this account's request: of its job and of its remembered answer.
    pub(super) fn key(&self) -> Digest {
        sha256_parts(&[self.from.as_str().as_bytes(), self.id.as_bytes()])
    }
}

impl Turn<'_> {
    /// Sends the reply.
    pub(super) fn reply(&mut self, asked: &Asked, reply: Reply) -> Result<(), StoreError> {
        let (to, id) = (asked.reply_to.clone(), asked.id.clone());
        let reply = match &asked.answer_key {
            Some(key) => Reply::Sealed(key.seal(self.crypto, &id, &reply).map_err(machine)?),
            None => reply,
        };
        self.effects.push(Effect::Answer(AnswerEffect { to, id, reply }));
        Ok(())
    }

    /// Remembers what is answered.
    pub(super) fn remember(&self, asked: &Asked, answer: &Answer) -> Result<(), StoreError> {
        let key = asked.key();
        let given = Given { request: asked.request, answer: answer.clone() };
        self.store.write(SPACE, &key.0, &given)?;
        expire_at(self.store, self.now_ms.saturating_add(ANSWER_KEEP_MS), &Expiring::Answer(key))
    }

    /// The answer that this account's request of this id got before.
    pub(super) fn given_before(&self, asked: &Asked) -> Result<Option<Given>, StoreError> {
        self.store.read(SPACE, &asked.key().0)
    }

    /// A remembered answer has ended.
    pub(super) fn forget_answer(&self, key: &Digest) {
        self.store.delete(SPACE, &key.0);
    }
}

#[cfg(test)]
crate::codec_properties::hold!(Asked, Given);
