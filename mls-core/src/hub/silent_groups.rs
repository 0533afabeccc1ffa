//! Groups in which nothing happens any more: their old handshakes go, too.
//!
//! Where handshakes come, each takes old ones away with it ([`super::handshake_log`]). For the others the hub goes
//! to some of its groups with each minute.

use super::group_record::{self, GroupRecord};
use super::public_group::write_snapshot;
use super::turn::Turn;
use crate::engine::sha256;
use crate::limits::GROUPS_LOOKED_AT_MAX;
use crate::store::StoreError;

/// Handshakes of one group that go at once: a group with as many as are kept is looked at some twenty times.
const FORGOTTEN_IN_SILENCE: usize = 500;

impl Turn<'_> {
    /// Looks at some groups, from a place among them on that is another each time: their ids are random.
    pub(super) fn look_at_silent_groups(&mut self) -> Result<(), StoreError> {
        let place = sha256(&self.now_ms.to_be_bytes());
        let mut groups = group_record::page(self.store, &place.0, GROUPS_LOOKED_AT_MAX)?;
        if groups.is_empty() {
            groups = group_record::page(self.store, &[], GROUPS_LOOKED_AT_MAX)?;
        }
        groups.into_iter().try_for_each(|record| self.forget_in_silence(record))
    }

    fn forget_in_silence(&mut self, mut record: GroupRecord) -> Result<(), StoreError> {
        if record.oldest_seq >= record.seq() || !self.is_oldest_over(&record)? {
            return Ok(());
        }
        if record.oldest_seq >= record.snapshot_seq {
            // One whose state cannot be made any more keeps what it has: that is for who uses the group to see.
            let Ok(public) = self.groups.copy(self.store, &record) else { return Ok(()) };
            write_snapshot(self.store, &record.group, record.seq(), &public)?;
            record.snapshot_seq = record.seq();
        }
        self.forget_old(&mut record, FORGOTTEN_IN_SILENCE)?;
        record.write(self.store)
    }
}
