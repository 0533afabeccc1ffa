//! The hub's seal key (HPKE, RFC 9180 base mode), to which members seal their requests.
//!
//! The receipt key, which members pin, signs it: nobody between can slip in another later.

use std::fmt;

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};
use mls_rs_core::crypto::{
    CipherSuiteProvider, HpkeCiphertext, HpkePublicKey, HpkeSecretKey, SignaturePublicKey,
    SignatureSecretKey,
};
use zeroize::Zeroizing;

use super::answer_key::AnswerKey;
use super::{SUITE, padding};
use crate::address::UserId;
use crate::crypto::Crypto;
use crate::engine::{self, EngineError, cipher_suite, crypto_error};
use crate::wire::sealed::SealedRequest;
use crate::wire::{Request, RequestId};

const PUBLIC_BYTES: usize = 32;
const INFO: &[u8] = b"mls-bridge 0 request";
const SIGNED: &[u8] = b"mls-bridge 0 seal key\0";

/// The hub's pair of keys. Prints nothing of the secret.
#[derive(Clone, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct SealKeyPair {
    #[cfg_attr(test, proptest(strategy = "crate::codec_properties::key()"))]
    secret: HpkeSecretKey,
    #[cfg_attr(test, proptest(strategy = "crate::codec_properties::key()"))]
    public: HpkePublicKey,
}

/// What is sealed: the request, and the key that its answers come under.
#[derive(Clone, Debug, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
struct Asked {
    answer_key: AnswerKey,
    request: Request,
}

impl SealKeyPair {
    /// A fresh pair.
    pub fn generate(crypto: &Crypto) -> Result<Self, EngineError> {
        let (secret, public) = crypto.suite(SUITE)?.kem_generate().map_err(crypto_error)?;
        Ok(Self { secret, public })
    }

    /// The public key: 32 bytes.
    pub fn public(&self) -> &[u8] {
        &self.public
    }

    /// The request that `from` sealed under this id, and the key for its answers.
    pub fn open(
        &self,
        sealed: &SealedRequest,
        id: &RequestId,
        from: &UserId,
    ) -> Result<(Request, AnswerKey), EngineError> {
        let ciphertext = HpkeCiphertext {
            kem_output: sealed.kem_output.clone(),
            ciphertext: sealed.ciphertext.clone(),
        };
        let aad = aad(id, from)?;
        let padded = cipher_suite(SUITE)?
            .hpke_open(&ciphertext, &self.secret, &self.public, INFO, Some(&aad))
            .map_err(crypto_error)?;
        let body = padding::unpad(padded).ok_or_else(|| crypto_error("it is not padded"))?;
        let mut rest = body.as_slice();
        let asked = Asked::mls_decode(&mut rest).map_err(crypto_error)?;
        match rest {
            [] => Ok((asked.request, asked.answer_key)),
            _ => Err(crypto_error("something follows the request")),
        }
    }
}

impl fmt::Debug for SealKeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKeyPair(..)")
    }
}

/// Seals a request of `from` to the hub's public seal key.
pub(super) fn seal(
    public: &[u8],
    id: &RequestId,
    from: &UserId,
    request: &Request,
    answer_key: AnswerKey,
) -> Result<SealedRequest, EngineError> {
    let asked = Asked { answer_key, request: request.clone() };
    let body = Zeroizing::new(asked.mls_encode_to_vec().map_err(crypto_error)?);
    let (key, aad) = (HpkePublicKey::from(public.to_vec()), aad(id, from)?);
    let sealed = cipher_suite(SUITE)?
        .hpke_seal(&key, INFO, Some(&aad), &padding::pad(&body))
        .map_err(crypto_error)?;
    Ok(SealedRequest { kem_output: sealed.kem_output, ciphertext: sealed.ciphertext })
}

/// What binds a sealed request to who asks and under which id; the key names the hub.
fn aad(id: &RequestId, from: &UserId) -> Result<Vec<u8>, EngineError> {
    let account = from.as_str().to_owned();
    let parts = [id.mls_encode_to_vec(), account.mls_encode_to_vec()];
    let [id, account] = parts.map(|part| part.map_err(crypto_error));
    Ok([id?, account?].concat())
}

/// Signs a seal key with the hub's receipt key.
pub fn sign(receipt_key: &SignatureSecretKey, seal_key: &[u8]) -> Result<Vec<u8>, EngineError> {
    engine::sign(SUITE, receipt_key, &[SIGNED, seal_key].concat())
}

/// Whether this receipt key signed the seal key, which has the length of one.
pub fn verify(receipt_key: &[u8], seal_key: &[u8], signature: &[u8]) -> Result<(), EngineError> {
    let key = SignaturePublicKey::from(receipt_key.to_vec());
    engine::verify(SUITE, &key, signature, &[SIGNED, seal_key].concat())?;
    match seal_key.len() {
        PUBLIC_BYTES => Ok(()),
        other => Err(crypto_error(format!("a seal key has {PUBLIC_BYTES} bytes, not {other}"))),
    }
}

#[cfg(test)]
crate::codec_properties::hold!(SealKeyPair, Asked);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_request_is_of_one_account_under_one_id_for_one_hub() {
        let hub = SealKeyPair::generate(&Crypto::system()).unwrap();
        let alice = UserId::matrix("@alice:a.org").unwrap();
        let bob = UserId::matrix("@bob:a.org").unwrap();
        let (id, key) = ("r1".to_owned(), AnswerKey([7; 16]));
        let make = || seal(hub.public(), &id, &alice, &Request::HubInfo, key.clone()).unwrap();
        let sealed = make();
        assert_eq!(hub.open(&sealed, &id, &alice).unwrap(), (Request::HubInfo, key.clone()));
        assert!(hub.open(&sealed, &id, &bob).is_err());
        assert!(hub.open(&sealed, &"r2".to_owned(), &alice).is_err());
        assert!(
            SealKeyPair::generate(&Crypto::system()).unwrap().open(&sealed, &id, &alice).is_err()
        );
        let mut damaged = make();
        damaged.ciphertext[40] ^= 1;
        assert!(hub.open(&damaged, &id, &alice).is_err());
        assert_eq!(sealed.ciphertext.len(), 128 + 16);
        assert_eq!(format!("{hub:?}"), "SealKeyPair(..)");
    }

    #[test]
    fn a_seal_key_holds_by_the_signature_of_its_own_receipt_key() {
        let (secret, public) = Crypto::system().generate_signature_key(SUITE).unwrap();
        let (other, _) = Crypto::system().generate_signature_key(SUITE).unwrap();
        let key = SealKeyPair::generate(&Crypto::system()).unwrap();
        let signature = sign(&secret, key.public()).unwrap();
        verify(&public, key.public(), &signature).unwrap();
        assert!(verify(&public, &[9; 32], &signature).is_err());
        assert!(verify(&public, key.public(), &sign(&other, key.public()).unwrap()).is_err());
        let short = sign(&secret, &[9; 31]).unwrap();
        assert!(verify(&public, &[9; 31], &short).is_err(), "that is no X25519 key");
    }
}
