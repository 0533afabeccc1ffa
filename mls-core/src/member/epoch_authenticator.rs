//! The epoch authenticator (RFC 9420 8.7): a secret that only members of one epoch share.

use super::engine_storage::{self, Slot};
use super::group_record::State;
use super::{Member, engine_fault};
use crate::store::StoreError;
use crate::wire::GroupId;

impl Member {
    /// The authenticator of the epoch that this device has a group in, for members to compare: who
    /// has another one in the same epoch is in another group. Nothing where this device is not in
    /// the group. An error means that the database or the engine failed.
    pub fn epoch_authenticator(&self, group: &GroupId) -> Result<Option<Vec<u8>>, StoreError> {
        if self.record(group).is_none_or(|record| record.state != State::Live) {
            return Ok(None);
        }
        let secret = match self.loaded.get(group) {
            Some(loaded) => loaded.group.epoch_authenticator(),
            None if !engine_storage::exists(&self.overlay, Slot::Current, &group.0)? => {
                return Ok(None);
            }
            None => self.read_group(group)?.group.epoch_authenticator(),
        };
        Ok(Some(secret.map_err(|e| engine_fault(&e))?.as_bytes().to_vec()))
    }
}
