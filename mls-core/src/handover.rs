//! The word of a hub's old key that new ones take its place.
//!
//! A group names its hub's keys in its context. When the hub gets new ones, the old receipt key signs
//! for the new receipt key and, suite by suite, for the new external sender. A commit then puts them
//! into the context, with that signature: everybody who trusted the old key can check it.

use mls_rs_codec::MlsEncode;
use mls_rs_core::crypto::{CipherSuite, SignaturePublicKey, SignatureSecretKey};

use crate::engine::{self, EngineError};

/// Receipt keys are Ed25519, the signature scheme of this suite.
const SUITE: CipherSuite = CipherSuite::CURVE25519_AES128;
const LABEL: &[u8] = b"mls-bridge 0 handover\0";

/// What is signed: `opaque old<V>; opaque new<V>; opaque sender<V>`.
pub struct Handover<'a> {
    /// The receipt key that signs.
    pub old: &'a [u8],
    /// The receipt key that takes its place.
    pub new: &'a [u8],
    /// The encoded SigningIdentity of the external sender that goes with it, of one suite.
    pub sender: &'a [u8],
}

impl Handover<'_> {
    /// Signs with the old receipt key.
    pub fn sign(&self, key: &SignatureSecretKey) -> Result<Vec<u8>, EngineError> {
        engine::sign(SUITE, key, &self.signed_bytes()?)
    }

    /// Whether the old receipt key signed it.
    pub fn verify(&self, signature: &[u8]) -> Result<(), EngineError> {
        let key = SignaturePublicKey::from(self.old.to_vec());
        engine::verify(SUITE, &key, signature, &self.signed_bytes()?)
    }

    fn signed_bytes(&self) -> Result<Vec<u8>, EngineError> {
        let mut bytes = LABEL.to_vec();
        for part in [self.old, self.new, self.sender] {
            bytes.extend(part.to_vec().mls_encode_to_vec().map_err(engine::crypto_error)?);
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Crypto;

    #[test]
    fn a_handover_holds_for_one_old_key_one_new_key_and_one_sender() {
        let (secret, old) = Crypto::system().generate_signature_key(SUITE).unwrap();
        let (other, _) = Crypto::system().generate_signature_key(SUITE).unwrap();
        let make = |old, new, sender| Handover { old, new, sender };
        let good = make(&old, b"new", b"sender");
        let signature = good.sign(&secret).unwrap();
        good.verify(&signature).unwrap();
        assert!(good.verify(&good.sign(&other).unwrap()).is_err());
        for changed in [
            make(b"other", b"new", b"sender"),
            make(&old, b"other", b"sender"),
            make(&old, b"new", b"other"),
            make(&old, b"newsen", b"der"),
        ] {
            assert!(changed.verify(&signature).is_err());
        }
    }
}
