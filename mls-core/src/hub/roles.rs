//! Which of the two services of its domains this process is (RFC 9750 2), and who is the other.

use super::turn::{Stop, Turn};
use crate::authority::Authority;
use crate::service::{Service, ServiceAddress};
use crate::wire::Request;
use crate::wire::refusal::Refusal;

/// What this process is.
#[derive(Clone, Debug, Default)]
pub enum Roles {
    /// Delivery service and authentication service.
    #[default]
    Both,
    /// The delivery service. It signs no certificate.
    Delivery {
        /// Where the authentication service is.
        authority: ServiceAddress,
        /// Its roots (X.509, DER), which are named to members, and to which its list of who is revoked must lead.
        roots: Vec<Vec<u8>>,
    },
    /// The authentication service. It orders no group.
    Authentication {
        /// Where the delivery service is.
        delivery: ServiceAddress,
    },
}

impl Roles {
    /// Whether it certifies keys.
    pub fn certifies(&self) -> bool {
        !matches!(self, Self::Delivery { .. })
    }

    /// Where the service is that has to answer a request, where that is not this one.
    fn elsewhere(&self, request: &Request) -> Option<&ServiceAddress> {
        match (self, request.service()) {
            (Self::Delivery { authority, .. }, Some(Service::Authentication)) => Some(authority),
            (Self::Authentication { delivery }, Some(Service::Delivery)) => Some(delivery),
            _ => None,
        }
    }
}

impl Turn<'_> {
    /// What the other service has to answer is refused here, and the asker told where that is.
    pub(super) fn refuse_others(&self, request: &Request) -> Result<(), Stop> {
        match self.setup.roles.elsewhere(request) {
            Some(address) => Err(Refusal::Elsewhere(address.clone()).into()),
            None => Ok(()),
        }
    }

    /// What signs certificates.
    pub(super) fn authority(&self) -> Result<&Authority, Stop> {
        Ok(self.keys.authority.as_ref().ok_or(Refusal::Unsupported)?)
    }
}
