//! The filter of /sync: events of this protocol, and those in clear that must be warned of.

use ruma::api::client::filter::{
    Filter, FilterDefinition, LazyLoadOptions, RoomEventFilter, RoomFilter,
};
use ruma::uint;

use crate::mapping::namespace::{
    ANSWER, HANDSHAKE, ROOM_CREATE, ROOM_ENCRYPTED, ROOM_ENCRYPTION, ROOM_MEMBER, ROOM_MESSAGE,
    STICKER,
};

/// The types of which none may be missed.
pub(super) fn message_types() -> Vec<String> {
    [HANDSHAKE, ANSWER, ROOM_ENCRYPTED, ROOM_ENCRYPTION, ROOM_MESSAGE, STICKER]
        .map(str::to_owned)
        .to_vec()
}

/// The whole filter. Memberships are wanted of the timeline, for Synapse leaves out a room that
/// was joined or left when nothing else of it passes the filter. A room's first event comes only
/// in the whole state of a room, which is sent when this account was not in it at `since`.
pub(super) fn definition() -> FilterDefinition {
    let mut timeline = RoomEventFilter::default();
    let mut types = message_types();
    types.extend([ROOM_MEMBER, ROOM_CREATE].map(str::to_owned));
    timeline.types = Some(types);
    timeline.limit = Some(uint!(100));
    let mut state = RoomEventFilter::default();
    state.types = Some([ROOM_MEMBER, ROOM_ENCRYPTION, ROOM_CREATE].map(str::to_owned).to_vec());
    state.lazy_load_options = LazyLoadOptions::Enabled { include_redundant_members: false };
    let mut room = RoomFilter::default();
    room.timeline = timeline;
    room.state = state;
    room.ephemeral = RoomEventFilter::ignore_all();
    room.account_data = RoomEventFilter::ignore_all();
    let mut definition = FilterDefinition::default();
    definition.room = room;
    definition.presence = Filter::ignore_all();
    definition.account_data = Filter::ignore_all();
    definition
}
