//! `FetchGroupInfo`: what a member's device needs to come back by an external commit.

use super::group_record::bridge_group;
use super::rates::Rate;
use super::removal::CLOSED;
use super::turn::{Stop, Turn, machine, not_allowed};
use crate::address::UserId;
use crate::bridge_group::Order;
use crate::limits::{DAY_MS, INLINE_BYTES_MAX};
use crate::store::{Space, StoreError};
use crate::wire::blob::Part;
use crate::wire::fetch_group_info::{FetchGroupInfo, GroupState};
use crate::wire::refusal::Refusal;
use crate::wire::{Answer, GroupId};

/// The GroupInfo of the current epoch, by group.
const SPACE: Space = "group_info";

impl Turn<'_> {
    /// The GroupInfo holds the key for external commits, and must not stand in a room or an
    /// archive: the answer is sealed to the asker.
    pub(super) fn fetch_group_info(
        &mut self,
        from: &UserId,
        fetch: &FetchGroupInfo,
    ) -> Result<Answer, Stop> {
        let record = self.group_to_enter(&fetch.group, from)?;
        if record.closed {
            return Err(not_allowed(CLOSED));
        } else if record.by_room {
            return Err(Refusal::RoomOrders.into());
        }
        self.rates
            .take(Rate::GroupInfos, &[&record.group.to_hex(), from.as_str()], self.now_ms)
            .map_err(Refusal::RateLimited)?;
        let public = self.groups.copy(self.store, &record)?;
        // Into any other that has ended the commit from outside is refused so; into this one none can be made.
        if record.successor.is_some() && bridge_group(&public)?.order == Order::Room {
            return Err(Refusal::Gone.into());
        }
        let group_info = self
            .store
            .get(SPACE, &record.group.0)?
            .ok_or_else(|| StoreError(format!("group {} has no GroupInfo", record.group)))?;
        let tree = public.export_tree().map_err(machine)?;
        let receipt = record.last.to_bytes().map_err(machine)?;
        let room = INLINE_BYTES_MAX.saturating_sub(receipt.len());
        let (group_info, tree) = self.fit_parts(group_info.to_vec(), tree, room)?;
        Ok(Answer::GroupInfo(GroupState { group_info, tree, receipt }))
    }

    /// Keeps the GroupInfo of a group's new epoch.
    pub(super) fn keep_group_info(&self, group: &GroupId, group_info: Vec<u8>) {
        self.store.put(SPACE, &group.0, group_info);
    }

    /// Two parts of one answer: the larger leaves as a blob first.
    fn fit_parts(
        &self,
        one: Vec<u8>,
        two: Vec<u8>,
        room: usize,
    ) -> Result<(Part, Part), StoreError> {
        let blob = |bytes: &[u8]| self.keep_blob(bytes, DAY_MS).map(Part::Blob);
        let (a, b) = (one.len(), two.len());
        if a + b <= room {
            Ok((one.into(), two.into()))
        } else if a > b && b <= room {
            Ok((blob(&one)?, two.into()))
        } else if b >= a && a <= room {
            Ok((one.into(), blob(&two)?))
        } else {
            Ok((blob(&one)?, blob(&two)?))
        }
    }
}
