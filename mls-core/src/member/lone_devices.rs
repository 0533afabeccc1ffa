//! Devices that are in one group of their user, while others of that user are in more.
//!
//! Who gives a user a device that the user does not have (a homeserver can) brings it into one group at first.
//! A person's own new device is in all groups within a day or two, so people are told of one that is not after 48
//! hours. One group is looked into in a turn, and all of them every 6 hours: no commit and no message costs more
//! for it. Nothing else follows.

use std::collections::BTreeMap;

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::group_record::State;
use super::{Event, Member};
use crate::address::{ClientId, UserId};
use crate::identity::clients;
use crate::limits::{LONE_DEVICE_AFTER_MS, LONE_DEVICES_AGAIN_MS, LONE_DEVICES_MAX};
use crate::overlay::decode;
use crate::store::{Space, StoreError};
use crate::wire::GroupId;

/// By client.
const LONE: Space = "lone_device";

/// A device that was found so, as it is stored.
#[derive(Debug, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
struct Lone {
    /// Since when, in milliseconds since 1970.
    since_ms: u64,
    /// Whether people were told.
    told: bool,
}

/// A device of somebody's is in one group only, where that user's other devices are in more of those that this
/// device is in.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct LoneDevice {
    /// Which.
    pub client: ClientId,
    /// Where it is.
    pub group: GroupId,
}

/// A look into all groups, one after the other; forgotten when the member is closed.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// When the next one may begin, in milliseconds since 1970.
    next_ms: u64,
    /// The group that was looked into last.
    last: Option<GroupId>,
    users: BTreeMap<UserId, SeenUser>,
}

/// What was seen of a user so far.
#[derive(Debug, Default)]
struct SeenUser {
    groups: usize,
    /// In how many groups each device is, and in which it was seen last.
    devices: BTreeMap<ClientId, (usize, GroupId)>,
}

impl Member {
    /// Looks into one more group, where it is time.
    pub(super) fn survey_devices(&mut self) -> Result<(), StoreError> {
        if self.now_ms < self.survey.next_ms {
            return Ok(());
        }
        let last = self.survey.last.as_ref();
        let mut live = self.groups.values().filter(|record| record.state == State::Live);
        let next = live.find(|record| last.is_none_or(|last| record.group > *last));
        let Some(group) = next.map(|record| record.group.clone()) else {
            let survey = std::mem::take(&mut self.survey);
            self.survey.next_ms = self.now_ms.saturating_add(LONE_DEVICES_AGAIN_MS);
            return self.judge_devices(&survey.lone());
        };
        let inside = self.look_into(&group, |state| clients(&state.roster()))?;
        self.survey.see(&group, inside.unwrap_or_default());
        self.survey.last = Some(group);
        Ok(())
    }

    fn judge_devices(&mut self, lone: &BTreeMap<ClientId, GroupId>) -> Result<(), StoreError> {
        let mut known = BTreeMap::new();
        for (key, value) in self.overlay.scan(LONE, &[], &[], LONE_DEVICES_MAX)? {
            known.insert(key, decode::<Lone>(LONE, &value)?);
        }
        for key in known.keys() {
            if !lone.keys().any(|client| client.as_str().as_bytes() == key.as_slice()) {
                self.overlay.delete(LONE, key);
            }
        }
        for (client, group) in lone.iter().take(LONE_DEVICES_MAX) {
            let key = client.as_str().as_bytes();
            let found = Lone { since_ms: self.now_ms, told: false };
            let before = known.remove(key);
            let is_new = before.is_none();
            let Lone { since_ms, told } = before.unwrap_or(found);
            let due = self.now_ms >= since_ms.saturating_add(LONE_DEVICE_AFTER_MS);
            if due && !told {
                let (client, group) = (client.clone(), group.clone());
                self.emit(Event::LoneDevice(LoneDevice { client, group }))?;
            }
            if is_new || due && !told {
                self.overlay.write(LONE, key, &Lone { since_ms, told: due })?;
            }
        }
        Ok(())
    }
}

impl Survey {
    fn see(&mut self, group: &GroupId, inside: Vec<ClientId>) {
        let mut users = BTreeMap::<UserId, Vec<ClientId>>::new();
        for client in inside {
            users.entry(client.user()).or_default().push(client);
        }
        for (user, devices) in users {
            let seen = self.users.entry(user).or_default();
            seen.groups += 1;
            for device in devices {
                let (count, last) = seen.devices.entry(device).or_insert((0, group.clone()));
                *count += 1;
                *last = group.clone();
            }
        }
    }

    /// Devices in one group, of users who are in more with others.
    fn lone(self) -> BTreeMap<ClientId, GroupId> {
        let users = self.users.into_values();
        let several = users.filter(|seen| seen.groups > 1 && seen.devices.len() > 1);
        let devices = several.flat_map(|seen| seen.devices);
        devices.filter(|(_, (count, _))| *count == 1).map(|(c, (_, group))| (c, group)).collect()
    }
}

#[cfg(test)]
crate::codec_properties::hold!(Lone, LoneDevice);
