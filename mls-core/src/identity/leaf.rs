//! What stands behind the name of a leaf: one check for the hub and for every member, at each Add, at
//! each update, and of all leaves when one joins.
//!
//! Decided from the group's context alone, so that nobody takes a commit that others refuse. Whether a
//! certificate has ended meanwhile, or was revoked, is a matter of policy and not of this.

use mls_rs_core::identity::{CertificateChain, Credential, SigningIdentity};

use super::certificate::{Certificate, CertificateError, check_path};
use super::revocations::Revocations;
use super::{IdentityError, TrustAnchor, client_id};
use crate::address::ClientId;
use crate::bridge_group::BridgeGroup;

/// What stands behind the name of a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing but the networks' word: a basic credential, or a certificate of an authority that the
    /// group does not name.
    Unvouched,
    /// A certificate of the domain's authority, as the group names it.
    Vouched {
        /// When it ends, in seconds since 1970.
        until_s: u64,
    },
    /// A certificate that its authority has taken back.
    Revoked,
}

/// What stands behind a leaf of a group. Without a time a certificate is judged as of its beginning.
pub fn check_leaf(
    identity: &SigningIdentity,
    group: &BridgeGroup,
    time_s: Option<u64>,
) -> Result<Standing, IdentityError> {
    check_leaf_against(identity, group, time_s, &Revocations::none())
}

/// The same, where certificates that these lists name count no more.
pub fn check_leaf_against(
    identity: &SigningIdentity,
    group: &BridgeGroup,
    time_s: Option<u64>,
    revocations: &Revocations,
) -> Result<Standing, IdentityError> {
    let client = match &identity.credential {
        Credential::X509(chain) => {
            let certificate = own_certificate(identity, chain)?;
            let mut anchors = group.anchors.of(&certificate.client).peekable();
            if anchors.peek().is_some() {
                let time_s = time_s.unwrap_or(certificate.not_before_s);
                check_path(chain, anchors, time_s, revocations)?;
                return Ok(Standing::Vouched { until_s: certificate.not_after_s });
            }
            certificate.client
        }
        _ => client_id(identity)?,
    };
    unvouched(client, group)
}

/// Whether an authority of its own domain stands behind a chain.
pub fn check_chain(
    chain: &CertificateChain,
    anchors: &[TrustAnchor],
    time_s: u64,
) -> Result<(), CertificateError> {
    let certificate = Certificate::of(chain)?;
    check_path(chain, of_own_domain(&certificate, anchors), time_s, &Revocations::none())
}

/// Whether an authority of its own domain has taken a chain's leaf back, by these lists.
pub fn is_revoked(
    chain: &CertificateChain,
    anchors: &[TrustAnchor],
    revocations: &Revocations,
) -> bool {
    let Ok(certificate) = Certificate::of(chain) else { return false };
    let own = of_own_domain(&certificate, anchors);
    let judged = check_path(chain, own, certificate.not_before_s, revocations);
    judged == Err(CertificateError::Revoked)
}

fn of_own_domain<'a>(
    certificate: &Certificate,
    anchors: &'a [TrustAnchor],
) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    let domain = certificate.client.user().domain();
    let own = move |anchor: &&TrustAnchor| anchor.domain == domain;
    anchors.iter().filter(own).map(|anchor| anchor.certificate.as_slice())
}

/// Whether a leaf's credential is in itself what it must be.
pub(super) fn check_own_word(identity: &SigningIdentity) -> Result<(), IdentityError> {
    match &identity.credential {
        Credential::X509(chain) => Ok(own_certificate(identity, chain).map(drop)?),
        _ => client_id(identity).map(drop),
    }
}

/// The certificate, which must speak for the leaf's own key.
fn own_certificate(
    identity: &SigningIdentity,
    chain: &CertificateChain,
) -> Result<Certificate, CertificateError> {
    let certificate = Certificate::of(chain)?;
    let own = certificate.key == identity.signature_key.as_ref();
    if own { Ok(certificate) } else { Err(CertificateError::OtherKey) }
}

fn unvouched(client: ClientId, group: &BridgeGroup) -> Result<Standing, IdentityError> {
    if group.basic_allowed {
        Ok(Standing::Unvouched)
    } else {
        Err(IdentityError::Unvouched(client))
    }
}
