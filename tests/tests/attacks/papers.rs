//! Certificates that prove nothing, or too much: what a leaf shows that is not whose it says.

use std::time::{SystemTime, UNIX_EPOCH};

use mls_core::address::ClientId;
use mls_core::authority::{Authority, CertificateRequest, request_certificate};
use mls_core::crypto::Crypto;
use mls_core::store::Store;
use mls_core::wire::issue_credential::CertificateBytes;
use mls_core::wire::submit_commit::SubmitCommit;
use mls_rs::identity::SigningIdentity;
use mls_rs_codec::{MlsDecode, MlsSize};
use mls_rs_core::crypto::{SignaturePublicKey, SignatureSecretKey};
use mls_rs_core::identity::Credential;
use storage::{Database, Role};
use tests::error::RigError;
use tests::rig::Rig;

use crate::insider::{Insider, SUITE};

/// A key pair that nobody has used yet.
pub(crate) struct FreshKey {
    pub(crate) secret: SignatureSecretKey,
    pub(crate) public: SignaturePublicKey,
}

impl FreshKey {
    pub(crate) fn make() -> Self {
        let (secret, public) = Crypto::system().generate_signature_key(SUITE).unwrap();
        Self { secret, public }
    }

    /// What asks an authority for a certificate of this key.
    pub(crate) fn request(&self, client: &ClientId) -> Vec<u8> {
        request_certificate(client, SUITE, &self.secret, &self.public).unwrap()
    }

    /// A certificate for `client`, made so many days ago.
    pub(crate) fn certified(&self, by: &Authority, client: &ClientId, days_ago: u64) -> Credential {
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        let made_ms = u64::try_from(now_ms).unwrap() - days_ago * 24 * 3600 * 1000;
        let request = CertificateRequest::from_der(&self.request(client)).unwrap();
        Credential::X509(by.issue(&Crypto::system(), request, made_ms).unwrap().into())
    }
}

/// The insider's commit that puts this credential into its own leaf.
pub(crate) fn showing(insider: &Insider, key: &FreshKey, credential: Credential) -> SubmitCommit {
    let identity = SigningIdentity::new(credential, key.public.clone());
    insider.submission(|builder| builder.set_new_signing_identity(key.secret.clone(), identity))
}

/// The authority's key as the hub stores it (`mls-core/src/hub/authority.rs`).
#[derive(MlsSize, MlsDecode)]
struct StoredAuthority {
    secret: SignatureSecretKey,
    public: SignaturePublicKey,
    chain: Vec<CertificateBytes>,
}

/// The authority that the rig's devices have pinned, stolen from the bridge's database: the bridge is
/// stopped for it and started again.
pub(crate) fn stolen_authority(rig: &mut Rig) -> Result<Authority, RigError> {
    rig.bridge.stop()?;
    let file = rig.bridge.folder().join("mls-bridge.db");
    let database = Database::open(&file, Role::Hub, None).unwrap();
    let stored = database.get("authority", b"key").unwrap().unwrap();
    drop(database);
    rig.bridge.start()?;
    let stored = StoredAuthority::mls_decode(&mut &**stored).unwrap();
    let chain = stored.chain.into_iter().map(|one| one.0).collect();
    Ok(Authority::open(stored.secret, stored.public, chain).unwrap())
}
