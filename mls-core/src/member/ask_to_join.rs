//! A new device asks to be added to its user's groups; the user's other devices show it.
//!
//! The hub passes the question on, and its word alone adds nobody: a person, or a program that a
//! person told so, answers it with an Invite of the user, which adds the devices that are missing.

use super::event::DeviceWaiting;
use super::group_record::State;
use super::requests::Purpose;
use super::{Event, Member};
use crate::address::ClientId;
use crate::identity::clients;
use crate::limits::{WAITING_DEVICE_KEEP_MS, WAITING_DEVICES_PER_GROUP_MAX};
use crate::overlay::decode;
use crate::store::{Space, StoreError};
use crate::wire::ask_to_join::AskToJoin;
use crate::wire::device_waiting;
use crate::wire::{GroupId, Request};

/// Whether this device has asked; it does so once in its life.
const ASKED: Space = "asked_to_join";
const OWN: &[u8] = b"own";
/// When devices were shown, by group and client, in milliseconds since 1970; nothing where it was before that was kept.
const SHOWN: Space = "shown_device";

impl Member {
    /// Asks, when key packages can be had for the first time.
    pub(super) fn ask_to_join(&mut self) -> Result<(), StoreError> {
        if self.overlay.get(ASKED, OWN)?.is_some() {
            return Ok(());
        }
        self.overlay.put(ASKED, OWN, Vec::new());
        let ask = AskToJoin { device: self.client.device() };
        self.request(Purpose::Report, Request::AskToJoin(ask)).map(|_| ())
    }

    /// The hub says that a device waits: shown once, if we are in the group, its user is, and it is not.
    pub(super) fn device_waits(
        &mut self,
        waiting: device_waiting::DeviceWaiting,
    ) -> Result<(), StoreError> {
        let device_waiting::DeviceWaiting { group, client } = waiting;
        if client == self.client
            || self.record(&group).is_none_or(|r| r.state != State::Live)
            || !self.has_place_for_device(&group)?
            || self.overlay.get(SHOWN, &shown_key(&group, &client))?.is_some()
        {
            return Ok(());
        }
        let Some(loaded) = self.take_group(&group)? else { return Ok(()) };
        let members = clients(&loaded.group.roster());
        self.give_back(&group, loaded);
        if members.contains(&client) || members.iter().all(|one| one.user() != client.user()) {
            return Ok(());
        }
        self.overlay.write(SHOWN, &shown_key(&group, &client), &self.now_ms)?;
        self.emit(Event::DeviceWaiting(DeviceWaiting { group, client })).map(|_| ())
    }

    /// Forgets which devices were shown long ago. Whether one more can be shown: a hub that makes them up
    /// must not fill the store.
    fn has_place_for_device(&self, group: &GroupId) -> Result<bool, StoreError> {
        let most = WAITING_DEVICES_PER_GROUP_MAX;
        let mut kept: usize = 0;
        for (key, value) in self.overlay.scan(SHOWN, &group.0, &group.0, most)? {
            let shown_ms = if value.is_empty() { 0 } else { decode(SHOWN, &value)? };
            if self.now_ms.abs_diff(shown_ms) >= WAITING_DEVICE_KEEP_MS {
                self.overlay.delete(SHOWN, &key);
            } else {
                kept = kept.saturating_add(1);
            }
        }
        Ok(kept < most)
    }

    /// These devices are in the group now: each is shown again if it waits again.
    pub(super) fn devices_wait_no_more(&self, group: &GroupId, added: &[ClientId]) {
        for client in added {
            self.overlay.delete(SHOWN, &shown_key(group, client));
        }
    }

    /// Forgets who was shown as waiting for a group: this device is out of it, or in it anew.
    pub(super) fn forget_waiting_devices(&self, group: &GroupId) -> Result<(), StoreError> {
        for (key, _) in self.overlay.scan(SHOWN, &group.0, &group.0, usize::from(u16::MAX))? {
            self.overlay.delete(SHOWN, &key);
        }
        Ok(())
    }
}

/// Group ids are all of one length ([`crate::policy::GROUP_ID_BYTES`]), so none is another's prefix.
fn shown_key(group: &GroupId, client: &ClientId) -> Vec<u8> {
    [group.0.as_slice(), client.as_str().as_bytes()].concat()
}
