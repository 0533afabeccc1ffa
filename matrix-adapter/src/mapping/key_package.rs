//! Key packages as one-time keys of the homeserver, the last resort as a fallback key.
//!
//! A key's id is `dev.mls_bridge.v1.key_package.<suite name>:<KeyPackageRef>`; before the
//! reference of a last-resort package stands `last_resort.`, for `/keys/claim` does not say which
//! of the two it hands out. Its value is bare base64 text (Synapse refuses unsigned objects).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mls_core::wire::claim_key_packages::ClaimOutcome;
use serde_json::Value;

use super::json::JsonForm;
use super::namespace::{KEY_PACKAGE_PREFIX, suite_name, suite_of_name};

const LAST_RESORT: &str = "last_resort.";

/// The one-time key algorithm of a suite's key packages.
pub fn algorithm(suite: u16) -> Option<String> {
    suite_name(suite).map(|name| format!("{KEY_PACKAGE_PREFIX}{name}"))
}

/// The suite of a one-time key algorithm, if it is one of ours.
pub fn suite_of(algorithm: &str) -> Option<u16> {
    suite_of_name(algorithm.strip_prefix(KEY_PACKAGE_PREFIX)?)
}

/// The key id of a one-time package, by its KeyPackageRef (RFC 9420 5.2).
pub fn one_time_id(suite: u16, reference: &[u8]) -> Option<String> {
    algorithm(suite).map(|name| format!("{name}:{}", URL_SAFE_NO_PAD.encode(reference)))
}

/// The key id of a last-resort package.
pub fn last_resort_id(suite: u16, reference: &[u8]) -> Option<String> {
    algorithm(suite)
        .map(|name| format!("{name}:{LAST_RESORT}{}", URL_SAFE_NO_PAD.encode(reference)))
}

/// What one device's part of a claim's answer holds, `{"<key id>": "<package>"}`.
pub fn claimed(keys: Value) -> ClaimOutcome {
    let Value::Object(keys) = keys else { return ClaimOutcome::Exhausted };
    let Some((id, value)) = keys.into_iter().find(|(id, _)| id.starts_with(KEY_PACKAGE_PREFIX))
    else {
        return ClaimOutcome::Exhausted;
    };
    let last_resort = id.split_once(':').is_some_and(|(_, name)| name.starts_with(LAST_RESORT));
    match (Vec::<u8>::from_json(value), last_resort) {
        (Ok(package), true) => ClaimOutcome::LastResort(package),
        (Ok(package), false) => ClaimOutcome::OneTime(package),
        (Err(_), _) => ClaimOutcome::Incompatible,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_claim_tells_one_time_from_last_resort() {
        let one_time = one_time_id(1, &[0xfb; 32]).unwrap();
        let last = last_resort_id(1, &[0xfb; 32]).unwrap();
        assert_eq!(one_time.matches(':').count(), 1);
        for (keys, outcome) in [
            (json!({one_time.clone(): "AQ"}), ClaimOutcome::OneTime(vec![1])),
            (json!({last: "AQ"}), ClaimOutcome::LastResort(vec![1])),
            (json!({one_time: "AQ=="}), ClaimOutcome::Incompatible),
            (json!({"signed_curve25519:AAAA": {"key": "x"}}), ClaimOutcome::Exhausted),
            (json!({}), ClaimOutcome::Exhausted),
            (json!("x"), ClaimOutcome::Exhausted),
        ] {
            assert_eq!(claimed(keys), outcome);
        }
    }
}
