//! `CreateRoom`: the hub has a room, a MUC, or both made, and remembers for whom.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::answers::Asked;
use super::expiry::{Expiring, expire_at};
use super::rates::Rate;
use super::room_record::{self, RoomRecord};
use super::turn::{Stop, Turn, effect_id, invalid, not_allowed};
use super::{Effect, MakeRooms, Reply, RoomsMade};
use crate::address::{RoomAddress, UserId};
use crate::limits::{JOB_KEEP_MS, JOB_WAIT_MS, NAME_BYTES_MAX, SENTENCE_CHARS_MAX};
use crate::store::{Space, StoreError};
use crate::wire::create_room::{CreateRoom, RoomCreated};
use crate::wire::refusal::Refusal;
use crate::wire::{Answer, Digest};

const SPACE: Space = "room_job";

/// Rooms that are being made.
#[derive(MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(Debug, proptest_derive::Arbitrary))]
struct RoomJob {
    /// Who asked.
    asked: Asked,
    /// Whether they were told to ask again.
    answered: bool,
}

impl Turn<'_> {
    /// Starts the making of rooms; asked again meanwhile, the answer goes to the newest asker.
    pub(super) fn create_room(
        &mut self,
        asked: &Asked,
        request: CreateRoom,
    ) -> Result<Option<Answer>, Stop> {
        let job = effect_id("create room", &[&asked.key().0]);
        let waiting = self.store.read::<RoomJob>(SPACE, &job.0)?;
        if waiting.as_ref().is_some_and(|waiting| waiting.asked.request != asked.request) {
            return Err(invalid("this id was used for another request: choose a new one"));
        }
        self.check_room_request(&request)?;
        self.store.write(SPACE, &job.0, &RoomJob { asked: asked.clone(), answered: false })?;
        let slow_ms = self.now_ms.saturating_add(JOB_WAIT_MS);
        expire_at(self.store, slow_ms, &Expiring::SlowJob(job))?;
        if waiting.is_none() {
            self.rates
                .take(Rate::Groups, &["room", asked.from.as_str()], self.now_ms)
                .map_err(Refusal::RateLimited)?;
            expire_at(self.store, self.now_ms.saturating_add(JOB_KEEP_MS), &Expiring::Job(job))?;
            let creator = asked.from.clone();
            self.effects.push(Effect::MakeRooms(MakeRooms { job, creator, rooms: request }));
        }
        Ok(None)
    }

    /// The rooms are there, or cannot be.
    pub(super) fn rooms_made(&mut self, made: RoomsMade) -> Result<(), StoreError> {
        let Some(job) = self.store.read::<RoomJob>(SPACE, &made.job.0)? else { return Ok(()) };
        self.store.delete(SPACE, &made.job.0);
        let reply = match made.result {
            Ok(rooms) => {
                self.record_rooms(&rooms, &job.asked.from)?;
                let answer = Answer::RoomCreated(rooms);
                self.remember(&job.asked, &answer)?;
                Reply::Ok(answer)
            }
            Err(why) => {
                let why = why.chars().take(SENTENCE_CHARS_MAX).collect();
                Reply::Refused(Refusal::NotAllowed(why))
            }
        };
        if !job.answered {
            self.reply(&job.asked, reply)?;
        }
        Ok(())
    }

    /// The asker has waited long enough: not now, ask again.
    pub(super) fn slow_room_job(&mut self, id: &Digest) -> Result<(), StoreError> {
        let Some(mut job) = self.store.read::<RoomJob>(SPACE, &id.0)? else { return Ok(()) };
        if !job.answered {
            self.reply(&job.asked, Reply::Refused(Refusal::Unavailable(JOB_WAIT_MS)))?;
            job.answered = true;
            self.store.write(SPACE, &id.0, &job)?;
        }
        Ok(())
    }

    /// The job will not be done any more.
    pub(super) fn forget_room_job(&self, id: &Digest) {
        self.store.delete(SPACE, &id.0);
    }

    fn check_room_request(&self, request: &CreateRoom) -> Result<(), Stop> {
        if !request.matrix && !request.xmpp {
            Err(invalid("name at least one network"))
        } else if request.matrix && self.setup.matrix.is_none() {
            Err(not_allowed("this hub does not serve Matrix"))
        } else if request.xmpp && self.setup.xmpp.is_none() {
            Err(not_allowed("this hub does not serve XMPP"))
        } else if request.name.len() > NAME_BYTES_MAX {
            Err(invalid(format!("the name is longer than {NAME_BYTES_MAX} bytes")))
        } else {
            Ok(())
        }
    }

    fn record_rooms(&self, rooms: &RoomCreated, creator: &UserId) -> Result<(), StoreError> {
        let matrix = rooms.matrix_room.iter().map(RoomAddress::matrix);
        let mucs = rooms.muc.iter().map(RoomAddress::xmpp);
        for room in matrix.chain(mucs) {
            if room_record::read(self.store, &room)?.is_none() {
                let creator = creator.clone();
                RoomRecord { room, creator, group: None, former: None }.write(self.store)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
crate::codec_properties::hold!(RoomJob);
