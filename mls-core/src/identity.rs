//! Credentials: what the engine is told about who a leaf is (RFC 9420 5.3, RFC 9750 4).
//!
//! Basic credentials whose identity is a [`ClientId`], and X.509 ones that name one. Every leaf lists
//! both types, so that they stand side by side and a group can move to certificates without adding
//! everybody anew.

mod anchors;
mod certificate;
mod leaf;
mod revocations;

use mls_rs::group::{GroupContext, Roster};
use mls_rs::identity::basic::BasicCredential;
use mls_rs::time::MlsTime;
use mls_rs_core::error::IntoAnyError;
use mls_rs_core::extension::ExtensionList;
use mls_rs_core::identity::{
    Credential, CredentialType, IdentityProvider, MemberValidationContext, SigningIdentity,
};
use thiserror::Error;

pub use self::anchors::{FINGERPRINT_DIGITS, TrustAnchor, TrustAnchors, readable_fingerprint};
pub use self::certificate::{Certificate, CertificateError, is_anchor, public_key_of};
pub(crate) use self::certificate::{check_path, issuer_key};
pub use self::leaf::{Standing, check_chain, check_leaf, check_leaf_against, is_revoked};
pub use self::revocations::{ListInfo, NoRevocationList, Revocations};
use crate::address::ClientId;
use crate::bridge_group::{BridgeGroup, BridgeGroupError};
use crate::policy::CREDENTIAL_TYPES;

/// A credential that we cannot accept; its owner's fault.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum IdentityError {
    /// Another type than basic and X.509.
    #[error("the credential is neither a basic nor an X.509 one")]
    Type,
    /// Its identity is no client id.
    #[error("the credential's identity is not a client id")]
    NotAClient,
    /// A certificate that proves nothing.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The group wants certificates from authorities that it names.
    #[error("this group takes only certificates of its authorities, and {0} has none of them")]
    Unvouched(ClientId),
    /// The group says nothing to go by.
    #[error(transparent)]
    Group(#[from] BridgeGroupError),
}

impl IntoAnyError for IdentityError {
    fn into_dyn_error(self) -> Result<Box<dyn std::error::Error + Send + Sync>, Self> {
        Ok(self.into())
    }
}

/// The client that a leaf says it belongs to; [`check_leaf`] says what stands behind that.
pub fn client_id(identity: &SigningIdentity) -> Result<ClientId, IdentityError> {
    match &identity.credential {
        Credential::Basic(basic) => {
            let text =
                std::str::from_utf8(basic.identifier()).map_err(|_| IdentityError::NotAClient)?;
            ClientId::parse(text).map_err(|_| IdentityError::NotAClient)
        }
        Credential::X509(chain) => Ok(Certificate::of(chain)?.client),
        _ => Err(IdentityError::Type),
    }
}

/// The basic credential of a client.
pub fn credential(client: &ClientId) -> Credential {
    BasicCredential::new(client.as_str().as_bytes().to_vec()).into_credential()
}

/// The clients of a group, in the order of the tree; leaves that are not clients are left out
/// (the engine lets none in).
pub fn clients(roster: &Roster<'_>) -> Vec<ClientId> {
    roster.member_identities_iter().filter_map(|identity| client_id(identity).ok()).collect()
}

/// The engine's view of credentials; one leaf per client follows from `identity`.
#[derive(Clone, Copy, Debug)]
pub struct ClientIdentity;

impl IdentityProvider for ClientIdentity {
    type Error = IdentityError;

    fn validate_member(
        &self,
        identity: &SigningIdentity,
        time: Option<MlsTime>,
        context: MemberValidationContext<'_>,
    ) -> Result<(), IdentityError> {
        let time_s = time.map(|time| time.seconds_since_epoch());
        match context.new_extensions() {
            Some(extensions) => {
                let group = BridgeGroup::from_extensions(extensions)?;
                check_leaf(identity, &group, time_s).map(|_| ())
            }
            // A KeyPackage, for no group yet.
            None => leaf::check_own_word(identity),
        }
    }

    fn validate_external_sender(
        &self,
        identity: &SigningIdentity,
        _time: Option<MlsTime>,
        _extensions: Option<&ExtensionList>,
    ) -> Result<(), IdentityError> {
        // Which key may be one is checked where the group is registered and joined.
        match identity.credential {
            Credential::Basic(_) => Ok(()),
            _ => Err(IdentityError::Type),
        }
    }

    fn identity(
        &self,
        identity: &SigningIdentity,
        _extensions: &ExtensionList,
    ) -> Result<Vec<u8>, IdentityError> {
        Ok(client_id(identity)?.as_str().as_bytes().to_vec())
    }

    fn valid_successor(
        &self,
        predecessor: &SigningIdentity,
        successor: &SigningIdentity,
        _extensions: &ExtensionList,
    ) -> Result<bool, IdentityError> {
        Ok(client_id(predecessor)? == client_id(successor)?)
    }

    fn supported_types(&self) -> Vec<CredentialType> {
        CREDENTIAL_TYPES.to_vec()
    }
}

/// The user's right to change a group, by its GroupContext.
pub fn is_admin(identity: &SigningIdentity, context: &GroupContext) -> bool {
    let group = BridgeGroup::from_extensions(&context.extensions);
    matches!((client_id(identity), group), (Ok(client), Ok(group)) if group.is_admin(&client.user()))
}
