//! The last-resort key package of a device in its account's PEP node (XEP-0163), open to all.

use minidom::Element;

use super::element::{Build, Fields, Unread, bytes};
use super::namespace::{DATA_FORMS, KEY_PACKAGES_NODE, MLS_BRIDGE, PUBSUB, PUBSUB_PUBLISH_OPTIONS};

const NAME: &str = "key-package";

/// The payload that publishes a device's last-resort package; the item's id is the device's.
pub fn publish(device: &str, reference: &[u8], key_package: &[u8]) -> Element {
    let item = pubsub("item")
        .with("id", device)
        .holding(bytes(NAME, key_package).with("ref", hex::encode(reference)));
    let options = [
        ("pubsub#access_model", "open"),
        ("pubsub#max_items", "max"),
        ("pubsub#persist_items", "true"),
        ("pubsub#send_last_published_item", "never"),
    ];
    let form = Element::bare("x", DATA_FORMS)
        .with("type", "submit")
        .holding(field("FORM_TYPE", PUBSUB_PUBLISH_OPTIONS).with("type", "hidden"))
        .holding_all(options.map(|(name, value)| field(name, value)));
    pubsub("pubsub")
        .holding(pubsub("publish").with("node", KEY_PACKAGES_NODE).holding(item))
        .holding(pubsub("publish-options").holding(form))
}

/// The payload that asks an account for its devices' last-resort packages.
pub fn items() -> Element {
    pubsub("pubsub").holding(pubsub("items").with("node", KEY_PACKAGES_NODE))
}

/// Reads the answer to [`items`]: device and package of each item that can be read.
pub fn from_items(iq: &Element) -> Vec<(String, Vec<u8>)> {
    let items = iq.get_child("pubsub", PUBSUB).and_then(|p| p.get_child("items", PUBSUB));
    let items = items.into_iter().flat_map(Element::children);
    items.filter_map(|item| Some((item.attr("id")?.to_owned(), package(item).ok()?))).collect()
}

fn package(item: &Element) -> Result<Vec<u8>, Unread> {
    let package = item.get_child(NAME, MLS_BRIDGE).ok_or(Unread::NotMine)?;
    Ok(Fields::of(package)?.bytes()?)
}

fn pubsub(name: &str) -> Element {
    Element::bare(name, PUBSUB)
}

fn field(name: &str, value: &str) -> Element {
    let value = Element::bare("value", DATA_FORMS).saying(value);
    Element::bare("field", DATA_FORMS).with("var", name).holding(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_published_is_what_a_stranger_reads() {
        let published = publish("00112233445566ff", b"ref", b"package");
        let item = published.get_child("publish", PUBSUB).unwrap().children().next().unwrap();
        let answer = Element::bare("iq", "jabber:client").holding(pubsub("pubsub").holding(
            pubsub("items").holding(item.clone()).holding(pubsub("item").with("id", "broken")),
        ));
        let expected = vec![("00112233445566ff".to_owned(), b"package".to_vec())];
        assert_eq!(from_items(&answer), expected);
    }
}
