//! The wire as XML, in stanzas of XMPP.

use minidom::Element;
use mls_core::hub::Reply;
use mls_core::limits::{NAME_BYTES_MAX, SENTENCE_CHARS_MAX};
use mls_core::wire::refusal::Refusal;
use proptest::prelude::*;
use xmpp_adapter::mapping::application_message::{self, Application};
use xmpp_adapter::mapping::stanza::{self, StanzaError};
use xmpp_adapter::mapping::{
    affiliation, hints, invitation, iq, key_package, notice_from_message, notice_message,
    request_from_xml, request_to_xml, room_config,
};

use crate::requests::id;
use crate::stanzas::{any_element, change};
use crate::values::{bytes, checkpoint, group};
use crate::{answers, requests};

/// As a server passes it on.
fn through_text(element: &Element) -> Element {
    String::from(element).parse().unwrap()
}

fn read_by_all(element: &Element) {
    let _ = request_from_xml(element);
    let _ = notice_from_message(element);
    let _ = application_message::from_message(element);
    let _ = iq::read_answer(element);
    let _ = StanzaError::of(element);
    let _ = invitation::from_message(element);
    let _ = key_package::from_items(element);
    let _ = affiliation::listed(element);
    let _ = affiliation::told(element);
    let _ = hints::sender_id(element);
    let _ = hints::stanza_id(element, "room@muc.test");
    let _ = stanza::delayed_since(element);
    let _ = room_config::filled(element, "name");
    let _ = room_config::lacks(element);
}

proptest! {
    #[test]
    fn every_request_comes_back(id in id(), said in requests::request()) {
        let stanza = through_text(&iq::request("hub.test", &id, &said));
        prop_assert_eq!(stanza.attr("id"), Some(id.as_str()));
        prop_assert_eq!(request_from_xml(stanza.children().next().unwrap()), Ok(said));
    }

    #[test]
    fn every_answer_comes_back(
        id in id(), said in answers::reply()
    ) {
        let stanza = through_text(&iq::answer("hub.test", "a@b.test/c", &id, &said));
        prop_assert_eq!(iq::read_answer(&stanza), Ok(said));
    }

    #[test]
    fn every_notice_comes_back(id in id(), said in answers::notice()) {
        let stanza = through_text(&notice_message("a@b.test", &id, &said));
        prop_assert_eq!(notice_from_message(&stanza), Ok(said));
    }

    #[test]
    fn every_application_message_and_key_package_comes_back(
        id in id(), group in group(), epoch: u64, message in bytes(), checkpoint in checkpoint(),
        reference in bytes()
    ) {
        let said = Application { group, epoch, message: message.clone(), checkpoint };
        let stanza = through_text(&application_message::message("r@muc.test", &id, &said));
        prop_assert_eq!(application_message::from_message(&stanza), Ok(said));
        let published = key_package::publish(&id, &reference, &message);
        let item = published.children().next().unwrap().children().next().unwrap().clone();
        let mut items = Element::bare("items", item.ns());
        let mut pubsub = Element::bare("pubsub", item.ns());
        items.append_child(item);
        pubsub.append_child(items);
        let result = through_text(&stanza::iq("result", "a@b.test", "1", pubsub));
        prop_assert_eq!(key_package::from_items(&result), vec![(id, message)]);
    }

    #[test]
    fn a_sentence_of_any_length_is_read_as_far_as_it_may_go(text in "\\PC{1000,2000}") {
        let reply = Reply::Refused(Refusal::InvalidCommit(text.clone()));
        let stanza = through_text(&iq::answer("hub.test", "a@b.test/c", "1", &reply));
        let Ok(Reply::Refused(Refusal::InvalidCommit(read))) = iq::read_answer(&stanza) else {
            return Err(TestCaseError::fail("the refusal cannot be read"));
        };
        let beginning: String = text.chars().take(NAME_BYTES_MAX + SENTENCE_CHARS_MAX).collect();
        prop_assert_eq!(read, beginning);
    }

    #[test]
    fn no_element_makes_a_reader_panic(element in any_element()) {
        read_by_all(&element);
        for child in element.children() {
            read_by_all(child);
        }
    }

    #[test]
    fn a_changed_stanza_is_refused_or_read_as_what_it_says(
        said in requests::request(), heard in answers::reply(), told in answers::notice(),
        change in change()
    ) {
        if let Some(element) = change.done_to(&request_to_xml(&said)) {
            read_by_all(&element);
            if let Ok(read) = request_from_xml(&element) {
                prop_assert_eq!(request_from_xml(&request_to_xml(&read)), Ok(read));
            }
        }
        let answer = |reply: &Reply| iq::answer("hub.test", "a@b.test/c", "1", reply);
        if let Some(element) = change.done_to(&answer(&heard)) {
            read_by_all(&element);
            if let Ok(read) = iq::read_answer(&element) {
                prop_assert_eq!(iq::read_answer(&answer(&read)), Ok(read));
            }
        }
        if let Some(message) = change.done_to(&notice_message("a@b.test", "1", &told)) {
            read_by_all(&message);
        }
    }
}
