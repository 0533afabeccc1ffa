//! A new device asks to be added to its user's groups; the user's other devices show it.
//!
//! The hub passes the question on, and its word alone adds nobody: a person, or a program that a
//! person told so, answers it with an Invite of the user, which adds the devices that are missing.

use super::event::DeviceWaiting;
use super::group_record::State;
use super::requests::Purpose;
use super::{Event, Member};
use crate::store::{Space, StoreError};
use crate::wire::Request;
use crate::wire::ask_to_join::AskToJoin;
use crate::wire::device_waiting;

/// Whether this device has asked; it does so once in its life.
const ASKED: Space = "asked_to_join";
const OWN: &[u8] = b"own";
/// Devices that were shown, by group and client.
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

    /// The hub says that a device waits: shown once, if we are in the group and it is not.
    pub(super) fn device_waits(
        &mut self,
        waiting: device_waiting::DeviceWaiting,
    ) -> Result<(), StoreError> {
        let device_waiting::DeviceWaiting { group, client } = waiting;
        if client == self.client || self.record(&group).is_none_or(|r| r.state != State::Live) {
            return Ok(());
        }
        let key = [group.0.as_slice(), client.as_str().as_bytes()].concat();
        if self.overlay.get(SHOWN, &key)?.is_some() {
            return Ok(());
        }
        let Some(loaded) = self.take_group(&group)? else { return Ok(()) };
        let inside = loaded.group.member_with_identity(client.as_str().as_bytes()).is_ok();
        self.give_back(&group, loaded);
        if inside {
            return Ok(());
        }
        self.overlay.put(SHOWN, &key, Vec::new());
        self.emit(Event::DeviceWaiting(DeviceWaiting { group, client })).map(|_| ())
    }
}
