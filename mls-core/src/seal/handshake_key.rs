//! The key under which a group's handshakes of one epoch stand in its rooms.
//!
//! Members derive it from the epoch's exporter secret (RFC 9420 8.5), the hub is given it by who
//! begins the epoch. It opens what the hub knows anyway and nothing else: neither messages nor any
//! other secret follow from it (docs/decisions/0015).

use std::fmt;

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};
use zeroize::Zeroize;

use super::{KEY_BYTES, NONCE_BYTES, aead_open, aead_seal};
use crate::engine::{EngineError, crypto_error, sha256_parts};
use crate::wire::handshake::{Handshake, SealedHandshake};

/// The exporter's label; the context is empty.
pub const LABEL: &[u8] = b"mls-bridge 0 handshake";
/// The exporter's length, in bytes.
pub const LENGTH: usize = KEY_BYTES;

/// Prints nothing, and is wiped when it is dropped.
#[derive(Clone, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct HandshakeKey([u8; KEY_BYTES]);

impl HandshakeKey {
    /// From what the exporter gave; nothing if that has another length.
    pub fn from_exported(exported: &[u8]) -> Option<Self> {
        exported.try_into().ok().map(Self)
    }

    /// Seals a handshake for the rooms. One whose message is not inline is left out: who sees its
    /// place fetches it from the hub.
    pub fn seal(&self, handshake: &Handshake) -> Result<SealedHandshake, EngineError> {
        let mut sealed = SealedHandshake::left_out(handshake);
        if handshake.message.inline().is_some() {
            let body = handshake.mls_encode_to_vec().map_err(crypto_error)?;
            // From what is sealed, so that one handshake has one form and no nonce comes twice.
            let nonce = sha256_parts(&[&self.0, &sealed.place()?, &body]).0;
            let nonce = nonce.first_chunk::<NONCE_BYTES>().map_or(&[][..], |nonce| &nonce[..]);
            sealed.sealed = aead_seal(&self.0, nonce, &sealed.place()?, &body)?;
        }
        Ok(sealed)
    }

    /// The handshake, for the place at which it stands.
    pub fn open(&self, sealed: &SealedHandshake) -> Result<Handshake, EngineError> {
        let body = aead_open(&self.0, &sealed.place()?, &sealed.sealed)?;
        let mut rest = body.as_slice();
        let handshake = Handshake::mls_decode(&mut rest).map_err(crypto_error)?;
        let place = (&handshake.group, handshake.seq, handshake.epoch);
        if place != (&sealed.group, sealed.seq, sealed.epoch) || !rest.is_empty() {
            return Err(crypto_error("a handshake stands at another's place"));
        }
        Ok(handshake)
    }
}

impl fmt::Debug for HandshakeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HandshakeKey(..)")
    }
}

impl Drop for HandshakeKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
crate::codec_properties::hold!(HandshakeKey);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::blob::{BlobRef, Part};
    use crate::wire::{Digest, GroupId};

    fn handshake() -> Handshake {
        let group = GroupId(vec![1; 16]);
        Handshake { group, seq: 7, epoch: 3, message: vec![2; 300].into(), receipt: vec![3; 150] }
    }

    #[test]
    fn a_handshake_opens_under_its_epochs_key_and_at_its_place_only() {
        let key = HandshakeKey::from_exported(&[7; KEY_BYTES]).unwrap();
        let sealed = key.seal(&handshake()).unwrap();
        assert_eq!(key.open(&sealed).unwrap(), handshake());
        assert!(HandshakeKey([8; KEY_BYTES]).open(&sealed).is_err());
        let moved = [
            SealedHandshake { group: GroupId(vec![2; 16]), ..sealed.clone() },
            SealedHandshake { seq: 8, ..sealed.clone() },
            SealedHandshake { epoch: 4, ..sealed.clone() },
        ];
        assert!(moved.iter().all(|sealed| key.open(sealed).is_err()));
        assert_eq!(format!("{key:?}"), "HandshakeKey(..)");
        assert!(HandshakeKey::from_exported(&[7; 15]).is_none());
    }

    #[test]
    fn a_large_handshake_shows_its_place_and_nothing_else() {
        let key = HandshakeKey([7; KEY_BYTES]);
        let blob = Part::Blob(BlobRef { hash: Digest([4; 32]), size: 70_000 });
        let sealed = key.seal(&Handshake { message: blob, ..handshake() }).unwrap();
        assert!(sealed.sealed.is_empty());
        assert!(key.open(&sealed).is_err());
    }
}
