//! XML that somebody else wrote, or changed.

use minidom::Element;
use proptest::collection::vec;
use proptest::prelude::*;
use xmpp_adapter::mapping::namespace as ns;

const NAMESPACES: [&str; 12] = [
    ns::MLS_BRIDGE,
    ns::CLIENT,
    ns::STANZA_ERRORS,
    ns::MUC_USER,
    ns::MUC_ADMIN,
    ns::MUC_OWNER,
    ns::PUBSUB,
    ns::DATA_FORMS,
    ns::DISCO_INFO,
    ns::CONFERENCE,
    ns::DELAY,
    "urn:example:other",
];

/// Any element, of names that mean something to us and others.
pub(crate) fn any_element() -> impl Strategy<Value = Element> {
    let leaf = (name(), prop::sample::select(NAMESPACES.to_vec()), attributes(), value()).prop_map(
        |(name, namespace, attributes, text)| {
            let mut element = Element::bare(name, namespace);
            for (name, value) in attributes {
                set(&mut element, &name, &value);
            }
            element.append_text(text);
            element
        },
    );
    leaf.prop_recursive(4, 24, 5, |inner| {
        (inner.clone(), vec(inner, 0..5)).prop_map(|(mut element, children)| {
            for child in children {
                element.append_child(child);
            }
            element
        })
    })
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "iq|message|presence|error|item|items|x|query|pubsub|field|value|delay|feature|blob",
        "handshake|welcome|receipt|tree|message|application|mls|hub-info|submit-commit|client",
        "not-allowed|missing-proposals|proposal|wrong-epoch|key-packages|key-package|user|suite",
        "[a-z][a-z-]{0,8}",
    ]
}

fn attributes() -> impl Strategy<Value = Vec<(String, String)>> {
    let name = prop_oneof![
        "id|type|from|to|group|epoch|seq|size|sha-256|offset|client|user|outcome|device|room",
        "jid|affiliation|network|current|max|retry-after-ms|stamp|var|reason|node|code",
    ];
    vec((name, value()), 0..6)
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9]{0,21}|-1|true|false|error|result|get|set|member|owner|one-time|matrix|xmpp",
        "[0-9a-f]{0,64}|[A-Za-z0-9+/]{0,20}={0,2}|[a-z]{1,4}@[a-z.]{1,6}(/[a-z]{1,3})?",
        "[0-9]{1,6}-[0-9]{1,2}-[0-9]{1,2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z|\\PC{0,12}",
    ]
}

/// Sets an attribute.
fn set(element: &mut Element, name: &str, value: &str) {
    let name = rxml::NcName::try_from(name).unwrap();
    element.attrs_mut().insert(rxml::Namespace::NONE, name, value.to_owned());
}

/// Characters of a stanza's text, replaced or taken away; what no longer is XML is left out.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    at: prop::sample::Index,
    length: usize,
    by: String,
}

/// A change.
pub(crate) fn change() -> impl Strategy<Value = Change> {
    let by = "[0-9a-zA-Z=/+ -]{0,4}|\\PC{0,3}";
    (any::<prop::sample::Index>(), 0..12usize, by).prop_map(|(at, length, by)| Change {
        at,
        length,
        by,
    })
}

impl Change {
    /// The element, changed, if it is one still.
    pub(crate) fn done_to(&self, element: &Element) -> Option<Element> {
        let text: Vec<char> = String::from(element).chars().collect();
        let from = self.at.index(text.len());
        let until = (from + self.length).min(text.len());
        let before = text[..from].iter().copied();
        let changed: String =
            before.chain(self.by.chars()).chain(text[until..].iter().copied()).collect();
        changed.parse().ok()
    }
}
