//! What a client asks the authority with: PKCS #10 (RFC 2986), whose one subject alternative name is
//! the client id.

use std::sync::Arc;

use mls_rs_core::crypto::{CipherSuite, SignaturePublicKey, SignatureSecretKey};
use rcgen::{
    CertificateParams, CertificateSigningRequestParams, DistinguishedName, IsCa, PublicKey,
    PublicKeyData, SanType,
};
use rustls_pki_types::CertificateSigningRequestDer;
use thiserror::Error;

use super::AuthorityError;
use super::key::{EngineKey, ForRcgen};
use crate::address::ClientId;
use crate::limits::CERTIFICATE_BYTES_MAX;

/// A request that asks for nothing that could be signed; the client's fault.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RequestError {
    /// Not PKCS #10 in DER, or not signed by the key that it names.
    #[error("these bytes are not a certificate request that its own key has signed")]
    Broken,
    /// Another key than one of our suites'.
    #[error("the request's key is neither Ed25519 nor P-256")]
    Key,
    /// Its subject alternative name is not exactly one URI that is a client id.
    #[error("the request's subject alternative name is not one client id")]
    Subject,
    /// It asks for more than a client's certificate.
    #[error("the request asks for more than a client's certificate")]
    Authority,
}

/// A request whose signature was verified.
pub struct CertificateRequest {
    /// Whom it is for, as it says.
    pub client: ClientId,
    pub(super) public_key: PublicKey,
}

impl CertificateRequest {
    /// Reads one, and verifies that the key that it names has signed it.
    pub fn from_der(der: &[u8]) -> Result<Self, RequestError> {
        if der.len() > CERTIFICATE_BYTES_MAX {
            return Err(RequestError::Broken);
        }
        let der = CertificateSigningRequestDer::from(der);
        let CertificateSigningRequestParams { params, public_key } =
            CertificateSigningRequestParams::from_der(&der).map_err(|_| RequestError::Broken)?;
        if ![&rcgen::PKCS_ED25519, &rcgen::PKCS_ECDSA_P256_SHA256].contains(&public_key.algorithm())
        {
            return Err(RequestError::Key);
        } else if !matches!(params.is_ca, IsCa::NoCa) {
            return Err(RequestError::Authority);
        }
        let [SanType::URI(uri)] = params.subject_alt_names.as_slice() else {
            return Err(RequestError::Subject);
        };
        let client = ClientId::parse(uri.as_str()).map_err(|_| RequestError::Subject)?;
        Ok(Self { client, public_key })
    }

    /// The key that the certificate is to speak for.
    pub fn key(&self) -> &[u8] {
        self.public_key.der_bytes()
    }
}

/// A client's request for one of its keys, DER.
pub fn request_certificate(
    client: &ClientId,
    suite: CipherSuite,
    secret: &SignatureSecretKey,
    public: &SignaturePublicKey,
) -> Result<Vec<u8>, AuthorityError> {
    let key = ForRcgen(Arc::new(EngineKey::new(suite, secret.clone(), public.clone())?));
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.subject_alt_names = vec![SanType::URI(client.as_str().try_into()?)];
    Ok(params.serialize_request(&key)?.der().to_vec())
}
