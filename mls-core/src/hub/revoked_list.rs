//! Who is revoked, as an authority that runs alone tells it to a delivery service: a signed list, which anybody
//! may carry.
//!
//! A list of revoked certificates (RFC 5280 5) says less: a delivery service keeps devices out, also where a
//! group takes leaves without a certificate.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};
use mls_rs_core::crypto::SignaturePublicKey;
use mls_rs_core::identity::CertificateChain;
use thiserror::Error;

use super::operator::revoked_entries;
use super::{Hub, RevokedEntry};
use crate::authority::{AuthorityError, suite_of};
use crate::engine;
use crate::identity::{CertificateError, issuer_key, public_key_of};
use crate::limits::{CERTIFICATE_BYTES_MAX, CERTIFICATES_PER_CHAIN_MAX, CLOCK_SKEW_MS};
use crate::store::StoreError;
use crate::wire::issue_credential::CertificateBytes;

const LABEL: &[u8] = b"mls-bridge 0 revoked list\0";

/// All accounts and devices that are revoked.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct RevokedList {
    /// When it was made, by the authority's clock in milliseconds since 1970; a later one replaces it.
    pub made_ms: u64,
    /// At most [`REVOKED_LISTED_MAX`](crate::limits::REVOKED_LISTED_MAX).
    pub entries: Vec<RevokedEntry>,
}

/// The list as it is carried.
#[derive(Debug, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
struct SignedList {
    list: RevokedList,
    /// A certificate of no client for the key that signed, and those that lead from it to the root.
    chain: Vec<CertificateBytes>,
    /// Over a label, a zero byte and `list`; Ed25519, or ECDSA on P-256 in DER.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    signature: Vec<u8>,
}

/// Why there is no list.
#[derive(Debug, Error)]
pub enum RevokedListError {
    /// Other bytes, or cut short; whoever wrote or carried them is at fault.
    #[error("these bytes are no list of who is revoked")]
    Broken,
    /// Signed by somebody else than the authority of these roots.
    #[error("it is not signed by the authority whose roots are known: {0}")]
    Path(#[from] CertificateError),
    /// It was changed after it was signed.
    #[error("the authority has not signed this list")]
    Signature,
    /// It comes from a time that is still to come.
    #[error("it was made in the future: look at both clocks")]
    Future,
    /// The authority cannot sign now.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RevokedList {
    /// Reads a list that leads to one of `roots` (X.509, DER) at this time.
    pub fn verify(
        mut bytes: &[u8],
        roots: &[Vec<u8>],
        now_ms: u64,
    ) -> Result<Self, RevokedListError> {
        let read = SignedList::mls_decode(&mut bytes);
        let signed = read.ok().filter(|_| bytes.is_empty()).ok_or(RevokedListError::Broken)?;
        let long = signed.chain.iter().any(|one| one.0.len() > CERTIFICATE_BYTES_MAX);
        if long || signed.chain.len() > CERTIFICATES_PER_CHAIN_MAX {
            return Err(CertificateError::Chain.into());
        }
        let chain: Vec<Vec<u8>> = signed.chain.into_iter().map(|one| one.0).collect();
        let key = public_key_of(chain.first().ok_or(CertificateError::Chain)?)?;
        let (chain, roots) = (CertificateChain::from(chain), roots.iter().map(Vec::as_slice));
        // Every device has a certificate that leads to the root: this one must be for the key that issued it.
        if issuer_key(&chain, roots, now_ms / 1000)? != key {
            return Err(RevokedListError::Signature);
        }
        let key = SignaturePublicKey::from(key);
        let bytes = signed_bytes(&signed.list)?;
        engine::verify(suite_of(&key), &key, &signed.signature, &bytes)
            .map_err(|_| RevokedListError::Signature)?;
        match signed.list.made_ms > now_ms.saturating_add(CLOCK_SKEW_MS) {
            true => Err(RevokedListError::Future),
            false => Ok(signed.list),
        }
    }
}

impl Hub {
    /// Who is revoked, signed for a delivery service that is another process; [`RevokedList::verify`] reads it.
    pub fn signed_revoked_list(&self, now_ms: u64) -> Result<Vec<u8>, RevokedListError> {
        let authority = self.keys.authority.as_ref().ok_or(AuthorityError::Key)?;
        let list = RevokedList { made_ms: now_ms, entries: revoked_entries(&self.store)? };
        let chain = authority.own_chain(now_ms)?.into_iter().map(CertificateBytes).collect();
        let signature = authority.sign_bytes(&signed_bytes(&list)?)?;
        let signed = SignedList { list, chain, signature };
        signed.mls_encode_to_vec().map_err(|_| RevokedListError::Broken)
    }
}

fn signed_bytes(list: &RevokedList) -> Result<Vec<u8>, RevokedListError> {
    let list = list.mls_encode_to_vec().map_err(|_| RevokedListError::Broken)?;
    Ok([LABEL, &list].concat())
}

#[cfg(test)]
crate::codec_properties::hold!(RevokedList, SignedList);

#[cfg(test)]
mod tests {
    use mls_rs_core::crypto::CipherSuite;

    use super::*;
    use crate::address::UserId;
    use crate::authority::{Authority, CertificateRequest, request_certificate};
    use crate::crypto::Crypto;

    const NOW_MS: u64 = 1_800_000_000_000;

    #[test]
    fn a_device_that_the_authority_certified_signs_no_list() {
        let (crypto, suite) = (Crypto::system(), CipherSuite::CURVE25519_AES128);
        let (authority, _) = Authority::make(&crypto, "of example.org").unwrap();
        let roots = [authority.anchor().to_vec()];
        let (secret, public) = crypto.generate_signature_key(suite).unwrap();
        let client = UserId::matrix("@mallory:example.org").unwrap().device("PHONE").unwrap();
        let asked = request_certificate(&client, suite, &secret, &public).unwrap();
        let asked = CertificateRequest::from_der(&asked).unwrap();
        let mallorys = authority.issue(&crypto, asked, NOW_MS).unwrap();
        let list = RevokedList { made_ms: NOW_MS, entries: Vec::new() };
        let bytes = signed_bytes(&list).unwrap();
        let signed = |chain: Vec<Vec<u8>>, signature| {
            let chain = chain.into_iter().map(CertificateBytes).collect();
            SignedList { list: list.clone(), chain, signature }.mls_encode_to_vec().unwrap()
        };
        let good =
            signed(authority.own_chain(NOW_MS).unwrap(), authority.sign_bytes(&bytes).unwrap());
        assert_eq!(RevokedList::verify(&good, &roots, NOW_MS).unwrap(), list);
        let forged = signed(mallorys, engine::sign(suite, &secret, &bytes).unwrap());
        let refused = RevokedList::verify(&forged, &roots, NOW_MS);
        assert!(matches!(refused, Err(RevokedListError::Signature)));
    }
}
