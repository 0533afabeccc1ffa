//! What anybody may ask a component: who it is (XEP-0030), its version (XEP-0092), a ping
//! (XEP-0199). Everything else is refused, never left without an answer (RFC 6120 8.2.3).

use minidom::Element;

use super::ComponentSetup;
use crate::mapping::Build;
use crate::mapping::ghost;
use crate::mapping::namespace::{
    DISCO_INFO, DISCO_ITEMS, ENCRYPTION, MLS_BRIDGE, PING, STANZA_IDS, VERSION,
};
use crate::mapping::stanza::{self, StanzaError, bare};

/// The answer to a request that is not in our namespace, whoever asks.
pub(super) fn answer(setup: &ComponentSetup, iq: &Element) -> Element {
    let mut payloads = iq.children();
    let (Some(payload), None) = (payloads.next(), payloads.next()) else {
        let error = StanzaError::new("modify", "bad-request");
        return stanza::refusal(iq, &error.saying("a request has exactly one payload"));
    };
    let answered = match (iq.attr("type"), payload.name()) {
        (Some("get"), "query") if payload.has_ns(DISCO_INFO) => info(setup, iq, payload),
        (Some("get"), "query") if payload.has_ns(DISCO_ITEMS) => {
            no_node(payload).map(|()| Some(Element::bare("query", DISCO_ITEMS)))
        }
        (Some("get"), "query") if payload.has_ns(VERSION) => Ok(Some(version())),
        (Some("get"), "ping") if payload.has_ns(PING) => Ok(None),
        _ => Err(StanzaError::new("cancel", "service-unavailable")),
    };
    match answered {
        Ok(payload) => stanza::result(iq, payload),
        Err(error) => stanza::refusal(iq, &error),
    }
}

fn info(
    setup: &ComponentSetup,
    iq: &Element,
    query: &Element,
) -> Result<Option<Element>, StanzaError> {
    no_node(query)?;
    let to = bare(iq.attr("to").unwrap_or_default());
    let hub =
        to == setup.domain || to.split_once('@').is_some_and(|(local, _)| local == ghost::HUB);
    let (identities, features): (&[_], &[_]) = if hub {
        (
            &[
                ("gateway", "matrix", "MLS bridge"),
                ("component", "generic", "MLS delivery service"),
            ],
            &[DISCO_INFO, DISCO_ITEMS, PING, VERSION, ENCRYPTION, STANZA_IDS, MLS_BRIDGE],
        )
    } else {
        (&[("client", "bridge", "MLS bridge")], &[DISCO_INFO, DISCO_ITEMS, PING, VERSION])
    };
    let identity = |(category, kind, name): &(&str, &str, &str)| {
        Element::bare("identity", DISCO_INFO)
            .with("category", *category)
            .with("type", *kind)
            .with("name", *name)
    };
    let feature = |var: &&str| Element::bare("feature", DISCO_INFO).with("var", *var);
    let query = Element::bare("query", DISCO_INFO)
        .holding_all(identities.iter().map(identity))
        .holding_all(features.iter().map(feature));
    Ok(Some(query))
}

/// There are no nodes below us.
fn no_node(query: &Element) -> Result<(), StanzaError> {
    match query.attr("node") {
        None | Some("") => Ok(()),
        Some(_) => Err(StanzaError::new("cancel", "item-not-found")),
    }
}

fn version() -> Element {
    Element::bare("query", VERSION)
        .holding(Element::bare("name", VERSION).saying("mls-bridge"))
        .holding(Element::bare("version", VERSION).saying(env!("CARGO_PKG_VERSION")))
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    fn ask(kind: &str, payload: &str) -> Element {
        let setup = ComponentSetup {
            address: "127.0.0.1:5347".into(),
            domain: "mls.x.test".into(),
            secret: Zeroizing::new("s".into()),
            muc_service: "conference.x.test".into(),
            xmpp_domain: "x.test".into(),
        };
        let iq = format!(
            "<iq xmlns='jabber:client' type='{kind}' id='7' from='a@x.test/r' to='mls.x.test'>\
             {payload}</iq>"
        );
        answer(&setup, &iq.parse().unwrap())
    }

    #[test]
    fn everything_is_answered_to_whom_asked() {
        let cases = [
            ("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>", None),
            ("get", "<query xmlns='http://jabber.org/protocol/disco#items'/>", None),
            ("get", "<query xmlns='jabber:iq:version'/>", None),
            ("get", "<ping xmlns='urn:xmpp:ping'/>", None),
            ("set", "<ping xmlns='urn:xmpp:ping'/>", Some("service-unavailable")),
            (
                "get",
                "<query xmlns='http://jabber.org/protocol/disco#info' node='x'/>",
                Some("item-not-found"),
            ),
            ("get", "<dance xmlns='urn:x'/>", Some("service-unavailable")),
            ("get", "", Some("bad-request")),
            ("set", "<a xmlns='urn:x'/><b xmlns='urn:x'/>", Some("bad-request")),
        ];
        for (kind, payload, expected) in cases {
            let answer = ask(kind, payload);
            let error = StanzaError::of(&answer).map(|error| error.condition);
            assert_eq!(error.as_deref(), expected, "{payload}");
            assert_eq!((answer.attr("to"), answer.attr("id")), (Some("a@x.test/r"), Some("7")));
            assert_eq!(answer.attr("from"), Some("mls.x.test"));
        }
    }

    #[test]
    fn a_client_finds_the_hub_by_its_feature() {
        let answer = ask("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>");
        let query = answer.get_child("query", DISCO_INFO).unwrap();
        assert!(query.children().any(|feature| feature.attr("var") == Some(MLS_BRIDGE)));
    }
}
