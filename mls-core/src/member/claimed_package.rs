//! What a claimed KeyPackage must be before it is added (RFC 9420 10.1, policies).
//!
//! The engine alone takes a package of 365 days, and does not know whom we asked for.

use mls_rs::group::{LeafNode, LeafNodeSource};
use mls_rs::{KeyPackage, MlsMessage};
use mls_rs_codec::{MlsDecode, MlsEncode};
use mls_rs_core::crypto::HpkePublicKey;

use crate::address::{ClientId, UserId};
use crate::identity::client_id;
use crate::limits::KEY_PACKAGE_BYTES_MAX;
use crate::policy::{KEY_PACKAGE_BACKDATING_S, KEY_PACKAGE_LIFETIME_S};
use crate::wire::claim_key_packages::{ClaimOutcome, ClaimedClient};
use crate::wire::publish_key_packages::KeyPackageBytes;

/// The package and its client, or one sentence about why there is none.
pub(super) fn check(
    claimed: &ClaimedClient,
    asked: &[UserId],
    suite: u16,
    now_ms: u64,
) -> Result<(ClientId, KeyPackageBytes), String> {
    let who = claimed.client.as_ref().map_or(claimed.user.to_string(), ToString::to_string);
    let bytes = match &claimed.outcome {
        ClaimOutcome::OneTime(bytes) | ClaimOutcome::LastResort(bytes) => bytes,
        ClaimOutcome::Exhausted => return Err(format!("{who} has no key package left")),
        ClaimOutcome::Incompatible => return Err(format!("{who} has no key package that fits")),
        ClaimOutcome::Unknown => {
            return Err(format!("{who} is unknown, or has no device with MLS"));
        }
        ClaimOutcome::NoConsent => return Err(format!("{who} does not let you add them")),
    };
    let fit = fit(bytes, suite, now_ms).map_err(|why| format!("{who}: {why}"))?;
    let same = claimed.client.as_ref().is_none_or(|named| *named == fit);
    if !same || fit.user() != claimed.user || !asked.contains(&claimed.user) {
        return Err(format!("{who}: the hub handed out a key package of {fit}"));
    }
    Ok((fit, KeyPackageBytes(bytes.clone())))
}

/// The client of a package that we hold.
pub(super) fn client(package: &KeyPackageBytes) -> Option<(ClientId, MlsMessage)> {
    let message = MlsMessage::from_bytes(&package.0).ok()?;
    let client = client_id(message.as_key_package()?.signing_identity()).ok()?;
    Some((client, message))
}

fn fit(bytes: &[u8], suite: u16, now_ms: u64) -> Result<ClientId, String> {
    if bytes.len() > KEY_PACKAGE_BYTES_MAX {
        return Err("the key package is too long".to_owned());
    }
    let message = MlsMessage::from_bytes(bytes).ok();
    let package = message.as_ref().and_then(MlsMessage::as_key_package);
    let package = package.ok_or("the hub handed out something that is no key package")?;
    if u16::from(package.cipher_suite()) != suite {
        return Err("the key package is for another cipher suite".to_owned());
    }
    let Some(LeafNodeSource::KeyPackage(lifetime)) = leaf_node(package).map(|l| l.leaf_node_source)
    else {
        return Err("the key package has no lifetime".to_owned());
    };
    let (begin, end) =
        (lifetime.not_before.seconds_since_epoch(), lifetime.not_after.seconds_since_epoch());
    let longest = KEY_PACKAGE_LIFETIME_S.saturating_add(KEY_PACKAGE_BACKDATING_S);
    if end.saturating_sub(begin) > longest {
        return Err("the key package lives longer than 84 days".to_owned());
    } else if !(begin..=end).contains(&(now_ms / 1000)) {
        return Err("the key package is not valid now".to_owned());
    }
    client_id(package.signing_identity()).map_err(|e| e.to_string())
}

/// The package's leaf, which the engine keeps to itself: it stands after version, suite and
/// init key (RFC 9420 10).
fn leaf_node(package: &KeyPackage) -> Option<LeafNode> {
    let bytes = package.mls_encode_to_vec().ok()?;
    let mut rest = bytes.as_slice();
    u16::mls_decode(&mut rest).ok()?;
    u16::mls_decode(&mut rest).ok()?;
    HpkePublicKey::mls_decode(&mut rest).ok()?;
    LeafNode::mls_decode(&mut rest).ok()
}
