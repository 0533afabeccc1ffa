//! Secrets that an application derives from a group (RFC 9420 8.5, 8.7).

use thiserror::Error;
use zeroize::Zeroizing;

use super::{Member, engine_fault};
use crate::limits::EXPORT_BYTES_MAX;
use crate::store::StoreError;
use crate::wire::GroupId;

/// A secret; wiped when it is dropped.
pub type ExportedSecret = Zeroizing<Vec<u8>>;

/// Why a secret was not exported.
#[derive(Debug, Error)]
pub enum ExportError {
    /// RFC 9420's KDF gives no more; the caller's fault.
    #[error("at most {EXPORT_BYTES_MAX} bytes can be exported")]
    TooLong,
    /// The machine's fault.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Member {
    /// MLS-Exporter(label, context, length) of the group's current epoch, and that epoch; nothing
    /// for a group that this device cannot follow now.
    pub fn export_secret(
        &mut self,
        group: &GroupId,
        label: &[u8],
        context: &[u8],
        length: usize,
    ) -> Result<Option<(u64, ExportedSecret)>, ExportError> {
        if length > EXPORT_BYTES_MAX {
            return Err(ExportError::TooLong);
        }
        Ok(self.with_live_group(group, |group| {
            let secret =
                group.export_secret(label, context, length).map_err(|e| engine_fault(&e))?;
            Ok(Zeroizing::new(secret.as_bytes().to_vec()))
        })?)
    }

    /// The epoch authenticator of the group's current epoch, and that epoch: two members that see
    /// the same value are in the same group with the same members.
    pub fn epoch_authenticator(
        &mut self,
        group: &GroupId,
    ) -> Result<Option<(u64, ExportedSecret)>, StoreError> {
        self.with_live_group(group, |group| {
            let secret = group.epoch_authenticator().map_err(|e| engine_fault(&e))?;
            Ok(Zeroizing::new(secret.as_bytes().to_vec()))
        })
    }

    fn with_live_group<T>(
        &mut self,
        group: &GroupId,
        read: impl FnOnce(&super::engine_storage::MemberGroup) -> Result<T, StoreError>,
    ) -> Result<Option<(u64, T)>, StoreError> {
        if self.readable(group).is_none() {
            return Ok(None);
        }
        let Some(loaded) = self.take_group(group)? else { return Ok(None) };
        let epoch = loaded.group.current_epoch();
        let value = read(&loaded.group);
        self.give_back(group, loaded);
        Ok(Some((epoch, value?)))
    }
}
