//! `Knock` and `DenyKnock`: an account asks to be let into a group. The hub tells the admins and
//! remembers who waits; it adds nobody, and forgets a knock when it is answered or too old.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::answers::Asked;
use super::expiry::{Expiring, expire_at};
use super::group_record::{GroupRecord, bridge_group};
use super::rates::Rate;
use super::turn::{Stop, Turn, effect_id, invalid, not_allowed};
use super::{Effect, Notify, leaves, room_record};
use crate::address::{ClientId, RoomAddress, UserId};
use crate::identity::clients;
use crate::limits::{ASK_NOTICES_MAX, KNOCK_KEEP_MS, KNOCKS_PER_GROUP_MAX, KNOCKS_PER_USER_MAX};
use crate::store::{Space, StoreError};
use crate::wire::knock::{DenyKnock, Knock, KnockDenied, Knocked};
use crate::wire::refusal::Refusal;
use crate::wire::{Answer, GroupId, Notice};

/// Who waits, by group and account.
const SPACE: Space = "knock";
/// The other way round: the groups at whose door an account waits.
const GROUPS: Space = "knocks_of_user";

/// A knock that nobody has answered yet.
#[derive(Clone, Debug, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
struct Waiting {
    client: ClientId,
    room: RoomAddress,
    since_ms: u64,
}

/// Whose knock at which group.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub(super) struct KnockKey {
    group: GroupId,
    user: UserId,
}

impl Turn<'_> {
    /// Remembers that the account waits, and tells the admins; asked again, they are told again.
    pub(super) fn knock(&mut self, asked: &Asked, knock: &Knock) -> Result<Answer, Stop> {
        let client = asked.from.device(&knock.device).map_err(invalid)?;
        self.rates
            .take(Rate::Asks, &[asked.from.as_str()], self.now_ms)
            .map_err(Refusal::RateLimited)?;
        let group = room_record::group(self.store, &knock.room)?;
        let record = group
            .filter(|group| group.successor.is_none() && group.rooms.contains(&knock.room))
            .ok_or(Refusal::UnknownGroup)?;
        if !record.reaches(asked.from.network()) {
            let network = asked.from.network();
            return Err(not_allowed(format!("the group has no room on {network}")));
        } else if record.by_room || record.closed {
            return Err(not_allowed("this group takes nobody in through a hub"));
        } else if leaves::count(self.store, &record.group, &asked.from)? > 0 {
            return Err(not_allowed(
                "this account is in the group: its other devices can add this one",
            ));
        }
        let key = KnockKey { group: record.group.clone(), user: asked.from.clone() };
        let waiting = match self.waiting_knock(&key)? {
            Some(before) => Waiting { client, room: knock.room.clone(), ..before },
            None => self.new_knock(&key, client, &knock.room)?,
        };
        self.store.write(SPACE, &place(&key), &waiting)?;
        self.tell_admins(asked, &record, waiting.since_ms)?;
        Ok(Answer::Done)
    }

    fn new_knock(
        &mut self,
        key: &KnockKey,
        client: ClientId,
        room: &RoomAddress,
    ) -> Result<Waiting, Stop> {
        let at_group = self.store.scan(SPACE, &key.group.0, b"", KNOCKS_PER_GROUP_MAX)?.len();
        let of_user = self.store.scan(GROUPS, &of_user(&key.user), b"", KNOCKS_PER_USER_MAX)?.len();
        if at_group >= KNOCKS_PER_GROUP_MAX {
            return Err(not_allowed("too many wait for this group: ask an admin in another way"));
        } else if of_user >= KNOCKS_PER_USER_MAX {
            return Err(not_allowed("this account waits for too many groups already"));
        }
        self.store.put(GROUPS, &of_user_key(key), Vec::new());
        let until_ms = self.now_ms.saturating_add(KNOCK_KEEP_MS);
        expire_at(self.store, until_ms, &Expiring::Knock(key.clone()))?;
        Ok(Waiting { client, room: room.clone(), since_ms: self.now_ms })
    }

    fn tell_admins(
        &mut self,
        asked: &Asked,
        record: &GroupRecord,
        since_ms: u64,
    ) -> Result<(), StoreError> {
        let public = self.groups.copy(self.store, record)?;
        let bridge_group = bridge_group(&public)?;
        let admins = clients(&public.roster()).into_iter();
        for to in admins.filter(|c| bridge_group.is_admin(&c.user())).take(ASK_NOTICES_MAX) {
            let parts = [&asked.key().0, record.group.0.as_slice(), to.as_str().as_bytes()];
            let id = effect_id("knocked", &parts);
            let (group, user) = (record.group.clone(), asked.from.clone());
            let notice = Notice::Knocked(Knocked { group, user, since_ms });
            self.effects.push(Effect::Notify(Notify { id, to, notice }));
        }
        Ok(())
    }

    /// An admin says no.
    pub(super) fn deny_knock(&mut self, asked: &Asked, deny: &DenyKnock) -> Result<Answer, Stop> {
        let record = self.group_of_member(&deny.group, &asked.from)?;
        let public = self.groups.copy(self.store, &record)?;
        if !bridge_group(&public)?.is_admin(&asked.from) {
            return Err(not_allowed("only an admin may deny a knock"));
        }
        let key = KnockKey { group: deny.group.clone(), user: deny.user.clone() };
        let Some(waiting) = self.waiting_knock(&key)? else { return Err(Refusal::Gone.into()) };
        self.forget_knock(&key);
        let id = effect_id("knock denied", &[&asked.key().0]);
        let (device, to) = (waiting.client.device(), waiting.client);
        let notice = Notice::KnockDenied(KnockDenied { device, room: waiting.room });
        self.effects.push(Effect::Notify(Notify { id, to, notice }));
        Ok(Answer::Done)
    }

    /// The account is in the group now.
    pub(super) fn knock_answered(&self, group: &GroupId, user: &UserId) {
        self.forget_knock(&KnockKey { group: group.clone(), user: user.clone() });
    }

    /// The time of a knock is over, unless it is a later one.
    pub(super) fn expire_knock(&self, key: &KnockKey) -> Result<(), StoreError> {
        let old = |waiting: &Waiting| waiting.since_ms.saturating_add(KNOCK_KEEP_MS) <= self.now_ms;
        if self.waiting_knock(key)?.as_ref().is_some_and(old) {
            self.forget_knock(key);
        }
        Ok(())
    }

    fn waiting_knock(&self, key: &KnockKey) -> Result<Option<Waiting>, StoreError> {
        self.store.read(SPACE, &place(key))
    }

    fn forget_knock(&self, key: &KnockKey) {
        self.store.delete(SPACE, &place(key));
        self.store.delete(GROUPS, &of_user_key(key));
    }
}

/// Group ids are all of one length ([`crate::policy::GROUP_ID_BYTES`]), so none is another's prefix.
fn place(key: &KnockKey) -> Vec<u8> {
    [key.group.0.as_slice(), key.user.as_str().as_bytes()].concat()
}

/// No account's name holds a zero byte.
fn of_user(user: &UserId) -> Vec<u8> {
    [user.as_str().as_bytes(), &[0]].concat()
}

fn of_user_key(key: &KnockKey) -> Vec<u8> {
    [of_user(&key.user), key.group.0.clone()].concat()
}

#[cfg(test)]
crate::codec_properties::hold!(Waiting, KnockKey);
