//! An XML stream of stanzas (RFC 6120 4) over any connection: bad stanzas are skipped, not fatal.
//!
//! Inside this crate every stanza is in `jabber:client`; a component's own namespace is rewritten
//! here, at the edge.

mod reader;

pub(crate) use reader::{Frame, StanzaReader};

use minidom::{Element, Node};

use crate::mapping::namespace::{CLIENT, STREAM_ERRORS};

/// A stanza as text, with `jabber:client` replaced by the stream's own namespace.
pub(crate) fn to_text(stanza: &Element, stream_namespace: &str) -> Result<String, minidom::Error> {
    let mut text = Vec::new();
    if stream_namespace == CLIENT {
        stanza.write_to(&mut text)?;
    } else {
        renamed(stanza, stream_namespace).write_to(&mut text)?;
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// The stanza and those of its children that are in the default namespace, not what is forwarded.
fn renamed(element: &Element, namespace: &str) -> Element {
    let mut copy = Element::bare(element.name(), namespace);
    *copy.attrs_mut() = element.attrs().clone();
    for node in element.nodes() {
        match node {
            Node::Element(child) if child.has_ns(CLIENT) => {
                copy.append_child(renamed(child, namespace));
            }
            Node::Element(child) => {
                copy.append_child(child.clone());
            }
            Node::Text(text) => copy.append_text(text),
        }
    }
    copy
}

/// What a stream error says (RFC 6120 4.9): condition and text.
pub(crate) fn stream_error(error: &Element) -> String {
    let condition = error.children().find(|e| e.has_ns(STREAM_ERRORS) && e.name() != "text");
    let condition = condition.map_or("undefined-condition", Element::name);
    match error.get_child("text", STREAM_ERRORS) {
        Some(text) => format!("{condition} ({})", text.text()),
        None => condition.to_owned(),
    }
}
