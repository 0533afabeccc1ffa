//! Revoking a lost device of this user's: the hub is asked, and takes it out of everything.

use super::intents::{Intent, Stage};
use super::keys::SUITE;
use super::requests::Purpose;
use super::{Command, Member};
use crate::address::ClientId;
use crate::store::StoreError;
use crate::wire::Request;
use crate::wire::revoke_device::{RevokeDevice, proof_of};

impl Member {
    /// Starts the RevokeDevice commands that wait for the hub.
    pub(super) fn start_revocations(&mut self) -> Result<(), StoreError> {
        let waiting = |intent: &Intent| match &intent.command {
            Command::RevokeDevice(device) if intent.stage == Stage::Waiting => {
                Some((intent.number, device.clone()))
            }
            _ => None,
        };
        let waiting: Vec<_> = self.intents.values().filter_map(waiting).collect();
        for (number, device) in waiting {
            if device.user() != self.client.user() || device == self.client {
                self.fail(number, "only another device of the same user can be revoked")?;
            } else if self.need_hub()?.is_some() {
                self.ask_to_revoke(number, device)?;
            }
        }
        Ok(())
    }

    fn ask_to_revoke(&mut self, number: u64, device: ClientId) -> Result<(), StoreError> {
        let by = self.client.clone();
        let proof = self.keys.own().sign(SUITE, &proof_of(&device, &by));
        let proof = proof.map_err(|e| StoreError(format!("no revocation: {e}")))?;
        let request = Request::RevokeDevice(RevokeDevice { device, by, proof });
        self.request(Purpose::Intent(number), request)?;
        self.set_stage(number, Stage::Asked)
    }
}
