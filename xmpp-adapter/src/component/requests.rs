//! Requests in our namespace: whose they are is what the server says, and nothing else.

use minidom::Element;
use mls_core::address::UserId;
use mls_core::hub::{Input, Reply, ReplyTo};
use mls_core::wire::refusal::Refusal;

use crate::mapping::namespace::MLS_BRIDGE;
use crate::mapping::stanza::{self, StanzaError, bare, domain};
use crate::mapping::{self, Unread, iq};

/// Bytes of a request's id.
const ID_BYTES_MAX: usize = 64;

/// What a request leads to.
#[derive(Debug)]
pub(super) enum Read {
    /// It is for the hub.
    Request(Box<Input>),
    /// It is answered with this at once.
    Answer(Element),
    /// It is none of ours.
    NotMine,
}

/// Reads an IQ of type `get` or `set`. `foreign` are domains that host no accounts: rooms, and
/// ourselves.
pub(super) fn read(stanza: &Element, hub: &str, foreign: &[&str]) -> Read {
    let Some(payload) = stanza.children().find(|child| child.has_ns(MLS_BRIDGE)) else {
        return Read::NotMine;
    };
    let (from, id) = (attr(stanza, "from"), attr(stanza, "id"));
    if attr(stanza, "to") != hub {
        let error = StanzaError::new("cancel", "item-not-found");
        return Read::Answer(stanza::refusal(stanza, &error.saying(format!("ask {hub}"))));
    }
    let refused = |refusal| Read::Answer(iq::answer(hub, from, id, &Reply::Refused(refusal)));
    if !bare(from).contains('@') || foreign.contains(&domain(from)) {
        let why = "a hub answers accounts only: ask from your own address, not through a room";
        return refused(Refusal::NotAllowed(why.to_owned()));
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if id.is_empty() || id.len() > ID_BYTES_MAX || !id.bytes().all(plain) {
        let why = "a request's id is 1 to 64 of A-Z a-z 0-9 - _";
        return refused(Refusal::Invalid(why.to_owned()));
    }
    let user = match UserId::xmpp(bare(from)) {
        Ok(user) => user,
        Err(error) => return refused(Refusal::Invalid(error.to_string())),
    };
    match mapping::request_from_xml(payload) {
        Ok(request) => {
            let reply_to = ReplyTo::Jid(from.to_owned());
            Read::Request(Box::new(Input::asked(user, reply_to, id.to_owned(), request)))
        }
        Err(Unread::Broken(broken)) => refused(Refusal::Invalid(broken.to_string())),
        Err(Unread::Unknown(_) | Unread::NotMine) => refused(Refusal::Unsupported),
    }
}

fn attr<'a>(stanza: &'a Element, name: &'a str) -> &'a str {
    stanza.attr(name).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use mls_core::wire::Request;

    use super::*;

    fn check(from: &str, id: &str, payload: &str) -> Read {
        let iq = format!(
            "<iq xmlns='jabber:client' type='get' id='{id}' from='{from}' to='mls.x.test'>\
             {payload}</iq>"
        );
        read(&iq.parse().unwrap(), "mls.x.test", &["conference.x.test", "mls.x.test"])
    }

    const HUB_INFO: &str = "<hub-info xmlns='urn:mls-bridge:0'/>";

    #[test]
    fn a_request_is_of_the_account_that_the_server_names() {
        let read = check("a@x.test/phone", "id-1", HUB_INFO);
        let Read::Request(input) = read else { panic!("{read:?}") };
        let Input::Request(request) = *input else { panic!("{input:?}") };
        assert_eq!(request.from, UserId::xmpp("a@x.test").unwrap());
        assert_eq!(request.reply_to, ReplyTo::Jid("a@x.test/phone".into()));
        assert_eq!((&*request.id, request.request), ("id-1", Request::HubInfo));
    }

    #[test]
    fn whom_the_hub_does_not_serve_is_told_so() {
        let long = "x".repeat(65);
        let cases = [
            ("room@conference.x.test/nick", "1", HUB_INFO, "forbidden"),
            ("alice\\3ahs@mls.x.test/hub", "1", HUB_INFO, "forbidden"),
            ("x.test", "1", HUB_INFO, "forbidden"),
            ("a@x.test/r", "", HUB_INFO, "bad-request"),
            ("a@x.test/r", "a b", HUB_INFO, "bad-request"),
            ("a@x.test/r", &long, HUB_INFO, "bad-request"),
            ("a@x.test/r", "1", "<dance xmlns='urn:mls-bridge:0'/>", "feature-not-implemented"),
            ("a@x.test/r", "1", "<sealed xmlns='urn:mls-bridge:0'/>", "bad-request"),
        ];
        for (from, id, payload, expected) in cases {
            let read = check(from, id, payload);
            let Read::Answer(answer) = read else { panic!("{from} {id}: {read:?}") };
            assert_eq!(StanzaError::of(&answer).unwrap().condition, expected, "{from} {id}");
            assert_eq!(answer.attr("to"), Some(from));
        }
    }

    #[test]
    fn what_is_not_ours_is_left_to_others() {
        let read = check("a@x.test/r", "1", "<ping xmlns='urn:xmpp:ping'/>");
        assert!(matches!(read, Read::NotMine));
    }
}
