//! What a room holds after the last event that we know to be stored, by `/messages` (Matrix
//! client-server API, 10.4), the oldest page first.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mls_core::limits::ANSWER_KEEP_MS;
use reqwest::Method;
use serde_json::{Value, json};

use super::homeserver::{Homeserver, HomeserverRequest};
use super::homeserver_error::HomeserverError;
use crate::mapping::namespace::{REQUEST, ROOM_ENCRYPTED, ROOM_MEMBER};
use crate::mapping::room_event::RoomEvent;

/// Events that are asked for at once.
const PAGE: usize = 100;
/// Pages that are read of one room; what lies before them is given up, and said.
const PAGES_MAX: usize = 100;

/// The end of a room: what came after the event that was looked for.
///
/// In Matrix's own order: of two events that two servers sent at the same time, one that came
/// late may stand before one that is stored. A homeserver gives its own in order.
pub(super) struct RoomEnd<'a> {
    homeserver: &'a Homeserver,
    room: &'a str,
    /// The events of the oldest page, while it is not taken.
    oldest: Option<Vec<RoomEvent>>,
    /// Where the newer pages begin, the newest first.
    newer: Vec<String>,
}

/// Where to stop on the way back.
#[derive(Clone, Copy)]
enum Stop<'a> {
    /// At this event.
    Event(&'a str),
    /// At events from before this time, in milliseconds since 1970: nobody waits for an answer
    /// to them any more.
    Time(u64),
}

/// One page backwards.
struct Page {
    /// The oldest first, without those at which to stop and before.
    events: Vec<RoomEvent>,
    /// Where it begins.
    start: Option<String>,
    /// Where the next one begins, if there is more to read.
    next: Option<String>,
}

impl<'a> RoomEnd<'a> {
    /// Finds the event `after`, or, where none is known, the events of the last day. Only places
    /// are kept on the way back, so that a long end takes no memory.
    pub(super) async fn find(
        homeserver: &'a Homeserver,
        room: &'a str,
        after: Option<&str>,
    ) -> Result<Self, HomeserverError> {
        let stop = after.map_or_else(|| Stop::Time(a_day_ago()), Stop::Event);
        let mut end = Self { homeserver, room, oldest: None, newer: Vec::new() };
        let mut page = end.page(None, stop).await?;
        while let (Some(start), Some(next)) = (page.start.take(), page.next.take()) {
            if end.newer.len() >= PAGES_MAX {
                tracing::warn!(room, pages = PAGES_MAX, "a room has more than is read back");
                break;
            }
            end.newer.push(start);
            page = end.page(Some(next), stop).await?;
        }
        end.oldest = Some(page.events);
        Ok(end)
    }

    /// The next page, the oldest event first; nothing after the last one.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<RoomEvent>>, HomeserverError> {
        if let Some(oldest) = self.oldest.take() {
            return Ok(Some(oldest));
        }
        let Some(start) = self.newer.pop() else { return Ok(None) };
        Ok(Some(self.page(Some(start), Stop::Time(0)).await?.events))
    }

    async fn page(&self, from: Option<String>, stop: Stop<'_>) -> Result<Page, HomeserverError> {
        let path = ["_matrix", "client", "v3", "rooms", self.room, "messages"];
        let filter = json!({ "types": [REQUEST, ROOM_ENCRYPTED, ROOM_MEMBER] });
        let mut request = HomeserverRequest::new(Method::GET, &path)
            .by_account(self.homeserver.hub())
            .query("dir", "b".to_owned())
            .query("limit", PAGE.to_string())
            .query("filter", filter.to_string());
        if let Some(from) = from {
            request = request.query("from", from);
        }
        Ok(Page::read(self.homeserver.send(request).await?, stop))
    }
}

impl Page {
    /// Malformed events are left out.
    fn read(mut answer: Value, stop: Stop<'_>) -> Self {
        let chunk = match answer.get_mut("chunk").map(Value::take) {
            Some(Value::Array(chunk)) => chunk,
            _ => Vec::new(),
        };
        let events = chunk.into_iter().filter_map(|e| serde_json::from_value::<RoomEvent>(e).ok());
        let mut stopped = false;
        let mut events: Vec<RoomEvent> = events
            .take_while(|event| {
                stopped = stop.is_at(event);
                !stopped
            })
            .collect();
        events.reverse();
        let place = |name| answer.get(name).and_then(Value::as_str).map(str::to_owned);
        Self { events, start: place("start"), next: place("end").filter(|_| !stopped) }
    }
}

impl Stop<'_> {
    fn is_at(self, event: &RoomEvent) -> bool {
        match self {
            Self::Event(id) => event.event_id == id,
            Self::Time(ms) => event.origin_server_ts < ms,
        }
    }
}

/// In milliseconds since 1970.
fn a_day_ago() -> u64 {
    let then = SystemTime::now() - Duration::from_millis(ANSWER_KEEP_MS);
    let since = then.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(stop: Stop<'_>) -> (Vec<String>, Option<String>) {
        let event = |n: u64| {
            let id = format!("${n}");
            json!({"type": "t", "sender": "@a:b", "event_id": id, "origin_server_ts": n})
        };
        let chunk = json!([event(9), {"type": 1}, event(8), event(7)]);
        let page = Page::read(json!({"chunk": chunk, "start": "s", "end": "e"}), stop);
        assert_eq!(page.start.as_deref(), Some("s"));
        (page.events.into_iter().map(|event| event.event_id).collect(), page.next)
    }

    #[test]
    fn a_page_ends_where_it_is_to_stop_and_malformed_events_do_not_end_it() {
        let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        assert_eq!(page(Stop::Event("$1")), (ids(&["$7", "$8", "$9"]), Some("e".to_owned())));
        assert_eq!(page(Stop::Event("$7")), (ids(&["$8", "$9"]), None));
        assert_eq!(page(Stop::Event("$9")), (ids(&[]), None));
        assert_eq!(page(Stop::Time(8)), (ids(&["$8", "$9"]), None));
        assert_eq!(page(Stop::Time(0)), (ids(&["$7", "$8", "$9"]), Some("e".to_owned())));
    }
}
