//! What a room holds after the last event that we know to be stored, by `/messages` (Matrix
//! client-server API, 10.4).

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

/// The end of a room.
pub(super) struct End {
    /// What came after the event that was looked for, the oldest first.
    pub(super) events: Vec<RoomEvent>,
    /// The last event, if the room holds any of those that can concern us.
    pub(super) last: Option<String>,
}

/// The events of a room after the event `after`, or all if there is none or it is not found.
///
/// In Matrix's own order: of two events that two servers sent at the same time, one that came
/// late may stand before one that is stored. A homeserver gives its own in order.
pub(super) async fn end_of(
    homeserver: &Homeserver,
    room: &str,
    after: Option<&str>,
) -> Result<End, HomeserverError> {
    let mut newest_first: Vec<RoomEvent> = Vec::new();
    let mut from = None;
    for _ in 0..PAGES_MAX {
        let (events, next) = page(homeserver, room, from).await?;
        let found = events.iter().position(|event| Some(&*event.event_id) == after);
        newest_first.extend(events.into_iter().take(found.unwrap_or(usize::MAX)));
        match next {
            Some(next) if found.is_none() => from = Some(next),
            _ => return Ok(End::of(newest_first, after.filter(|_| found.is_some()))),
        }
    }
    tracing::warn!(room, events = newest_first.len(), "a room has more events than are read back");
    Ok(End::of(newest_first, None))
}

impl End {
    fn of(mut events: Vec<RoomEvent>, found: Option<&str>) -> Self {
        let last = events.first().map(|event| event.event_id.clone());
        events.reverse();
        Self { events, last: last.or(found.map(str::to_owned)) }
    }
}

/// One page backwards, and where the next one begins; malformed events are left out.
async fn page(
    homeserver: &Homeserver,
    room: &str,
    from: Option<String>,
) -> Result<(Vec<RoomEvent>, Option<String>), HomeserverError> {
    let path = ["_matrix", "client", "v3", "rooms", room, "messages"];
    let filter = json!({ "types": [REQUEST, ROOM_ENCRYPTED, ROOM_MEMBER] });
    let mut request = HomeserverRequest::new(Method::GET, &path)
        .by_account(homeserver.hub())
        .query("dir", "b".to_owned())
        .query("limit", PAGE.to_string())
        .query("filter", filter.to_string());
    if let Some(from) = from {
        request = request.query("from", from);
    }
    let mut answer = homeserver.send(request).await?;
    let events = match answer.get_mut("chunk").map(Value::take) {
        Some(Value::Array(events)) => events,
        _ => Vec::new(),
    };
    let next = answer.get("end").and_then(Value::as_str).map(str::to_owned);
    Ok((events.into_iter().filter_map(|event| serde_json::from_value(event).ok()).collect(), next))
}
