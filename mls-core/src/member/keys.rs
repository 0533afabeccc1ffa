//! The device's signature keys: one for each signature scheme, made once, kept apart from every
//! group's state.
//!
//! They are in the KeyPackages of this device and never change; a group may have a key of its own
//! (see [`super::group_keys`]). A device that lost a group's state can still prove by them that an
//! old leaf is its own (see [`super::rejoin`]).

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};
use mls_rs_core::crypto::{CipherSuite, SignaturePublicKey, SignatureSecretKey};
use mls_rs_core::identity::{Credential, SigningIdentity};

use crate::address::ClientId;
use crate::crypto::Crypto;
use crate::engine::{self, EngineError};
use crate::identity::{Certificate, credential};
use crate::overlay::Overlay;
use crate::policy::CREDENTIAL_RENEW_MS;
use crate::store::{Space, StoreError};
use crate::wire::issue_credential::CertificateBytes;

/// The suite that everybody must have.
pub(super) const SUITE: CipherSuite = CipherSuite::CURVE25519_AES128;

const SIGNATURE_KEY: Space = "signature_key";
const ED25519: &[u8] = b"own";
const P256: &[u8] = b"own_p256";

/// A key pair, and whose it is.
#[derive(Clone, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(Debug, proptest_derive::Arbitrary))]
pub(super) struct SignatureKey {
    client: ClientId,
    #[cfg_attr(test, proptest(strategy = "crate::codec_properties::key()"))]
    secret: SignatureSecretKey,
    #[cfg_attr(test, proptest(strategy = "crate::codec_properties::key()"))]
    public: SignaturePublicKey,
    /// The certificates that vouch for it, DER, the leaf first; none for a basic credential.
    chain: Vec<CertificateBytes>,
    /// When they came, in milliseconds since 1970.
    certified_at_ms: u64,
    /// When the first of them ends, in seconds since 1970.
    until_s: u64,
}

/// All key pairs of this device.
pub(super) struct SignatureKeys {
    ed25519: SignatureKey,
    p256: SignatureKey,
}

impl SignatureKeys {
    /// The stored keys, and fresh ones for those that the store lacks.
    pub(super) fn open(
        overlay: &Overlay,
        crypto: &Crypto,
        client: &ClientId,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            ed25519: SignatureKey::open(overlay, crypto, client, ED25519, SUITE)?,
            p256: SignatureKey::open(overlay, crypto, client, P256, CipherSuite::P256_AES128)?,
        })
    }

    /// The key for groups of a suite.
    pub(super) fn of(&self, suite: CipherSuite) -> &SignatureKey {
        if suite == CipherSuite::P256_AES128 { &self.p256 } else { &self.ed25519 }
    }

    /// A certificate came for the key of a suite.
    pub(super) fn certify(
        &mut self,
        overlay: &Overlay,
        suite: CipherSuite,
        chain: Vec<CertificateBytes>,
        certificate: &Certificate,
        now_ms: u64,
    ) -> Result<(), StoreError> {
        let (key, place) = self.of_mut(suite);
        key.certify(chain, certificate, now_ms);
        overlay.write(SIGNATURE_KEY, place, key)
    }

    /// The certificate of the key of a suite is over, and there is no other.
    pub(super) fn uncertify(
        &mut self,
        overlay: &Overlay,
        suite: CipherSuite,
    ) -> Result<(), StoreError> {
        let (key, place) = self.of_mut(suite);
        key.uncertify();
        overlay.write(SIGNATURE_KEY, place, key)
    }

    fn of_mut(&mut self, suite: CipherSuite) -> (&mut SignatureKey, &'static [u8]) {
        match suite {
            CipherSuite::P256_AES128 => (&mut self.p256, P256),
            _ => (&mut self.ed25519, ED25519),
        }
    }

    /// The key that announces the device.
    pub(super) fn own(&self) -> &SignatureKey {
        &self.ed25519
    }
}

impl SignatureKey {
    fn open(
        overlay: &Overlay,
        crypto: &Crypto,
        client: &ClientId,
        place: &[u8],
        suite: CipherSuite,
    ) -> Result<Self, StoreError> {
        if let Some(key) = overlay.read::<Self>(SIGNATURE_KEY, place)? {
            if key.client == *client {
                return Ok(key);
            }
            let owner = &key.client;
            return Err(StoreError(format!("this profile belongs to {owner}, not to {client}")));
        }
        let key = Self::generate(crypto, client, suite)?;
        overlay.write(SIGNATURE_KEY, place, &key)?;
        Ok(key)
    }

    /// A fresh key of a client, with a basic credential.
    pub(super) fn generate(
        crypto: &Crypto,
        client: &ClientId,
        suite: CipherSuite,
    ) -> Result<Self, StoreError> {
        let (secret, public) = crypto
            .generate_signature_key(suite)
            .map_err(|e| StoreError(format!("no signature key could be made: {e}")))?;
        let (client, chain) = (client.clone(), Vec::new());
        Ok(Self { client, secret, public, chain, certified_at_ms: 0, until_s: u64::MAX })
    }

    /// A certificate came for it.
    pub(super) fn certify(
        &mut self,
        chain: Vec<CertificateBytes>,
        certificate: &Certificate,
        now_ms: u64,
    ) {
        self.chain = chain;
        self.certified_at_ms = now_ms;
        self.until_s = certificate.not_after_s;
    }

    /// Its certificate is over, and there is no other.
    pub(super) fn uncertify(&mut self) {
        self.chain.clear();
        self.until_s = u64::MAX;
    }

    /// When its certificate came, if it has one; milliseconds since 1970.
    pub(super) fn certified_at_ms(&self) -> Option<u64> {
        (!self.chain.is_empty()).then_some(self.certified_at_ms)
    }

    /// When its certificate is to be renewed, if it has one; milliseconds since 1970.
    pub(super) fn renew_at_ms(&self) -> Option<u64> {
        let came_ms = self.certified_at_ms()?;
        let life_ms = self.until_s.saturating_mul(1000).saturating_sub(came_ms);
        Some(came_ms.saturating_add(CREDENTIAL_RENEW_MS.min(life_ms / 3 * 2)))
    }

    /// When its certificate ends, in seconds since 1970; never without one.
    pub(super) fn until_s(&self) -> u64 {
        self.until_s
    }

    /// What a leaf with this key shows.
    pub(super) fn identity(&self) -> SigningIdentity {
        let credential = if self.chain.is_empty() {
            credential(&self.client)
        } else {
            let chain = self.chain.iter().map(|one| one.0.clone());
            Credential::X509(chain.collect::<Vec<_>>().into())
        };
        SigningIdentity::new(credential, self.public.clone())
    }

    pub(super) fn public(&self) -> &SignaturePublicKey {
        &self.public
    }

    pub(super) fn secret(&self) -> &SignatureSecretKey {
        &self.secret
    }

    /// Signs in a suite that has the key's scheme.
    pub(super) fn sign(&self, suite: CipherSuite, bytes: &[u8]) -> Result<Vec<u8>, EngineError> {
        engine::sign(suite, &self.secret, bytes)
    }
}

#[cfg(test)]
crate::codec_properties::hold!(SignatureKey);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::UserId;
    use crate::limits::DAY_MS;

    #[test]
    fn a_certificate_is_renewed_at_its_age_or_at_two_thirds_of_a_shorter_life() {
        let client = UserId::matrix("@a:b.org").unwrap().device("A").unwrap();
        let mut key = SignatureKey::generate(&Crypto::system(), &client, SUITE).unwrap();
        assert_eq!(key.renew_at_ms(), None);
        let now_ms = 1_800_000_000_000;
        for (days, renewed_after) in [(90, 60), (365, 60), (30, 20), (0, 0)] {
            let certificate = Certificate {
                client: client.clone(),
                key: key.public().to_vec(),
                serial: vec![1],
                not_before_s: 0,
                not_after_s: (now_ms + days * DAY_MS) / 1000,
            };
            key.certify(vec![CertificateBytes(vec![1])], &certificate, now_ms);
            assert_eq!(key.renew_at_ms(), Some(now_ms + renewed_after * DAY_MS), "{days}");
        }
    }
}
