//! What stands in the log: the entries, which their users may read, and the leaves of the tree, which
//! everybody may.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::proof::hash_of_record;
use crate::address::{ClientId, UserId};
use crate::engine::{self, EngineError, sha256};
use crate::identity::{Certificate, CertificateError};
use crate::wire::Digest;

const USER_LABEL: &[u8] = b"mls-bridge 0 log user\0";

/// One act of the authority.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
#[repr(u8)]
pub enum LogEntry {
    /// It signed a certificate.
    Issued(Issued) = 1u8,
    /// It took certificates back.
    Revoked(Revoked) = 2u8,
}

/// A certificate that was signed.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct Issued {
    /// Whose it is.
    pub client: ClientId,
    /// SHA-256 of the leaf certificate, DER.
    pub certificate: Digest,
    /// SHA-256 of the signature key that it is for.
    pub key: Digest,
    /// Its serial number.
    pub serial: SerialNumber,
    /// When it ends, in seconds since 1970.
    pub not_after_s: u64,
    /// When it was signed, by the hub's clock in milliseconds since 1970.
    pub at_ms: u64,
}

/// Certificates that count no more.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct Revoked {
    /// Whose they are.
    pub client: ClientId,
    /// Which one; all that the client has where none is named.
    pub serial: Option<SerialNumber>,
    /// Since when, by the hub's clock in milliseconds since 1970.
    pub at_ms: u64,
    /// Why.
    pub reason: RevocationReason,
}

/// A certificate's serial number, big-endian; at most 20 bytes (RFC 5280 4.1.2.2).
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct SerialNumber(#[mls_codec(with = "mls_rs_codec::byte_vec")] pub Vec<u8>);

/// Why certificates were revoked, with the numbers of CRLReason (RFC 5280 5.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
#[repr(u8)]
pub enum RevocationReason {
    /// Nobody said why.
    Unspecified = 0u8,
    /// The device was lost, or its key is in other hands.
    KeyCompromise = 1u8,
    /// Another certificate takes its place.
    Superseded = 4u8,
    /// The account or the device is no more.
    CessationOfOperation = 5u8,
}

/// A leaf of the tree: 64 bytes that say whose entry stands here to whoever knows the name.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct LogLeaf {
    /// [`user_label`] of the entry's user.
    pub user_label: Digest,
    /// [`LogEntry::hash`].
    pub entry_hash: Digest,
}

impl LogEntry {
    /// Whose device it is about.
    pub fn client(&self) -> &ClientId {
        match self {
            Self::Issued(issued) => &issued.client,
            Self::Revoked(revoked) => &revoked.client,
        }
    }

    /// SHA-256 of the encoding.
    pub fn hash(&self) -> Result<Digest, EngineError> {
        Ok(sha256(&self.mls_encode_to_vec().map_err(engine::crypto_error)?))
    }

    /// Its leaf.
    pub fn leaf(&self) -> Result<LogLeaf, EngineError> {
        Ok(LogLeaf { user_label: user_label(&self.client().user()), entry_hash: self.hash()? })
    }
}

impl Issued {
    /// What is logged of a certificate (DER) that was signed at `at_ms`.
    pub fn of(der: &[u8], at_ms: u64) -> Result<Self, CertificateError> {
        let Certificate { client, key, serial, not_after_s, .. } = Certificate::from_der(der)?;
        let (certificate, key, serial) = (sha256(der), sha256(&key), SerialNumber(serial));
        Ok(Self { client, certificate, key, serial, not_after_s, at_ms })
    }

    /// Whether it says of a certificate (DER) what that says itself.
    pub fn describes(&self, der: &[u8]) -> bool {
        Self::of(der, self.at_ms).is_ok_and(|own| own == *self)
    }
}

impl LogLeaf {
    /// Its hash in the tree (RFC 6962 2.1).
    pub fn hash(&self) -> Digest {
        hash_of_record(&[self.user_label.0, self.entry_hash.0].concat())
    }
}

/// What leaves of a user's entries have in common: SHA-256 of a label, a zero byte and the user id.
pub fn user_label(user: &UserId) -> Digest {
    sha256(&[USER_LABEL, user.as_str().as_bytes()].concat())
}

#[cfg(test)]
crate::codec_properties::hold!(LogEntry, Issued, Revoked, SerialNumber, RevocationReason, LogLeaf);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authority::{AUTHORITY_SUITE, Authority, CertificateRequest, request_certificate};
    use crate::crypto::Crypto;

    const NOW: u64 = 1_800_000_000_000;

    fn certificate() -> Vec<u8> {
        let crypto = Crypto::system();
        let (authority, _) = Authority::make(&crypto, "test").unwrap();
        let client = UserId::matrix("@alice:example.org").unwrap().device("PHONE").unwrap();
        let (secret, public) = crypto.generate_signature_key(AUTHORITY_SUITE).unwrap();
        let request = request_certificate(&client, AUTHORITY_SUITE, &secret, &public).unwrap();
        let request = CertificateRequest::from_der(&request).unwrap();
        authority.issue(&crypto, request, NOW).unwrap().remove(0)
    }

    #[test]
    fn a_leaf_is_the_64_bytes_of_its_encoding() {
        let entry = LogEntry::Issued(Issued::of(&certificate(), NOW).unwrap());
        let leaf = entry.leaf().unwrap();
        let bytes = leaf.mls_encode_to_vec().unwrap();
        assert_eq!(bytes.len(), 64);
        assert_eq!(leaf.hash(), sha256(&[&[0], bytes.as_slice()].concat()));
    }

    #[test]
    fn an_entry_describes_one_certificate_and_in_every_part() {
        let der = certificate();
        let issued = Issued::of(&der, NOW).unwrap();
        assert!(issued.describes(&der));
        assert!(!issued.describes(&certificate()) && !issued.describes(b"none"));
        let other = Digest([7; 32]);
        let client = issued.client.user().device("LAPTOP").unwrap();
        for changed in [
            Issued { client, ..issued.clone() },
            Issued { certificate: other, ..issued.clone() },
            Issued { key: other, ..issued.clone() },
            Issued { serial: SerialNumber(vec![1]), ..issued.clone() },
            Issued { not_after_s: issued.not_after_s + 1, ..issued.clone() },
        ] {
            assert!(!changed.describes(&der), "{changed:?}");
        }
    }
}
