//! The control rooms of this account: one with the hub, one with the authority where that is a service of its own,
//! and for a while one with each hub of another domain that is asked who it is.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use matrix_sdk::Client;
use mls_core::delivery::DeliveryError;
use mls_core::limits::OTHER_HUBS_MAX;
use mls_core::seal::{SealError, Sealer};
use mls_core::service::Service;
use ruma::api::client::membership::leave_room;
use ruma::{OwnedRoomId, OwnedUserId, RoomId};

use super::control_room::ControlRoom;
use super::parse;

/// Shared by the requests and the /sync loop.
pub(super) struct ControlRooms {
    hub: Arc<ControlRoom>,
    authority: Mutex<Authority>,
    /// Not known after a restart.
    others: Mutex<VecDeque<Arc<ControlRoom>>>,
    /// Rooms of others that are no longer among these.
    to_leave: Mutex<Vec<OwnedRoomId>>,
    sealer: Sealer,
    nonce: String,
}

/// What is known of the way to the authority.
struct Authority {
    /// The room known from an earlier connection, as long as nobody asked for it.
    room: Option<OwnedRoomId>,
    control: Option<Arc<ControlRoom>>,
}

/// The rooms, as they are to be known after a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) hub: Option<OwnedRoomId>,
    pub(super) authority: Option<OwnedRoomId>,
}

impl ControlRooms {
    /// The rooms known from an earlier connection, if any. The nonce is this connection's alone.
    pub(super) fn new(hub: OwnedUserId, sealer: Sealer, known: Known, nonce: String) -> Self {
        let (service, to_hub) = (Service::Delivery, sealer.clone());
        let room = ControlRoom::new(service, hub, to_hub, known.hub, nonce.clone());
        let authority = Mutex::new(Authority { room: known.authority, control: None });
        Self {
            hub: Arc::new(room),
            authority,
            others: Mutex::default(),
            to_leave: Mutex::default(),
            sealer,
            nonce,
        }
    }

    /// The one with a service.
    pub(super) fn with(&self, service: &Service) -> Result<Arc<ControlRoom>, DeliveryError> {
        match service {
            Service::Delivery => Ok(Arc::clone(&self.hub)),
            Service::Authentication => match self.with_authority()? {
                Some(control) => Ok(control),
                None => Err(SealError::NoKey.into()),
            },
            Service::OtherHub(address) => self.with_other(address),
        }
    }

    /// Forgets the hubs of other domains that have answered, or all: their rooms, which are to be left.
    pub(super) fn take_others(&self, all: bool) -> Vec<OwnedRoomId> {
        let mut others = lock(&self.others);
        let (done, kept) = others.drain(..).partition(|other| all || other.has_answered());
        *others = kept;
        let done: VecDeque<Arc<ControlRoom>> = done;
        let mut rooms = std::mem::take(&mut *lock(&self.to_leave));
        rooms.extend(done.iter().filter_map(|other| other.room()));
        rooms
    }

    /// That room, if it is one of ours.
    pub(super) fn at(&self, room: &RoomId) -> Option<Arc<ControlRoom>> {
        self.all().into_iter().find(|control| control.room().as_deref() == Some(room))
    }

    /// We are no longer in `room`: if it was one of them, another is made when needed.
    pub(super) fn left(&self, room: &RoomId) {
        self.all().iter().for_each(|control| control.left(room));
    }

    /// The rooms that there are.
    pub(super) fn known(&self) -> Known {
        let authority = self.with_authority().ok().flatten();
        Known { hub: self.hub.room(), authority: authority.and_then(|control| control.room()) }
    }

    fn all(&self) -> Vec<Arc<ControlRoom>> {
        let authority = self.with_authority().ok().flatten();
        let others: Vec<_> = lock(&self.others).iter().cloned().collect();
        std::iter::once(Arc::clone(&self.hub)).chain(authority).chain(others).collect()
    }

    /// The one with the hub of another domain; the oldest is forgotten when there are too many.
    fn with_other(&self, address: &str) -> Result<Arc<ControlRoom>, DeliveryError> {
        let user: OwnedUserId = parse(address, "the hub")?;
        let mut others = lock(&self.others);
        if let Some(known) = others.iter().find(|other| *other.whom() == user) {
            return Ok(Arc::clone(known));
        }
        if others.len() >= OTHER_HUBS_MAX {
            let oldest = others.pop_front().and_then(|other| other.room());
            lock(&self.to_leave).extend(oldest);
        }
        let (service, nonce) = (Service::OtherHub(address.to_owned()), self.nonce.clone());
        let control = ControlRoom::new(service, user, self.sealer.clone(), None, nonce);
        let control = Arc::new(control);
        others.push_back(Arc::clone(&control));
        Ok(control)
    }

    /// The one with the authority that the member goes by now, if that is a service of its own.
    fn with_authority(&self) -> Result<Option<Arc<ControlRoom>>, DeliveryError> {
        let Some(address) = self.sealer.authority_at() else { return Ok(None) };
        let user: OwnedUserId = parse(&address, "the authority")?;
        let mut authority = lock(&self.authority);
        if let Some(control) = authority.control.as_ref().filter(|control| *control.whom() == user)
        {
            return Ok(Some(Arc::clone(control)));
        }
        let (sealer, room) = (self.sealer.clone(), authority.room.take());
        let (service, nonce) = (Service::Authentication, self.nonce.clone());
        let control = Arc::new(ControlRoom::new(service, user, sealer, room, nonce));
        authority.control = Some(Arc::clone(&control));
        Ok(Some(control))
    }
}

/// Leaves rooms in which nothing more is to be said; one that stays does no harm.
pub(super) async fn leave(client: &Client, rooms: Vec<OwnedRoomId>) {
    for room in rooms {
        if let Err(error) = client.send(leave_room::v3::Request::new(room.clone())).await {
            tracing::info!(%room, %error, "a control room was not left");
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use mls_core::address::UserId;
    use mls_core::crypto::Crypto;

    use super::*;

    fn room(id: &str) -> OwnedRoomId {
        id.try_into().unwrap()
    }

    #[test]
    fn the_authoritys_control_room_is_there_when_the_member_knows_it_and_another_for_another() {
        let alice = UserId::matrix("@alice:hs").unwrap();
        let sealer = Sealer::new(alice, &Crypto::system()).unwrap();
        let known = Known { hub: Some(room("!hub:hs")), authority: Some(room("!a:hs")) };
        let hub = "@mls:hs".try_into().unwrap();
        let rooms = ControlRooms::new(hub, sealer.clone(), known.clone(), String::new());
        assert!(rooms.with(&Service::Authentication).is_err());
        assert!(rooms.at(&room("!a:hs")).is_none() && rooms.at(&room("!hub:hs")).is_some());
        sealer.use_authority("@authority:hs", None);
        assert_eq!(rooms.known(), known);
        let control = rooms.at(&room("!a:hs")).unwrap();
        assert_eq!(control.whom().as_str(), "@authority:hs");
        assert!(Arc::ptr_eq(&control, &rooms.with(&Service::Authentication).unwrap()));
        rooms.left(&room("!a:hs"));
        assert_eq!(rooms.known(), Known { authority: None, ..known });
        sealer.use_authority("@moved:hs", None);
        let moved = rooms.with(&Service::Authentication).unwrap();
        assert_eq!((moved.whom().as_str(), moved.room()), ("@moved:hs", None));
        sealer.use_authority("no user", None);
        assert!(rooms.with(&Service::Authentication).is_err());
        assert!(rooms.with(&Service::Delivery).is_ok());
    }
    #[test]
    fn a_hub_of_another_domain_has_a_control_room_until_it_has_answered() {
        let alice = UserId::matrix("@alice:hs").unwrap();
        let sealer = Sealer::new(alice, &Crypto::system()).unwrap();
        let known = Known { hub: Some(room("!hub:hs")), authority: None };
        let rooms =
            ControlRooms::new("@mls:hs".try_into().unwrap(), sealer, known.clone(), String::new());
        let other = Service::OtherHub("@mls:elsewhere".to_owned());
        let control = rooms.with(&other).unwrap();
        assert!(Arc::ptr_eq(&control, &rooms.with(&other).unwrap()));
        assert_eq!((control.whom().as_str(), rooms.known()), ("@mls:elsewhere", known));
        assert!(rooms.take_others(false).is_empty());
        assert!(Arc::ptr_eq(&control, &rooms.with(&other).unwrap()));
        control.answered("r1");
        rooms.take_others(false);
        assert!(!Arc::ptr_eq(&control, &rooms.with(&other).unwrap()), "another one");
        assert!(rooms.with(&Service::OtherHub("no user".to_owned())).is_err());
        for one in 0..OTHER_HUBS_MAX {
            rooms.with(&Service::OtherHub(format!("@mls:elsewhere{one}"))).unwrap();
        }
        assert_eq!(lock(&rooms.others).len(), OTHER_HUBS_MAX);
    }
}
