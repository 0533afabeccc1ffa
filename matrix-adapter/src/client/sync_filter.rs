//! The filter of /sync: events of this protocol, and those in clear that must be warned of.

use ruma::api::client::filter::{
    Filter, FilterDefinition, LazyLoadOptions, RoomEventFilter, RoomFilter,
};
use ruma::uint;

use crate::mapping::namespace::{
    ANSWER, HANDSHAKE, ROOM_ENCRYPTED, ROOM_ENCRYPTION, ROOM_MEMBER, ROOM_MESSAGE, STICKER,
};

/// The types of which none may be missed.
pub(super) fn message_types() -> Vec<String> {
    [HANDSHAKE, ANSWER, ROOM_ENCRYPTED, ROOM_ENCRYPTION, ROOM_MESSAGE, STICKER]
        .map(str::to_owned)
        .to_vec()
}

/// The whole filter. Memberships are wanted of the timeline, for Synapse leaves out a room that
/// was joined or left when nothing else of it passes the filter.
pub(super) fn definition() -> FilterDefinition {
    let mut timeline = RoomEventFilter::default();
    let mut types = message_types();
    types.push(ROOM_MEMBER.to_owned());
    timeline.types = Some(types);
    timeline.limit = Some(uint!(100));
    let mut state = RoomEventFilter::default();
    state.types = Some(vec![ROOM_MEMBER.to_owned(), ROOM_ENCRYPTION.to_owned()]);
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
