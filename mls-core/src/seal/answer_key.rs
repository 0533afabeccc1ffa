//! The key of one request's answers: made by the asker, and known to it and the hub only.

use std::fmt;

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};
use zeroize::Zeroize;

use super::{KEY_BYTES, NONCE_BYTES, aead_open, aead_seal};
use crate::crypto::Crypto;
use crate::engine::{EngineError, crypto_error};
use crate::wire::{Reply, RequestId};

/// Prints nothing, and is wiped when it is dropped.
#[derive(Clone, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct AnswerKey(pub(super) [u8; KEY_BYTES]);

impl AnswerKey {
    /// Seals what is replied to the request with that id.
    pub fn seal(
        &self,
        crypto: &Crypto,
        id: &RequestId,
        reply: &Reply,
    ) -> Result<Vec<u8>, EngineError> {
        let body = zeroize::Zeroizing::new(reply.mls_encode_to_vec().map_err(crypto_error)?);
        aead_seal(&self.0, &crypto.random_bytes(NONCE_BYTES)?, id.as_bytes(), &body)
    }

    /// The reply to the request with that id.
    pub fn open(&self, id: &RequestId, sealed: &[u8]) -> Result<Reply, EngineError> {
        let body = aead_open(&self.0, id.as_bytes(), sealed)?;
        let mut rest = body.as_slice();
        let reply = Reply::mls_decode(&mut rest).map_err(crypto_error)?;
        match reply {
            Reply::Sealed(_) => Err(crypto_error("a reply is sealed twice")),
            reply if rest.is_empty() => Ok(reply),
            _ => Err(crypto_error("something follows the reply")),
        }
    }
}

impl fmt::Debug for AnswerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnswerKey(..)")
    }
}

impl Drop for AnswerKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
crate::codec_properties::hold!(AnswerKey);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Answer;
    use crate::wire::refusal::Refusal;

    #[test]
    fn an_answer_opens_under_its_key_and_for_its_request_only() {
        let (key, id) = (AnswerKey([7; KEY_BYTES]), "r1".to_owned());
        let crypto = Crypto::system();
        for reply in [Reply::Ok(Answer::Done), Reply::Refused(Refusal::Gone)] {
            let sealed = key.seal(&crypto, &id, &reply).unwrap();
            assert_eq!(key.open(&id, &sealed).unwrap(), reply);
            assert!(key.open(&"r2".to_owned(), &sealed).is_err());
            assert!(AnswerKey([8; KEY_BYTES]).open(&id, &sealed).is_err());
            for place in 0..sealed.len() {
                let mut flipped = sealed.clone();
                flipped[place] ^= 1;
                assert!(key.open(&id, &flipped).is_err());
            }
            assert_ne!(key.seal(&crypto, &id, &reply).unwrap(), sealed, "a nonce came twice");
        }
        let twice = key.seal(&crypto, &id, &Reply::Sealed(vec![1])).unwrap();
        assert!(key.open(&id, &twice).is_err());
        assert!(key.open(&id, &[]).is_err());
        assert_eq!(format!("{key:?}"), "AnswerKey(..)");
    }
}
