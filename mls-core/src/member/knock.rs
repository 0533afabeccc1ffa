//! Knocking: this device's account asks to be let into a group; and, for an admin, who asks.
//!
//! The hub passes the question on, and its word alone adds nobody: a person, or a program that a
//! person told so, answers it with an Invite, or denies it.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::event::{KnockDeniedEvent, KnockedEvent};
use super::group_record::State;
use super::intents::{Stage, Step};
use super::requests::Purpose;
use super::{Command, Event, Member};
use crate::address::{RoomAddress, UserId};
use crate::limits::{KNOCK_KEEP_MS, KNOCKS_PER_GROUP_MAX};
use crate::overlay::decode;
use crate::store::{Space, StoreError};
use crate::wire::knock::{DenyKnock, Knock, KnockDenied, Knocked};
use crate::wire::{GroupId, Request};

/// Since when who was shown knocks, by group and account.
const SHOWN: Space = "shown_knock";
/// Rooms at which this device has knocked and that have not answered.
const KNOCKED: Space = "knocked_at";

#[derive(MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(Debug, proptest_derive::Arbitrary))]
struct Shown {
    since_ms: u64,
}

impl Member {
    /// Starts the Knock commands that wait for the hub.
    pub(super) fn start_knocks(&mut self) -> Result<(), StoreError> {
        let waiting = |intent: &&super::intents::Intent| intent.stage == Stage::Waiting;
        let waiting: Vec<_> = self
            .intents
            .values()
            .filter(waiting)
            .filter_map(|intent| match &intent.command {
                Command::Knock(room) => Some((intent.number, room.clone())),
                _ => None,
            })
            .collect();
        for (number, room) in waiting {
            if self.need_hub()?.is_none() {
                return Ok(());
            }
            self.overlay.put(KNOCKED, &room_key(&room), Vec::new());
            let knock = Knock { room, device: self.client.device() };
            self.request(Purpose::Intent(number), Request::Knock(knock))?;
            self.set_stage(number, Stage::Asked)?;
        }
        Ok(())
    }

    /// Denies a knock, once.
    pub(super) fn step_deny(
        &mut self,
        number: u64,
        group: &GroupId,
        user: &UserId,
    ) -> Result<Step, StoreError> {
        if self.intents.get(&number).is_some_and(|intent| intent.stage == Stage::Waiting) {
            let deny = DenyKnock { group: group.clone(), user: user.clone() };
            self.request(Purpose::Intent(number), Request::DenyKnock(deny))?;
            self.set_stage(number, Stage::Asked)?;
        }
        Ok(Step::Wait)
    }

    /// The hub says that somebody knocks: shown once, if we are in the group and they are not.
    pub(super) fn somebody_knocks(&mut self, knocked: Knocked) -> Result<(), StoreError> {
        let Knocked { group, user, since_ms } = knocked;
        if self.record(&group).is_none_or(|record| record.state != State::Live) {
            return Ok(());
        }
        let key = [group.0.as_slice(), user.as_str().as_bytes()].concat();
        let shown: Option<Shown> = self.overlay.read(SHOWN, &key)?;
        if shown.as_ref().is_some_and(|shown| shown.since_ms >= since_ms)
            || (!self.has_place_for_knock(&group)? && shown.is_none())
        {
            return Ok(());
        }
        let Some(loaded) = self.take_group(&group)? else { return Ok(()) };
        let members = crate::identity::clients(&loaded.group.roster());
        self.give_back(&group, loaded);
        if members.iter().any(|client| client.user() == user) {
            return Ok(());
        }
        self.overlay.write(SHOWN, &key, &Shown { since_ms })?;
        self.emit(Event::Knocked(KnockedEvent { group, user })).map(|_| ())
    }

    /// Forgets those knocks that a hub has forgotten by now, too. Whether one more can be shown: a hub
    /// that makes them up must not fill the store.
    fn has_place_for_knock(&self, group: &GroupId) -> Result<bool, StoreError> {
        let entries = self.overlay.scan(SHOWN, &group.0, &group.0, KNOCKS_PER_GROUP_MAX)?;
        let mut kept: usize = 0;
        for (key, value) in entries {
            let shown: Shown = decode(SHOWN, &value)?;
            if self.now_ms.abs_diff(shown.since_ms) >= KNOCK_KEEP_MS {
                self.overlay.delete(SHOWN, &key);
            } else {
                kept = kept.saturating_add(1);
            }
        }
        Ok(kept < KNOCKS_PER_GROUP_MAX)
    }

    /// An admin said no, to a knock of this device.
    pub(super) fn knock_denied(&mut self, denied: KnockDenied) -> Result<(), StoreError> {
        let KnockDenied { device, room } = denied;
        let key = room_key(&room);
        if device != self.client.device() || self.overlay.get(KNOCKED, &key)?.is_none() {
            return Ok(());
        }
        self.overlay.delete(KNOCKED, &key);
        self.emit(Event::KnockDenied(KnockDeniedEvent { room })).map(|_| ())
    }
}

fn room_key(room: &RoomAddress) -> Vec<u8> {
    [room.network.name().as_bytes(), &[0], room.address.as_bytes()].concat()
}

#[cfg(test)]
crate::codec_properties::hold!(Shown);
