//! The authentication service's own key. Made at the first opening; it never changes by itself.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};
use mls_rs_core::crypto::{SignaturePublicKey, SignatureSecretKey};
use zeroize::Zeroizing;

use super::HubSetup;
use super::turn::{Turn, machine};
use crate::authority::Authority;
use crate::crypto::Crypto;
use crate::identity::TrustAnchor;
use crate::overlay::Overlay;
use crate::store::{Space, StoreError};
use crate::wire::issue_credential::CertificateBytes;

const SPACE: Space = "authority";
const KEY: &[u8] = b"key";

/// The key and its certificates, as they are stored.
#[derive(MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(Debug, proptest_derive::Arbitrary))]
struct StoredAuthority {
    #[cfg_attr(test, proptest(strategy = "crate::codec_properties::key()"))]
    secret: SignatureSecretKey,
    #[cfg_attr(test, proptest(strategy = "crate::codec_properties::key()"))]
    public: SignaturePublicKey,
    /// Its own first, the trust anchor last.
    chain: Vec<CertificateBytes>,
}

impl HubSetup {
    /// The domains whose accounts are ours: the homeserver's, and the XMPP server's, whose component
    /// we are (`mls.<domain>`).
    pub(super) fn domains(&self) -> Vec<String> {
        let matrix = self.matrix.as_ref().and_then(|user| user.split_once(':'));
        let xmpp = self.xmpp.as_ref().and_then(|component| component.split_once('.'));
        let mut domains: Vec<_> =
            matrix.into_iter().chain(xmpp).map(|(_, domain)| domain.to_owned()).collect();
        domains.dedup();
        domains
    }
}

/// The authority that signs for the hub's domains.
pub(super) fn open(
    store: &Overlay,
    crypto: &Crypto,
    setup: &HubSetup,
) -> Result<Authority, StoreError> {
    if let Some(stored) = store.read::<StoredAuthority>(SPACE, KEY)? {
        let chain = stored.chain.into_iter().map(|one| one.0).collect();
        return Authority::open(stored.secret, stored.public, chain).map_err(machine);
    }
    let name = format!("mls-bridge of {}", setup.domains().join(" and "));
    let (authority, secret) = Authority::make(crypto, &name).map_err(machine)?;
    let chain = authority.chain().iter().cloned().map(CertificateBytes).collect();
    let stored = StoredAuthority { secret, public: authority.public(), chain };
    let bytes = Zeroizing::new(stored.mls_encode_to_vec().map_err(machine)?);
    store.put(SPACE, KEY, bytes.to_vec());
    Ok(authority)
}

impl Turn<'_> {
    /// The trust anchor, for each of our domains.
    pub(super) fn anchors(&self) -> Vec<TrustAnchor> {
        let certificate = self.keys.authority.anchor();
        let anchor = |domain| TrustAnchor { domain, certificate: certificate.to_vec() };
        self.setup.domains().into_iter().map(anchor).collect()
    }
}

#[cfg(test)]
crate::codec_properties::hold!(StoredAuthority);
