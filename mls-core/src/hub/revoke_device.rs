//! `RevokeDevice`: a user's lost device, revoked from another of theirs.

use mls_rs_core::crypto::SignaturePublicKey;

use super::issue_credential::device_key_of;
use super::revocation::{RevokedBy, devices};
use super::turn::{Stop, Turn, invalid, not_allowed};
use crate::address::UserId;
use crate::authority::AUTHORITY_SUITE;
use crate::engine;
use crate::limits::REVOKED_DEVICES_PER_USER_MAX;
use crate::wire::Answer;
use crate::wire::revoke_device::{RevokeDevice, proof_of};

impl Turn<'_> {
    /// A user revokes a device from another one.
    pub(super) fn revoke_device(
        &mut self,
        from: &UserId,
        request: &RevokeDevice,
    ) -> Result<Answer, Stop> {
        let RevokeDevice { device, by, proof } = request;
        if by.user() != *from || device.user() != *from {
            return Err(not_allowed(format!("{from} cannot revoke {device}")));
        } else if device == by {
            return Err(invalid("a device is revoked from another one: log this one out"));
        }
        self.refuse_revoked(by)?;
        if !self.may_be(device)? {
            let why = format!("this hub never saw a device {device}: look at its id again");
            return Err(invalid(why));
        }
        let why = "only a device that this hub has certified can revoke another";
        let key = device_key_of(self.store, by)?.ok_or_else(|| not_allowed(why))?;
        let key = SignaturePublicKey::from(key);
        engine::verify(AUTHORITY_SUITE, &key, proof, &proof_of(device, by))
            .map_err(|_| invalid("the asking device's key has not signed this request"))?;
        let all = devices(self.store, Some(from), REVOKED_DEVICES_PER_USER_MAX)?.len();
        if all >= REVOKED_DEVICES_PER_USER_MAX {
            let most = REVOKED_DEVICES_PER_USER_MAX;
            return Err(not_allowed(format!("{most} devices of {from} are revoked already")));
        }
        self.revoke(device, &RevokedBy::Device(by.clone()))?;
        Ok(Answer::Done)
    }
}
