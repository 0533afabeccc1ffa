//! Whether a KeyPackage that the hub handed out may be added: it fits ([`crate::key_package`]), and
//! is of whom we asked for.

use mls_rs::MlsMessage;

use crate::address::{ClientId, UserId};
use crate::identity::{Revocations, client_id};
use crate::key_package;
use crate::wire::claim_key_packages::{ClaimOutcome, ClaimedClient};
use crate::wire::publish_key_packages::KeyPackageBytes;

/// The package and its client, or one sentence about why there is none.
pub(super) fn check(
    claimed: &ClaimedClient,
    asked: &[UserId],
    suite: u16,
    now_ms: u64,
    revocations: &Revocations,
) -> Result<(ClientId, KeyPackageBytes), String> {
    let who = claimed.client.as_ref().map_or(claimed.user.to_string(), ToString::to_string);
    let bytes = match &claimed.outcome {
        ClaimOutcome::OneTime(bytes) | ClaimOutcome::LastResort(bytes) => bytes,
        ClaimOutcome::Exhausted => return Err(format!("{who} has no key package left")),
        ClaimOutcome::Incompatible => return Err(format!("{who} has no key package that fits")),
        ClaimOutcome::Unknown => {
            return Err(format!("{who} is unknown, or has no device with MLS"));
        }
        ClaimOutcome::Revoked => return Err(format!("{who} is revoked")),
        ClaimOutcome::NoConsent => return Err(format!("{who} does not let you add them")),
    };
    let fit = key_package::check(bytes, now_ms)
        .map_err(|why| format!("{who}: the hub handed out an unfit key package: {why}"))?;
    let same = claimed.client.as_ref().is_none_or(|named| *named == fit.client);
    if !same || fit.client.user() != claimed.user || !asked.contains(&claimed.user) {
        return Err(format!("{who}: the hub handed out a key package of {}", fit.client));
    } else if fit.suite != suite {
        return Err(format!("{who}: the key package is for another cipher suite"));
    }
    let package = KeyPackageBytes(bytes.clone());
    match client(&package) {
        Some((_, message)) if names(revocations, &message) => Err(format!("{who} is revoked")),
        _ => Ok((fit.client, package)),
    }
}

fn names(revocations: &Revocations, message: &MlsMessage) -> bool {
    let package = message.as_key_package();
    package.is_some_and(|package| revocations.names(package.signing_identity()))
}

/// The client of a package that we hold.
pub(super) fn client(package: &KeyPackageBytes) -> Option<(ClientId, MlsMessage)> {
    let message = MlsMessage::from_bytes(&package.0).ok()?;
    let client = client_id(message.as_key_package()?.signing_identity()).ok()?;
    Some((client, message))
}

#[cfg(test)]
mod tests {
    use mls_rs::identity::SigningIdentity;
    use mls_rs::{Client, ExtensionList};
    use mls_rs_core::crypto::CipherSuite;
    use mls_rs_core::extension::ExtensionType;

    use super::*;
    use crate::crypto::Crypto;
    use crate::engine::mls_time;
    use crate::identity::{ClientIdentity, credential};
    use crate::policy::{BRIDGE_GROUP_EXTENSION, KEY_PACKAGE_LIFETIME_S};

    const NOW_MS: u64 = 1_800_000_000_000;

    /// What the hub hands out as the one package of Bob's phone.
    fn claimed(package: Vec<u8>) -> ClaimedClient {
        let client = ClientId::parse("xmpp:bob@example.org/00000000000000b0").unwrap();
        let outcome = ClaimOutcome::OneTime(package);
        ClaimedClient { user: client.user(), client: Some(client), outcome }
    }

    fn package(client: &str, lifetime_s: u64, extension: ExtensionType) -> Vec<u8> {
        let suite = CipherSuite::CURVE25519_AES128;
        let (key, public) = Crypto::system().generate_signature_key(suite).unwrap();
        let identity = credential(&ClientId::parse(client).unwrap());
        let client = Client::builder()
            .crypto_provider(Crypto::system())
            .identity_provider(ClientIdentity)
            .extension_types([extension])
            .key_package_lifetime(std::time::Duration::from_secs(lifetime_s))
            .signing_identity(SigningIdentity::new(identity, public), key, suite)
            .build();
        let (none, begin) = (ExtensionList::new, Some(mls_time(NOW_MS)));
        client.generate_key_package_message(none(), none(), begin).unwrap().to_bytes().unwrap()
    }

    #[test]
    fn a_member_adds_what_the_hub_would_take_and_nothing_else() {
        let bob = "xmpp:bob@example.org/00000000000000b0";
        let good = package(bob, KEY_PACKAGE_LIFETIME_S, BRIDGE_GROUP_EXTENSION);
        let mut forged = good.clone();
        *forged.last_mut().unwrap() ^= 1;
        let other = "xmpp:mallory@example.org/00000000000000b0";
        let of_other = package(other, KEY_PACKAGE_LIFETIME_S, BRIDGE_GROUP_EXTENSION);
        let year = package(bob, 365 * 86_400, BRIDGE_GROUP_EXTENSION);
        let foreign = package(bob, KEY_PACKAGE_LIFETIME_S, ExtensionType::new(0xFB72));
        let end_ms = NOW_MS + KEY_PACKAGE_LIFETIME_S * 1000;
        let check = |package: &[u8], suite, now_ms| {
            let claimed = claimed(package.to_vec());
            let users = std::slice::from_ref(&claimed.user);
            check(&claimed, users, suite, now_ms, &Revocations::none()).map(|_| ())
        };
        assert_eq!(check(&good, 1, NOW_MS), Ok(()));
        let unfit = [
            (check(&forged, 1, NOW_MS), "is not valid"),
            (check(&of_other, 1, NOW_MS), "a key package of xmpp:mallory"),
            (check(&year, 1, NOW_MS), "at most 84 days"),
            (check(&foreign, 1, NOW_MS), "must list the extension 0xFB71"),
            (check(&good, 1, end_ms + 1000), "is not valid"),
            (check(&good, 2, NOW_MS), "another cipher suite"),
            (check(b"garbage", 1, NOW_MS), "not an MLSMessage"),
        ];
        for (result, why) in unfit {
            let said = result.expect_err(why);
            assert!(said.contains(why), "{said}");
        }
    }
}
