//! The authentication service's key: one that the operator gives, or one of the hub's own, made at the
//! first opening. Which root members pin is stored, and changes only when a person says so.

use std::sync::Arc;

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};
use mls_rs_core::crypto::{SignaturePublicKey, SignatureSecretKey};
use zeroize::Zeroizing;

use super::fetch_revocations;
use super::keys::HubKeys;
use super::turn::{Stop, Turn, machine, not_allowed};
use super::{Hub, HubSetup, Roles};
use crate::address::Network;
use crate::authority::{Authority, AuthorityError};
use crate::crypto::Crypto;
use crate::engine::sha256;
use crate::identity::TrustAnchor;
use crate::limits::{FORMER_ROOTS_MAX, JOB_WAIT_MS};
use crate::overlay::Overlay;
use crate::policy::CREDENTIAL_LIFETIME_MS;
use crate::service::domain_of_service;
use crate::store::{Space, Store, StoreError, Write};
use crate::wire::Digest;
use crate::wire::issue_credential::CertificateBytes;
use crate::wire::refusal::Refusal;

const SPACE: Space = "authority";
/// The hub's own key.
const KEY: &[u8] = b"key";
/// The root of the authority that was given; nothing where the hub's own key is the root.
const ROOT: &[u8] = b"root";
/// SHA-256 of the certificate that signed last.
const SIGNER: &[u8] = b"signer";
/// Roots that were replaced.
const FORMER: &[u8] = b"former";

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

/// A root that another has replaced.
#[derive(Clone, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(Debug, proptest_derive::Arbitrary))]
pub(super) struct FormerRoot {
    certificate: CertificateBytes,
    /// It is named until then: no certificate under it lasts longer. Milliseconds since 1970.
    until_ms: u64,
}

impl HubSetup {
    /// The domains whose accounts are ours: the homeserver's, and the XMPP server's, whose component
    /// we are (`mls.<domain>`).
    pub(super) fn domains(&self) -> Vec<String> {
        let matrix = self.matrix.as_ref().and_then(|at| domain_of_service(Network::Matrix, at));
        let xmpp = self.xmpp.as_ref().and_then(|at| domain_of_service(Network::Xmpp, at));
        let mut domains: Vec<_> = matrix.into_iter().chain(xmpp).map(str::to_owned).collect();
        domains.dedup();
        domains
    }
}

/// Another root than the one that members have pinned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootChange {
    /// SHA-256 of the pinned one's certificate, as in [`TrustAnchor::fingerprint`].
    pub pinned: Digest,
    /// The same of the one that is to take its place; none for a key of the hub's own that is still to be
    /// made.
    pub new: Option<Digest>,
}

impl Hub {
    /// How the root of the authority in `setup` differs from the one that members of the hub in `store`
    /// have pinned; not at all where it was never opened, or certifies nobody.
    pub fn root_change(
        store: Arc<dyn Store>,
        setup: &HubSetup,
    ) -> Result<Option<RootChange>, StoreError> {
        if !setup.roles.certifies() {
            return Ok(None);
        }
        let store = Overlay::new(store);
        let (pinned, new) = (pinned_root(&store)?, root_of(&store, setup)?);
        let pinned = pinned.filter(|pinned| new.as_ref() != Some(pinned));
        let new = new.map(|new| sha256(&new));
        Ok(pinned.map(|pinned| RootChange { pinned: sha256(&pinned), new }))
    }

    /// The roots (X.509, DER) that members of this authority pin: the current one first; none where it certifies
    /// nobody.
    pub fn roots(&self, now_ms: u64) -> Vec<Vec<u8>> {
        roots(&self.keys, now_ms)
    }

    /// What members pin of the authority in `store`, as in [`TrustAnchor::fingerprint`]; none before the first
    /// opening.
    pub fn root_fingerprint(store: Arc<dyn Store>) -> Result<Option<Digest>, StoreError> {
        Ok(pinned_root(&Overlay::new(store))?.map(|root| sha256(&root)))
    }

    /// Has the root of the authority in `setup` take the place of the one that members have pinned: commit
    /// the writes, then open the hub. Where `setup` gives none, that is the hub's own key again. The former
    /// is named to members for as long as certificates under it last. Nothing to write where it is the
    /// same.
    pub fn replace_root(
        store: Arc<dyn Store>,
        setup: &HubSetup,
        now_ms: u64,
    ) -> Result<Vec<Write>, StoreError> {
        let store = Overlay::new(store);
        let (pinned, new) = (pinned_root(&store)?, root_of(&store, setup)?);
        let Some(old) = pinned.filter(|pinned| new.as_ref() != Some(pinned)) else {
            return Ok(Vec::new());
        };
        let mut former = former(&store)?;
        former.retain(|root| root.until_ms > now_ms && Some(&root.certificate.0) != new.as_ref());
        if former.len() >= FORMER_ROOTS_MAX {
            return Err(StoreError(format!(
                "certificates of {FORMER_ROOTS_MAX} earlier roots are still valid: wait until the \
                 first of them have ended"
            )));
        }
        let until_ms = now_ms.saturating_add(CREDENTIAL_LIFETIME_MS);
        former.insert(0, FormerRoot { certificate: CertificateBytes(old), until_ms });
        store.write(SPACE, FORMER, &former)?;
        match &setup.authority {
            Some(given) => store.write(SPACE, ROOT, &CertificateBytes(given.anchor().to_vec()))?,
            None => store.delete(SPACE, ROOT),
        }
        Ok(store.take_writes())
    }
}

/// The authority that signs for the hub's domains. Another root than the one that members have pinned
/// is refused.
pub(super) fn open(
    store: &Overlay,
    crypto: &Crypto,
    setup: &HubSetup,
) -> Result<Authority, StoreError> {
    let pinned = pinned_root(store)?;
    let authority = match &setup.authority {
        Some(given) => given.clone(),
        None => open_own(store, crypto, setup)?,
    };
    match (pinned, &setup.authority) {
        (Some(pinned), _) if pinned != authority.anchor() => {
            let why = "the authority has another root than the one that members have pinned";
            return Err(StoreError(why.to_owned()));
        }
        (None, Some(given)) => {
            store.write(SPACE, ROOT, &CertificateBytes(given.anchor().to_vec()))?;
        }
        _ => {}
    }
    note_signer(store, &authority)?;
    Ok(authority)
}

/// The list that another key has signed says nothing of what this one signs.
fn note_signer(store: &Overlay, authority: &Authority) -> Result<(), StoreError> {
    let signer = authority.chain().first().map(|own| sha256(own));
    if store.read::<Digest>(SPACE, SIGNER)? == signer {
        return Ok(());
    }
    if let Some(signer) = signer {
        store.write(SPACE, SIGNER, &signer)?;
    }
    fetch_revocations::retire(store)
}

/// Roots that were replaced, the newest first.
pub(super) fn former(store: &Overlay) -> Result<Vec<FormerRoot>, StoreError> {
    Ok(store.read(SPACE, FORMER)?.unwrap_or_default())
}

/// The root of `setup`; none where that is a key of the hub's own that was never made.
fn root_of(store: &Overlay, setup: &HubSetup) -> Result<Option<Vec<u8>>, StoreError> {
    match &setup.authority {
        Some(given) => Ok(Some(given.anchor().to_vec())),
        None => own_root(store),
    }
}

/// The root that members have pinned; none before the first opening.
fn pinned_root(store: &Overlay) -> Result<Option<Vec<u8>>, StoreError> {
    match store.read::<CertificateBytes>(SPACE, ROOT)? {
        Some(root) => Ok(Some(root.0)),
        None => own_root(store),
    }
}

fn own_root(store: &Overlay) -> Result<Option<Vec<u8>>, StoreError> {
    let own = store.read::<StoredAuthority>(SPACE, KEY)?;
    Ok(own.and_then(|own| own.chain.into_iter().last()).map(|root| root.0))
}

/// The hub's own key, which is made where it is missing.
fn open_own(store: &Overlay, crypto: &Crypto, setup: &HubSetup) -> Result<Authority, StoreError> {
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
    /// The trust anchors, for each of our domains: the current root, then those that were replaced and
    /// under which a certificate may still be valid.
    pub(super) fn anchors(&self) -> Vec<TrustAnchor> {
        let domains = self.setup.domains();
        let roots = match &self.setup.roles {
            Roles::Delivery { roots, .. } => roots.clone(),
            Roles::Both | Roles::Authentication { .. } => roots(self.keys, self.now_ms),
        };
        roots
            .into_iter()
            .flat_map(|root| domains.iter().map(move |domain| (domain.clone(), root.clone())))
            .map(|(domain, certificate)| TrustAnchor { domain, certificate })
            .collect()
    }
}

/// What members pin: the current root, then those that were replaced and under which a certificate may still be
/// valid.
fn roots(keys: &HubKeys, now_ms: u64) -> Vec<Vec<u8>> {
    let former = keys.former_roots.iter().filter(|root| now_ms < root.until_ms);
    let former = former.map(|root| root.certificate.0.clone());
    keys.authority.iter().map(|own| own.anchor().to_vec()).chain(former).collect()
}

/// A token that is away comes back; who asks is told, and all else goes on.
pub(super) fn not_signed(error: AuthorityError) -> Stop {
    match error {
        AuthorityError::Key => Refusal::Unavailable(JOB_WAIT_MS).into(),
        AuthorityError::Ends => not_allowed(error),
        other => machine(other).into(),
    }
}

#[cfg(test)]
crate::codec_properties::hold!(StoredAuthority, FormerRoot);
