//! What a KeyPackage must be before it is pooled, handed out or added (RFC 9420 10.1).
//!
//! The hub checks what is published, claimed and committed, a member what the hub hands out; both
//! here. The engine alone would take a package of 365 days, which OpenMLS refuses; so the policy's
//! lifetime is checked at every place where a package comes in.

use mls_rs::group::{LeafNode, LeafNodeSource};
use mls_rs::{KeyPackage, MlsMessage};
use mls_rs_codec::{MlsDecode, MlsEncode};
use mls_rs_core::crypto::HpkePublicKey;
use mls_rs_core::identity::Credential;
use thiserror::Error;

use crate::address::ClientId;
use crate::engine::{cipher_suite, mls_time, observer};
use crate::hpke_keys;
use crate::identity::{Certificate, client_id};
use crate::limits::KEY_PACKAGE_BYTES_MAX;
use crate::policy::{
    BRIDGE_GROUP_EXTENSION, CIPHER_SUITES, CREDENTIAL_TYPES, KEY_PACKAGE_BACKDATING_S,
    KEY_PACKAGE_LIFETIME_S, LAST_RESORT_EXTENSION,
};

/// A key package that fits our policies.
#[derive(Clone, Debug)]
pub(crate) struct FitPackage {
    /// Whose it is.
    pub(crate) client: ClientId,
    /// Its KeyPackageRef.
    pub(crate) reference: Vec<u8>,
    /// RFC 9420 number of its suite.
    pub(crate) suite: u16,
    /// Whether it is marked as a last resort.
    pub(crate) last_resort: bool,
    /// Until when it is valid, in milliseconds since 1970.
    pub(crate) until_ms: u64,
}

/// A key package that does not fit; its owner's fault.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum Unfit {
    /// Not a KeyPackage, or too long.
    #[error("not an MLSMessage with a KeyPackage of at most {KEY_PACKAGE_BYTES_MAX} bytes")]
    Broken,
    /// A suite that we do not do.
    #[error("its cipher suite is not supported: use 1, 2 or 3")]
    Suite,
    /// The engine finds it invalid: a signature, or its time is over.
    #[error("it is not valid: {0}")]
    Invalid(String),
    /// It lives too long.
    #[error("it must live at most {} days", KEY_PACKAGE_LIFETIME_S / 86_400)]
    Lifetime,
    /// It would outlive its certificate.
    #[error("it ends later than the certificate in its credential")]
    OutlivesCertificate,
    /// Its leaf does not list what every member of a bridge's group needs.
    #[error("its leaf must list the extension 0xFB71 and the credentials basic and X.509")]
    Capabilities,
}

/// Checks an MLSMessage that should be a KeyPackage, and valid at `now_ms` (milliseconds since
/// 1970).
pub(crate) fn check(bytes: &[u8], now_ms: u64) -> Result<FitPackage, Unfit> {
    if bytes.len() > KEY_PACKAGE_BYTES_MAX {
        return Err(Unfit::Broken);
    }
    let message = MlsMessage::from_bytes(bytes).map_err(|_| Unfit::Broken)?;
    let package = message.as_key_package().cloned().ok_or(Unfit::Broken)?;
    if !CIPHER_SUITES.contains(&package.cipher_suite()) {
        return Err(Unfit::Suite);
    }
    observer()
        .validate_key_package(message, Some(mls_time(now_ms)))
        .map_err(|e| Unfit::Invalid(e.to_string()))?;
    check_policy(&package)
}

/// Checks what our policies add to the engine's own checks, for a package that passed those.
pub(crate) fn check_policy(package: &KeyPackage) -> Result<FitPackage, Unfit> {
    let leaf = leaf_node(package).ok_or(Unfit::Broken)?;
    hpke_keys::check_package(package).map_err(|e| Unfit::Invalid(e.to_string()))?;
    let LeafNodeSource::KeyPackage(lifetime) = &leaf.leaf_node_source else {
        return Err(Unfit::Broken);
    };
    let begin = lifetime.not_before.seconds_since_epoch();
    let end = lifetime.not_after.seconds_since_epoch();
    if end.saturating_sub(begin) > KEY_PACKAGE_LIFETIME_S + KEY_PACKAGE_BACKDATING_S {
        return Err(Unfit::Lifetime);
    }
    if let Credential::X509(chain) = &package.signing_identity().credential {
        let certificate = Certificate::of(chain).map_err(|e| Unfit::Invalid(e.to_string()))?;
        if end > certificate.not_after_s {
            return Err(Unfit::OutlivesCertificate);
        }
    }
    let capabilities = &leaf.capabilities;
    if !capabilities.extensions.contains(&BRIDGE_GROUP_EXTENSION)
        || !CREDENTIAL_TYPES.iter().all(|needed| capabilities.credentials.contains(needed))
    {
        return Err(Unfit::Capabilities);
    }
    let invalid = |e: &dyn std::fmt::Display| Unfit::Invalid(e.to_string());
    let suite = cipher_suite(package.cipher_suite()).map_err(|_| Unfit::Suite)?;
    Ok(FitPackage {
        client: client_id(package.signing_identity()).map_err(|e| invalid(&e))?,
        reference: package.to_reference(&suite).map_err(|e| invalid(&e))?.to_vec(),
        suite: package.cipher_suite().into(),
        last_resort: package.extensions.has_extension(LAST_RESORT_EXTENSION),
        until_ms: end.saturating_mul(1000),
    })
}

/// The package's leaf, which the engine keeps to itself: it stands after version, suite and
/// init key (RFC 9420 10).
pub(crate) fn leaf_node(package: &KeyPackage) -> Option<LeafNode> {
    let bytes = package.mls_encode_to_vec().ok()?;
    let mut rest = bytes.as_slice();
    u16::mls_decode(&mut rest).ok()?;
    u16::mls_decode(&mut rest).ok()?;
    HpkePublicKey::mls_decode(&mut rest).ok()?;
    LeafNode::mls_decode(&mut rest).ok()
}
