//! This device itself was revoked: people are told once, and it asks for another certificate now and then.
//!
//! The authority refuses while the revocation stands, and tells nobody when that is over. What was certified before
//! stays on the list, so a device that is given back needs other certificates, in its leaves and its key packages.

use mls_rs_core::identity::Credential;

use super::Member;
use super::credentials::SCHEMES;
use super::keys::SignatureKey;
use super::warning::WarningKind;
use crate::identity::is_revoked;
use crate::store::{Space, StoreError};
use crate::wire::GroupId;

/// When people were told, in milliseconds since 1970; nothing where this device counts.
const TOLD: Space = "own_revocation";
const KEY: &[u8] = b"told";
const REVOKED: &str = "this device was revoked: its groups remove it, and it gets no certificate. If that was not to be, \
                       ask who administers your domain's authority to undo it: this device then goes on by itself. \
                       If it was revoked by another device of yours, log in anew, as another device";
const GIVEN_BACK: &str = "this device counts again: it has another certificate, and renews its leaves and key packages with it; \
                          into groups that have removed it somebody has to invite it";

impl Member {
    /// Whether the authority has taken back the certificate of a key of this device.
    pub(super) fn is_taken_back(&self, key: &SignatureKey) -> Result<bool, StoreError> {
        let identity = key.identity();
        let (true, Credential::X509(chain)) =
            (self.revocations.list.names(&identity), &identity.credential)
        else {
            return Ok(false);
        };
        let own = self.own_authority()?;
        Ok(own.is_some_and(|own| is_revoked(chain, &own.known.0, &self.revocations.list)))
    }

    /// Whether people know that this device is revoked, and it has got no certificate since.
    pub(super) fn is_known_revoked(&self) -> Result<bool, StoreError> {
        Ok(self.overlay.get(TOLD, KEY)?.is_some())
    }

    /// Another list came: it may name this device.
    pub(super) fn look_for_own_revocation(&mut self) -> Result<(), StoreError> {
        if !self.is_any_taken_back()? {
            return Ok(());
        }
        if !self.is_known_revoked()? {
            self.overlay.write(TOLD, KEY, &self.now_ms)?;
            self.warn(&GroupId::none(), WarningKind::OwnDeviceRevoked, REVOKED)?;
        }
        self.want_credentials()
    }

    /// A certificate came for a key of this device.
    pub(super) fn look_whether_given_back(&mut self) -> Result<(), StoreError> {
        if !self.is_known_revoked()? || self.is_any_taken_back()? {
            return Ok(());
        }
        self.overlay.delete(TOLD, KEY);
        self.warn(&GroupId::none(), WarningKind::CountsAgain, GIVEN_BACK)
    }

    fn is_any_taken_back(&self) -> Result<bool, StoreError> {
        for suite in SCHEMES {
            if self.is_taken_back(self.keys.of(suite))? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
