//! What an operator gives in PEM (RFC 7468): certificates, and a key in PKCS #8 (RFC 5958).

use std::fmt;
use std::path::Path;

use mls_core::authority::{AuthorityKey, AuthorityKeyError, KeyAlgorithm};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PublicKeyData, SigningKey};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

use super::private_file::{read_private, read_public};

/// A key that was read from a file. It prints nothing.
pub(super) struct FileKey {
    pair: Zeroizing<KeyPair>,
    algorithm: KeyAlgorithm,
}

impl FileKey {
    /// Reads a key that only its owner may read.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        Self::parse(&read_private(path)?)
            .map_err(|problem| format!("{}: {problem}", path.display()))
    }

    /// Reads the text of one.
    pub(super) fn parse(pem: &[u8]) -> Result<Self, String> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(|_| {
            "holds no PKCS #8 key (BEGIN PRIVATE KEY) without a passphrase; openssl pkcs8 -topk8 \
             -nocrypt makes one of others"
        })?;
        let pair = KeyPair::try_from(&der).map(Zeroizing::new).map_err(|_| WRONG_KEY)?;
        let algorithm = match pair.algorithm() {
            ed25519 if *ed25519 == PKCS_ED25519 => KeyAlgorithm::Ed25519,
            p256 if *p256 == PKCS_ECDSA_P256_SHA256 => KeyAlgorithm::P256,
            _ => return Err(WRONG_KEY.to_owned()),
        };
        Ok(Self { pair, algorithm })
    }
}

impl AuthorityKey for FileKey {
    fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    fn public(&self) -> &[u8] {
        self.pair.der_bytes()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, AuthorityKeyError> {
        SigningKey::sign(&*self.pair, message).map_err(|error| AuthorityKeyError(error.to_string()))
    }
}

impl fmt::Debug for FileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FileKey(..)")
    }
}

/// The certificates of a file in its order, DER.
pub(crate) fn read_certificates(path: &Path) -> Result<Vec<Vec<u8>>, String> {
    let pem = read_public(path)?;
    let broken = |error| format!("{} is not PEM: {error}", path.display());
    let certificates = CertificateDer::pem_slice_iter(&pem);
    let certificates: Vec<_> = certificates.collect::<Result<_, _>>().map_err(broken)?;
    if certificates.is_empty() {
        return Err(format!("{} holds no certificate (BEGIN CERTIFICATE)", path.display()));
    }
    Ok(certificates.iter().map(|one| one.to_vec()).collect())
}

const WRONG_KEY: &str = "is neither an Ed25519 nor a P-256 key";
