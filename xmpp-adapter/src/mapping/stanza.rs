//! Stanzas (RFC 6120 8): how we write them, and how their errors read.

use std::fmt;

use minidom::Element;

use super::element::Build;
use super::namespace::{CLIENT, DELAY, STANZA_ERRORS};

/// A stanza error (RFC 6120 8.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StanzaError {
    /// `auth`, `cancel`, `continue`, `modify` or `wait`.
    pub kind: String,
    /// The defined condition, such as `item-not-found`.
    pub condition: String,
    /// What the other side says to people.
    pub text: Option<String>,
}

impl fmt::Display for StanzaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.text {
            Some(text) => write!(f, "{} ({text})", self.condition),
            None => f.write_str(&self.condition),
        }
    }
}

impl StanzaError {
    /// An error without text.
    pub fn new(kind: &str, condition: &str) -> Self {
        Self { kind: kind.to_owned(), condition: condition.to_owned(), text: None }
    }

    /// With a sentence for people.
    #[must_use]
    pub fn saying(mut self, text: impl Into<String>) -> Self {
        self.text = Some(text.into());
        self
    }

    /// The error in a stanza of type `error`; an error without a condition is `undefined-condition`.
    pub fn of(stanza: &Element) -> Option<Self> {
        if stanza.attr("type") != Some("error") {
            return None;
        }
        let Some(error) = stanza.get_child("error", CLIENT) else {
            return Some(Self::new("cancel", "undefined-condition"));
        };
        let condition = error.children().find(|e| e.has_ns(STANZA_ERRORS) && e.name() != "text");
        Some(Self {
            kind: error.attr("type").unwrap_or("cancel").to_owned(),
            condition: condition.map_or("undefined-condition", Element::name).to_owned(),
            text: error.get_child("text", STANZA_ERRORS).map(Element::text),
        })
    }

    /// The `<error/>` element.
    pub fn to_xml(&self) -> Element {
        let text = self.text.iter().map(|text| Element::bare("text", STANZA_ERRORS).saying(text));
        Element::bare("error", CLIENT)
            .with("type", &self.kind)
            .holding(Element::bare(&*self.condition, STANZA_ERRORS))
            .holding_all(text)
    }

    /// Whether the same may well succeed a little later: the other side says so, or the path to
    /// it is broken, or it is not there now. Prosody says `service-unavailable` or
    /// `item-not-found` while a module or a host is loaded anew.
    pub fn is_passing(&self) -> bool {
        self.kind == "wait"
            || matches!(
                &*self.condition,
                "remote-server-timeout"
                    | "remote-server-not-found"
                    | "internal-server-error"
                    | "resource-constraint"
                    | "recipient-unavailable"
                    | "service-unavailable"
                    | "item-not-found"
            )
    }

    /// Whether a room that we want to enter says so that it is gone, or that we may not be in it
    /// (XEP-0045 7.2.6, 7.2.7 and 10.9); all else may pass.
    pub fn shuts_out(&self) -> bool {
        self.kind != "wait"
            && matches!(&*self.condition, "gone" | "forbidden" | "registration-required")
    }
}

/// A message.
pub fn message(kind: &str, to: &str, id: &str) -> Element {
    Element::bare("message", CLIENT).with("type", kind).with("to", to).with("id", id)
}

/// A request; `kind` is `get` or `set`.
pub fn iq(kind: &str, to: &str, id: &str, payload: Element) -> Element {
    let iq = Element::bare("iq", CLIENT).with("type", kind).with("to", to).with("id", id);
    iq.holding(payload)
}

/// The answer to a request, from whom it was sent to.
pub fn result(request: &Element, payload: Option<Element>) -> Element {
    reply(request, "result").holding_all(payload)
}

/// The refusal of a stanza, from whom it was sent to.
pub fn refusal(stanza: &Element, error: &StanzaError) -> Element {
    reply(stanza, "error").holding(error.to_xml())
}

fn reply(stanza: &Element, kind: &str) -> Element {
    let mut reply = Element::bare(stanza.name(), CLIENT).with("type", kind);
    for (name, other) in [("to", "from"), ("from", "to"), ("id", "id")] {
        if let Some(value) = stanza.attr(other) {
            reply = reply.with(name, value);
        }
    }
    reply
}

/// When a message was first sent, in milliseconds since 1970, if it says so (XEP-0203).
pub fn delayed_since(holder: &Element) -> Option<u64> {
    let stamp = holder.get_child("delay", DELAY)?.attr("stamp")?;
    let time: xmpp_parsers::date::DateTime = stamp.parse().ok()?;
    u64::try_from(time.0.timestamp_millis()).ok()
}

/// An address without its resource.
pub fn bare(jid: &str) -> &str {
    jid.split_once('/').map_or(jid, |(bare, _)| bare)
}

/// The part of an address after the first `/`.
pub fn resource(jid: &str) -> Option<&str> {
    jid.split_once('/').map(|(_, resource)| resource)
}

/// The domain of an address.
pub fn domain(jid: &str) -> &str {
    let bare = bare(jid);
    bare.split_once('@').map_or(bare, |(_, domain)| domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_comes_apart_at_its_first_separators() {
        for (jid, expected) in [
            ("a@b.test/c/d@e", ("a@b.test", Some("c/d@e"), "b.test")),
            ("b.test", ("b.test", None, "b.test")),
            ("b.test/x@y", ("b.test", Some("x@y"), "b.test")),
        ] {
            assert_eq!((bare(jid), resource(jid), domain(jid)), expected, "{jid}");
        }
    }

    #[test]
    fn a_refusal_goes_back_the_way_the_request_came() {
        let request =
            iq("get", "hub.test", "1", Element::bare("x", "y")).with("from", "a@b.test/c");
        let error = StanzaError::new("wait", "resource-constraint").saying("later");
        let refusal = refusal(&request, &error);
        assert_eq!(refusal.attr("to"), Some("a@b.test/c"));
        assert_eq!(refusal.attr("from"), Some("hub.test"));
        assert_eq!(StanzaError::of(&refusal), Some(error));
        assert_eq!(StanzaError::of(&request), None);
    }

    #[test]
    fn a_delay_reads_in_milliseconds() {
        let delay = Element::bare("delay", DELAY).with("stamp", "1970-01-01T00:00:01.5Z");
        let holder = Element::bare("forwarded", "f").holding(delay);
        assert_eq!(delayed_since(&holder), Some(1500));
        assert_eq!(delayed_since(&Element::bare("forwarded", "f")), None);
    }
}
