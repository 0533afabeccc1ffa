//! Lists of certificates that count no more (RFC 5280 5), as a device or a hub holds them.
//!
//! That an authority signed a list is checked by webpki whenever it is held against a certificate of that
//! authority; for others it says nothing.

use mls_rs_core::identity::{Credential, SigningIdentity};
use rustls_pki_types::UnixTime;
use thiserror::Error;
use webpki::{CertRevocationList, OwnedCertRevocationList};
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

use super::Certificate;

/// Bytes that are no list; whose gave them out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("these bytes are not a list of revoked certificates (RFC 5280 5)")]
pub struct NoRevocationList;

/// The lists that certificates are held against.
#[derive(Debug, Default)]
pub struct Revocations(Vec<CertRevocationList<'static>>);

/// What a list says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListInfo {
    /// Grows with each list of one authority.
    pub number: u64,
    /// Until when a newer one must have come, in seconds since 1970.
    pub next_update_s: u64,
}

impl Revocations {
    /// None: nothing is revoked.
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// One list, DER.
    pub fn from_der(der: &[u8]) -> Result<Self, NoRevocationList> {
        let list = OwnedCertRevocationList::from_der(der).map_err(|_| NoRevocationList)?;
        Ok(Self(vec![list.into()]))
    }

    /// Whether a list names the serial number of a leaf's certificate. That its own authority signed the list is
    /// another matter: see [`check_leaf_against`](super::check_leaf_against).
    pub fn names(&self, identity: &SigningIdentity) -> bool {
        let (false, Credential::X509(chain)) = (self.0.is_empty(), &identity.credential) else {
            return false;
        };
        let Ok(certificate) = Certificate::of(chain) else { return false };
        let named = |list: &CertRevocationList<'_>| {
            list.find_serial(&certificate.serial).is_ok_and(|found| found.is_some())
        };
        self.0.iter().any(named)
    }

    /// The lists, for webpki.
    pub(super) fn lists(&self) -> Vec<&CertRevocationList<'static>> {
        self.0.iter().collect()
    }
}

impl ListInfo {
    /// Reads what a list (DER) says of itself; proves nothing.
    pub fn of(der: &[u8]) -> Result<Self, NoRevocationList> {
        let (_, list) = CertificateRevocationList::from_der(der).map_err(|_| NoRevocationList)?;
        let number = list.crl_number().and_then(|number| u64::try_from(number).ok());
        let next = list.next_update().and_then(|time| u64::try_from(time.timestamp()).ok());
        match (number, next) {
            (Some(number), Some(next_update_s)) => Ok(Self { number, next_update_s }),
            _ => Err(NoRevocationList),
        }
    }
}

/// The time that webpki judges by.
pub(super) fn unix_time(time_s: u64) -> UnixTime {
    UnixTime::since_unix_epoch(std::time::Duration::from_secs(time_s))
}
