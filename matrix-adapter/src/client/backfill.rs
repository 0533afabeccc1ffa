//! Events that a limited timeline left out, read back by `/messages` up to a bound.

use matrix_sdk::Client;
use mls_core::delivery::DeliveryError;
use ruma::api::client::filter::RoomEventFilter;
use ruma::api::client::message::get_message_events::v3 as get_messages;
use ruma::{OwnedRoomId, uint};

use super::{delivery_error, parse_event, sync_filter};
use crate::mapping::room_event::RoomEvent;

/// Pages read of a room that this account was in; beyond, the hub fills the gaps of
/// handshakes, and the gaps of messages are seen by their senders' generations.
const FOLLOWED_PAGES_MAX: usize = 50;
/// Pages read of a room that is new to this account.
const NEW_PAGES_MAX: usize = 3;

/// What is missing before `prev_batch`, the oldest first. `since` is where the last batch ended,
/// if this account was in the room then.
pub(super) async fn missing_events(
    client: &Client,
    room: &OwnedRoomId,
    prev_batch: String,
    since: Option<String>,
) -> Result<Vec<RoomEvent>, DeliveryError> {
    let pages = if since.is_some() { FOLLOWED_PAGES_MAX } else { NEW_PAGES_MAX };
    let mut newest_first = Vec::new();
    let mut from = Some(prev_batch);
    for _ in 0..pages {
        let Some(start) = from.take() else { break };
        let mut request = get_messages::Request::backward(room.clone()).from(start);
        request.to = since.clone();
        request.limit = uint!(100);
        request.filter = filter();
        let page = client.send(request).await;
        let page = page.map_err(|e| delivery_error(&format!("reading back {room}"), &e))?;
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
