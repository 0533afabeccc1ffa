//! Events that a limited timeline left out, read back by `/messages` up to a bound.

use std::collections::HashSet;

use matrix_sdk::{Client, HttpError};
use mls_core::delivery::DeliveryError;
use ruma::OwnedRoomId;
use ruma::api::client::filter::RoomEventFilter;
use ruma::api::client::message::get_message_events::v3 as get_messages;

use super::{delivery_error, parse_event, sync_filter};
use crate::mapping::room_event::RoomEvent;

/// Pages read back to the last batch; beyond, the hub fills the gaps of handshakes, and the gaps
/// of messages are seen by their senders' generations.
const FOLLOWED_PAGES_MAX: usize = 50;
/// Pages read of what a room had before this account came in: a Welcome may be older than that.
const NEW_PAGES_MAX: usize = 3;
/// Events of one page.
const PAGE_EVENTS: u16 = 100;

/// What is missing before `prev_batch`, the oldest first, each once: all back to `since`, where
/// the last batch ended; and some that are older, in a room that is new to this account.
pub(super) async fn missing_events(
    client: &Client,
    room: &OwnedRoomId,
    prev_batch: String,
    since: Option<&str>,
    is_new: bool,
) -> Result<Vec<RoomEvent>, DeliveryError> {
    let mut pages = Pages { client, room, from: prev_batch, newest_first: Vec::new() };
    let failed = |e: &HttpError| delivery_error(&format!("reading back {room}"), e);
    if since.is_some() {
        pages.read(since, FOLLOWED_PAGES_MAX).await.map_err(|e| failed(&e))?;
    }
    if is_new {
        pages.read(None, NEW_PAGES_MAX).await.map_err(|e| failed(&e))?;
    }
    let mut events = pages.newest_first;
    let mut ids = HashSet::new();
    events.retain(|event| ids.insert(event.event_id.clone()));
    events.reverse();
    Ok(events)
}

struct Pages<'a> {
    client: &'a Client,
    room: &'a OwnedRoomId,
    from: String,
    newest_first: Vec<RoomEvent>,
}

impl Pages<'_> {
    /// Reads on back, as far as `to` or the room's beginning; the last page may come again.
    async fn read(&mut self, to: Option<&str>, max: usize) -> Result<(), HttpError> {
        for _ in 0..max {
            let mut request =
                get_messages::Request::backward(self.room.clone()).from(self.from.clone());
            request.to = to.map(str::to_owned);
            request.limit = PAGE_EVENTS.into();
            request.filter = filter();
            let page = self.client.send(request).await?;
            let events = page.chunk.iter();
            self.newest_first.extend(events.filter_map(|raw| parse_event(raw.json().get())));
            let Some(end) = page.end else { return Ok(()) };
            self.from = end;
        }
        let room = self.room;
        tracing::warn!(%room, pages = max, "the room has more events than are read back");
        Ok(())
    }
}

fn filter() -> RoomEventFilter {
    let mut filter = RoomEventFilter::default();
    filter.types = Some(sync_filter::message_types());
    filter.lazy_load_options =
        ruma::api::client::filter::LazyLoadOptions::Enabled { include_redundant_members: false };
    filter
}
