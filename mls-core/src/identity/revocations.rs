//! Lists of certificates that count no more (RFC 5280 5), as a device or a hub holds them.
//!
//! That an authority signed a list is checked by webpki whenever it is held against a certificate of that
//! authority; for others it says nothing.

use mls_rs_core::identity::{Credential, SigningIdentity};
use rustls_pki_types::UnixTime;
use thiserror::Error;
use webpki::{CertRevocationList, OwnedCertRevocationList};
use x509_parser::oid_registry::OID_X509_EXT_AUTHORITY_KEY_IDENTIFIER;
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

use super::Certificate;
use crate::engine::sha256_parts;
use crate::wire::Digest;

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
    /// Tells its issuer from every other: SHA-256 of the name and the authority key identifier.
    pub issuer: Digest,
    /// Grows with each list of one authority.
    pub number: u64,
    /// Until when a newer one must have come, in seconds since 1970.
    pub next_update_s: u64,
    /// Tells one set of certificates from every other: SHA-256 of their serial numbers, in the list's order.
    pub entries: Digest,
}

impl Revocations {
    /// None: nothing is revoked.
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// One list, DER.
    pub fn from_der(der: &[u8]) -> Result<Self, NoRevocationList> {
        Self::from_ders([der])
    }

    /// Lists of several issuers, DER: each says something of its own issuer's certificates only.
    pub fn from_ders<'a>(
        lists: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Self, NoRevocationList> {
        let read = |der| OwnedCertRevocationList::from_der(der).map(CertRevocationList::from);
        let lists: Result<_, _> = lists.into_iter().map(read).collect();
        lists.map(Self).map_err(|_| NoRevocationList)
    }

    /// Whether a list names the serial number of a leaf's certificate. That its own authority signed the list is
    /// another matter: see [`check_leaf_against`](super::check_leaf_against).
    pub fn names(&self, identity: &SigningIdentity) -> bool {
        let (false, Credential::X509(chain)) = (self.0.is_empty(), &identity.credential) else {
            return false;
        };
        let Ok(certificate) = Certificate::of(chain) else { return false };
        self.naming(&certificate.serial).next().is_some()
    }

    /// The lists that name a serial number.
    pub(super) fn naming<'a>(
        &'a self,
        serial: &'a [u8],
    ) -> impl Iterator<Item = &'a CertRevocationList<'static>> {
        let named = |list: &&CertRevocationList<'_>| {
            list.find_serial(serial).is_ok_and(|found| found.is_some())
        };
        self.0.iter().filter(named)
    }
}

impl ListInfo {
    /// Reads what a list (DER) says of itself; proves nothing.
    pub fn of(der: &[u8]) -> Result<Self, NoRevocationList> {
        let (_, list) = CertificateRevocationList::from_der(der).map_err(|_| NoRevocationList)?;
        let number = list.crl_number().and_then(|number| u64::try_from(number).ok());
        let serials = list.iter_revoked_certificates().map(|one| one.raw_serial().to_vec());
        let serials: Vec<Vec<u8>> = serials.collect();
        let entries = sha256_parts(&serials.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let of_key = OID_X509_EXT_AUTHORITY_KEY_IDENTIFIER;
        let key = list.extensions().iter().find(|one| one.oid == of_key).map(|one| one.value);
        let issuer = sha256_parts(&[list.issuer().as_raw(), key.unwrap_or_default()]);
        let next = list.next_update().and_then(|time| u64::try_from(time.timestamp()).ok());
        match (number, next) {
            (Some(number), Some(next_update_s)) => {
                Ok(Self { issuer, number, next_update_s, entries })
            }
            _ => Err(NoRevocationList),
        }
    }
}

/// The time that webpki judges by.
pub(super) fn unix_time(time_s: u64) -> UnixTime {
    UnixTime::since_unix_epoch(std::time::Duration::from_secs(time_s))
}
