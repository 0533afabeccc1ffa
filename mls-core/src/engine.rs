//! The one MLS engine, mls-rs on aws-lc, set up the same way for the hub and for members.

use aws_lc_rs::digest;
use mls_rs::client_builder::PaddingMode;
use mls_rs::error::MlsError;
use mls_rs::external_client::builder::{
    ExternalBaseConfig, ExternalClientBuilder, WithCryptoProvider, WithIdentityProvider,
    WithMlsRules,
};
use mls_rs::external_client::{ExternalClient, ExternalGroup};
use mls_rs::identity::SigningIdentity;
use mls_rs::time::MlsTime;
use mls_rs_core::crypto::{
    CipherSuite, CipherSuiteProvider, SignaturePublicKey, SignatureSecretKey,
};
use thiserror::Error;

use crate::crypto::{Crypto, CryptoSuite};
use crate::identity::ClientIdentity;
use crate::limits::APPLICATION_BYTES_MAX;
use crate::policy::{BRIDGE_GROUP_EXTENSION, HELD_PSKS_EXTENSION, LAST_RESORT_EXTENSION};
use crate::rules::GroupRules;
use crate::wire::Digest;

/// The engine, or the crypto below it, said no.
#[derive(Debug, Error)]
pub enum EngineError {
    /// An MLS message, tree or state is not valid, or an operation is not possible now.
    #[error("the MLS engine: {0}")]
    Mls(#[from] MlsError),
    /// A key, signature or ciphertext is not valid.
    #[error("the crypto provider: {0}")]
    Crypto(String),
    /// A commit that a room cannot carry.
    #[error(
        "the commit is longer than {APPLICATION_BYTES_MAX} bytes, which a room without a hub cannot \
         carry: change less at once"
    )]
    TooLarge,
    /// We do not do this suite.
    #[error("cipher suite {0} is not supported: use 1, 2 or 3")]
    Suite(u16),
}

/// Configuration of the hub's client.
pub type HubConfig = WithMlsRules<
    GroupRules,
    WithIdentityProvider<ClientIdentity, WithCryptoProvider<Crypto, ExternalBaseConfig>>,
>;
/// The hub's client: follows groups, signs as their external sender.
pub type HubClient = ExternalClient<HubConfig>;
/// The public state of one group, as the hub follows it. Cheap enough to clone for each commit;
/// never give it a PrivateMessage.
pub type PublicGroup = ExternalGroup<HubConfig>;

/// How application messages are padded: all but the three leading bits of the length are hidden.
pub const PADDING: PaddingMode = PaddingMode::StepFunction;

/// The hub's client for one suite, signing as `identity`.
pub fn hub_client(
    crypto: Crypto,
    signer: SignatureSecretKey,
    identity: SigningIdentity,
) -> HubClient {
    observer_builder(crypto).signer(signer, identity).build()
}

/// A client without a key, which checks what others have made.
pub fn observer() -> HubClient {
    observer_builder(Crypto::for_checks()).build()
}

fn observer_builder(crypto: Crypto) -> ExternalClientBuilder<HubConfig> {
    ExternalClient::builder()
        .crypto_provider(crypto)
        .identity_provider(ClientIdentity)
        .mls_rules(GroupRules)
        .extension_type(BRIDGE_GROUP_EXTENSION)
        .extension_type(LAST_RESORT_EXTENSION)
        .extension_type(HELD_PSKS_EXTENSION)
}

/// The primitives of one suite, for what needs no random bytes of ours.
pub(crate) fn cipher_suite(suite: CipherSuite) -> Result<CryptoSuite, EngineError> {
    Crypto::for_checks().suite(suite)
}

/// Signs with a key of the suite.
pub fn sign(
    suite: CipherSuite,
    key: &SignatureSecretKey,
    data: &[u8],
) -> Result<Vec<u8>, EngineError> {
    cipher_suite(suite)?.sign(key, data).map_err(crypto_error)
}

/// Whether `signature` is one of `key` over `data`, in the suite.
pub fn verify(
    suite: CipherSuite,
    key: &SignaturePublicKey,
    signature: &[u8],
    data: &[u8],
) -> Result<(), EngineError> {
    cipher_suite(suite)?.verify(key, signature, data).map_err(crypto_error)
}

/// SHA-256.
pub fn sha256(bytes: &[u8]) -> Digest {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    Digest(hash)
}

/// SHA-256 over parts, each preceded by its length in 8 bytes, so that no two lists collide.
pub fn sha256_parts(parts: &[&[u8]]) -> Digest {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        context.update(part);
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    Digest(hash)
}

/// The engine's time for milliseconds since 1970 (it counts seconds).
pub fn mls_time(time_ms: u64) -> MlsTime {
    MlsTime::from(time_ms / 1000)
}

/// An error of the crypto provider, as text: callers can do nothing but report it.
pub fn crypto_error(error: impl std::fmt::Display) -> EngineError {
    EngineError::Crypto(error.to_string())
}
