//! Identities for groups of strangers: whatever a credential says is taken for true.

use std::convert::Infallible;

use mls_rs::time::MlsTime;
use mls_rs_core::extension::ExtensionList;
use mls_rs_core::identity::{
    Credential, CredentialType, IdentityProvider, MemberValidationContext, SigningIdentity,
};

/// Takes basic and X.509 credentials of any content.
#[derive(Clone, Copy, Debug)]
pub(super) struct AnyIdentity;

impl IdentityProvider for AnyIdentity {
    type Error = Infallible;

    fn validate_member(
        &self,
        _identity: &SigningIdentity,
        _time: Option<MlsTime>,
        _context: MemberValidationContext<'_>,
    ) -> Result<(), Infallible> {
        Ok(())
    }

    fn validate_external_sender(
        &self,
        _identity: &SigningIdentity,
        _time: Option<MlsTime>,
        _extensions: Option<&ExtensionList>,
    ) -> Result<(), Infallible> {
        Ok(())
    }

    /// Two leaves are one client where their credentials hold the same.
    fn identity(
        &self,
        identity: &SigningIdentity,
        _extensions: &ExtensionList,
    ) -> Result<Vec<u8>, Infallible> {
        Ok(match &identity.credential {
            Credential::Basic(basic) => basic.identifier().to_vec(),
            Credential::X509(chain) => chain.iter().flat_map(|c| c.to_vec()).collect(),
            _ => identity.signature_key.to_vec(),
        })
    }

    fn valid_successor(
        &self,
        _predecessor: &SigningIdentity,
        _successor: &SigningIdentity,
        _extensions: &ExtensionList,
    ) -> Result<bool, Infallible> {
        Ok(true)
    }

    fn supported_types(&self) -> Vec<CredentialType> {
        vec![CredentialType::BASIC, CredentialType::X509]
    }
}
