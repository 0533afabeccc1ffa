//! A room's message, live or out of its archive, in one form.

use minidom::Element;

use super::Incoming;
use crate::mapping::namespace::{CLIENT, FORWARD, MUC_USER};
use crate::mapping::stanza::{bare, delayed_since};
use crate::mapping::{affiliation, hints};

/// A message of a room.
#[derive(Clone, Debug)]
pub(crate) struct RoomMessage {
    /// The archive's id of it; its place in the room's one order.
    pub(crate) id: Option<String>,
    /// The bare JID of its sender, as the room says.
    pub(crate) sender: Option<String>,
    /// When the room got it, in milliseconds since 1970, if it says so.
    pub(crate) sent_ms: Option<u64>,
    /// The message itself.
    pub(crate) stanza: Element,
}

impl RoomMessage {
    /// As it came live.
    pub(crate) fn live(incoming: Incoming) -> Self {
        let room = bare(incoming.stanza.attr("from").unwrap_or_default()).to_owned();
        Self {
            id: hints::stanza_id(&incoming.stanza, &room),
            sender: incoming.sender,
            sent_ms: delayed_since(&incoming.stanza),
            stanza: incoming.stanza,
        }
    }

    /// Out of a result of the room's archive (XEP-0313 4.2).
    pub(crate) fn archived(result: &Element) -> Option<Self> {
        let forwarded = result.get_child("forwarded", FORWARD)?;
        let stanza = forwarded.get_child("message", CLIENT)?;
        Some(Self {
            id: result.attr("id").map(str::to_owned),
            sender: archived_sender(stanza),
            sent_ms: delayed_since(forwarded),
            stanza: stanza.clone(),
        })
    }
}

/// The room adds whom it saw; a sender may have put the same element there before. Where two
/// disagree, nobody is believed.
fn archived_sender(message: &Element) -> Option<String> {
    let told = message.children().filter(|child| child.is("x", MUC_USER));
    let mut jids = told.filter_map(|x| {
        let holder = Element::builder("message", CLIENT).append(x.clone()).build();
        affiliation::told(&holder).map(|standing| standing.jid)
    });
    let jid = jids.next()?;
    jids.all(|other| other == jid).then_some(jid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archived(xs: &str) -> Option<String> {
        let result = format!(
            "<result xmlns='urn:xmpp:mam:2' id='7'><forwarded xmlns='urn:xmpp:forward:0'>\
             <delay xmlns='urn:xmpp:delay' stamp='1970-01-01T00:00:02Z'/>\
             <message xmlns='jabber:client' from='r@m/nick' type='groupchat'>{xs}</message>\
             </forwarded></result>"
        );
        let message = RoomMessage::archived(&result.parse().unwrap()).unwrap();
        assert_eq!((message.id.as_deref(), message.sent_ms), (Some("7"), Some(2000)));
        message.sender
    }

    fn x(jid: &str) -> String {
        format!(
            "<x xmlns='http://jabber.org/protocol/muc#user'>\
             <item affiliation='member' jid='{jid}'/></x>"
        )
    }

    #[test]
    fn the_sender_is_whom_the_room_names_and_nobody_if_the_sender_names_another() {
        assert_eq!(archived(&x("a@x.test/r")).as_deref(), Some("a@x.test"));
        assert_eq!(archived(&format!("{}{}", x("hub@mls"), x("a@x.test"))), None);
        assert_eq!(archived(""), None);
    }
}
