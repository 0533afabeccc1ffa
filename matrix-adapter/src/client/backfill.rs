//! Events that a limited timeline left out, read back by `/messages` up to a bound.

use matrix_sdk::Client;
use mls_core::delivery::DeliveryError;
use ruma::api::client::filter::RoomEventFilter;
use ruma::api::client::message::get_message_events::v3 as get_messages;
use ruma::{OwnedRoomId, uint};

use super::{delivery_error, parse_event, sync_filter};
use crate::mapping::room_event::RoomEvent;

/// Pages read of one room; beyond, the hub fills the gaps of handshakes, and the gaps of messages
/// are seen by their senders' generations.
const PAGES_MAX: usize = 50;
/// Pages read of a room in the first answer of all, when nothing can have been missed.
const FIRST_PAGES_MAX: usize = 3;

/// Where reading back ends.
pub(super) enum Until {
    /// Where the last batch ended.
    Since(String),
    /// As far as may be: the account was not in the room then, or that cannot be told.
    Open,
    /// Not far: this is the first batch of all.
    First,
}

/// What is missing before `prev_batch`, the oldest first. A room that cannot be read costs that
/// room only.
pub(super) async fn missing_events(
    client: &Client,
    room: &OwnedRoomId,
    prev_batch: String,
    until: Until,
) -> Result<Vec<RoomEvent>, DeliveryError> {
    let (to, pages) = match until {
        Until::Since(since) => (Some(since), PAGES_MAX),
        Until::Open => (None, PAGES_MAX),
        Until::First => (None, FIRST_PAGES_MAX),
    };
    let mut newest_first = Vec::new();
    let mut from = Some(prev_batch);
    for _ in 0..pages {
        let Some(start) = from.take() else { break };
        let mut request = get_messages::Request::backward(room.clone()).from(start);
        request.to = to.clone();
        request.limit = uint!(100);
        request.filter = filter();
        let page = client.send(request).await;
        let page = match page.map_err(|e| delivery_error(&format!("reading back {room}"), &e)) {
            Err(DeliveryError::Refused { why }) => {
                tracing::warn!(%room, why, "a room cannot be read back");
                break;
            }
            page => page?,
        };
        newest_first.extend(page.chunk.iter().filter_map(|raw| parse_event(raw.json().get())));
        from = page.end;
    }
    if from.is_some() {
        tracing::warn!(%room, pages, "the room has more events than are read back");
    }
    newest_first.reverse();
    Ok(newest_first)
}

fn filter() -> RoomEventFilter {
    let mut filter = RoomEventFilter::default();
    filter.types = Some(sync_filter::message_types());
    filter.lazy_load_options =
        ruma::api::client::filter::LazyLoadOptions::Enabled { include_redundant_members: false };
    filter
}
