//! A room's archive (XEP-0313), read page by page (XEP-0059).

use minidom::Element;

use super::room_message::RoomMessage;
use super::{Failure, Session, lock};
use crate::limits::{ARCHIVE_PAGE, ARCHIVE_SEARCH_PAGES};
use crate::mapping::namespace::{DATA_FORMS, MAM, RESULT_SETS};
use crate::mapping::{Build, hints, stanza};

/// Which page.
#[derive(Clone, Debug)]
pub(crate) enum Range {
    /// The first after this id, or of all.
    After(Option<String>),
    /// The last before this id, or of all.
    Before(Option<String>),
}

/// One page, the oldest message first.
#[derive(Debug)]
pub(crate) struct Page {
    /// The messages that can be read.
    pub(crate) messages: Vec<RoomMessage>,
    /// Id of the first item.
    pub(crate) first: Option<String>,
    /// Id of the last item.
    pub(crate) last: Option<String>,
    /// There are no more in this direction.
    pub(crate) complete: bool,
}

impl Session {
    /// Reads one page of a room's archive as `from`.
    pub(crate) async fn archive_page(
        &self,
        from: &str,
        room: &str,
        range: Range,
    ) -> Result<Page, Failure> {
        let id = self.fresh_id();
        lock(&self.0.waiting).open_page(&id, room);
        let iq = stanza::iq("set", room, &id, query(&id, &range)).with("from", from);
        let answer = self.ask_with(iq).await;
        let results = lock(&self.0.waiting).close_page(&id);
        let answer = answer?;
        let fin = answer.get_child("fin", MAM);
        let set = fin.and_then(|fin| fin.get_child("set", RESULT_SETS));
        let edge = |name| set.and_then(|set| set.get_child(name, RESULT_SETS)).map(Element::text);
        let complete = fin.is_none_or(|fin| fin.attr("complete") == Some("true"));
        Ok(Page {
            first: edge("first"),
            last: edge("last"),
            // A page without items has no more after it, whatever it says.
            complete: complete || edge("last").is_none(),
            messages: results.iter().filter_map(RoomMessage::archived).collect(),
        })
    }

    /// Looks from the end for an own message by its id; whether the room has it.
    pub(crate) async fn archive_has(
        &self,
        from: &str,
        room: &str,
        id: &str,
    ) -> Result<bool, Failure> {
        let own = stanza::bare(from);
        let mut before = None;
        for _ in 0..ARCHIVE_SEARCH_PAGES {
            let page = self.archive_page(from, room, Range::Before(before.take())).await?;
            let is_it = |message: &RoomMessage| {
                message.sender.as_deref() == Some(own)
                    && hints::sender_id(&message.stanza) == Some(id)
            };
            if page.messages.iter().any(is_it) {
                return Ok(true);
            }
            before = page.first;
            if page.complete || before.is_none() {
                return Ok(false);
            }
        }
        Ok(false)
    }
}

fn query(id: &str, range: &Range) -> Element {
    let value = Element::bare("value", DATA_FORMS).saying(MAM);
    let form_type = Element::bare("field", DATA_FORMS)
        .with("var", "FORM_TYPE")
        .with("type", "hidden")
        .holding(value);
    let form = Element::bare("x", DATA_FORMS).with("type", "submit").holding(form_type);
    let max = Element::bare("max", RESULT_SETS).saying(&ARCHIVE_PAGE.to_string());
    let named = |name, id: &str| Element::bare(name, RESULT_SETS).saying(id);
    let edge = match range {
        Range::After(after) => after.as_deref().map(|id| named("after", id)),
        Range::Before(before) => Some(named("before", before.as_deref().unwrap_or_default())),
    };
    let set = Element::bare("set", RESULT_SETS).holding(max).holding_all(edge);
    Element::bare("query", MAM).with("queryid", id).holding(form).holding(set)
}
