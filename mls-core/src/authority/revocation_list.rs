//! The list of certificates that count no more: an X.509 CRL (RFC 5280 5), signed by the authority.

use rcgen::{
    CertificateRevocationListParams, Issuer, KeyIdMethod, RevokedCertParams, SerialNumber,
};
use rustls_pki_types::CertificateDer;

use super::key::ForRcgen;
use super::{Authority, AuthorityError, at};
use crate::policy::REVOCATION_LIST_LIFETIME_MS;
use crate::transparency::RevocationReason;

/// One certificate that counts no more.
pub struct RevokedCertificate {
    /// Its serial number, big-endian.
    pub serial: Vec<u8>,
    /// Since when, in milliseconds since 1970.
    pub at_ms: u64,
    /// Why.
    pub reason: RevocationReason,
}

impl Authority {
    /// The list as of `now_ms`, DER; `number` grows with each.
    pub fn sign_revocations(
        &self,
        revoked: Vec<RevokedCertificate>,
        number: u64,
        now_ms: u64,
    ) -> Result<Vec<u8>, AuthorityError> {
        let own = self.chain.first().cloned().unwrap_or_default();
        let key = ForRcgen(self.key.clone());
        let issuer = Issuer::from_ca_cert_der(&CertificateDer::from(own), key)?;
        let entry = |one: RevokedCertificate| {
            Ok(RevokedCertParams {
                serial_number: SerialNumber::from(one.serial),
                revocation_time: at(one.at_ms)?,
                reason_code: code(one.reason),
                invalidity_date: None,
            })
        };
        let params = CertificateRevocationListParams {
            this_update: at(now_ms)?,
            next_update: at(now_ms.saturating_add(REVOCATION_LIST_LIFETIME_MS))?,
            crl_number: SerialNumber::from(number),
            issuing_distribution_point: None,
            revoked_certs: revoked.into_iter().map(entry).collect::<Result<_, AuthorityError>>()?,
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let signed = params.signed_by(&issuer).map_err(|error| match error {
            rcgen::Error::RemoteKeyError => AuthorityError::Key,
            other => other.into(),
        })?;
        Ok(signed.der().to_vec())
    }
}

/// A list does not say that a reason is unspecified (RFC 5280 5.3.1).
fn code(reason: RevocationReason) -> Option<rcgen::RevocationReason> {
    match reason {
        RevocationReason::Unspecified => None,
        RevocationReason::KeyCompromise => Some(rcgen::RevocationReason::KeyCompromise),
        RevocationReason::Superseded => Some(rcgen::RevocationReason::Superseded),
        RevocationReason::CessationOfOperation => {
            Some(rcgen::RevocationReason::CessationOfOperation)
        }
    }
}
