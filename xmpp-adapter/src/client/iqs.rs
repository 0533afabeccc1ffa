//! Queries (RFC 6120 8.2.3): whose answer one is, and what others may ask of a client.

use minidom::Element;
use mls_core::seal::Sealer;
use mls_core::service::Service;

use crate::mapping::Build;
use crate::mapping::namespace::{DISCO_INFO, PING};
use crate::mapping::stanza::{self, StanzaError};

/// Which service this is the address of: the hub, the authority where that is a service of its own, or the hub of
/// another domain that was asked who it is.
///
/// A stanza without `from` is of the account itself, at its server (RFC 6120 8.1.2.1): it is of no service.
pub(super) fn answerer(from: Option<&str>, hub: &str, sealer: &Sealer) -> Option<Service> {
    match from? {
        from if from == hub => Some(Service::Delivery),
        from if Some(from) == sealer.authority_at().as_deref() => Some(Service::Authentication),
        from if sealer.asks_other_hub(from) => Some(Service::OtherHub(from.to_owned())),
        _ => None,
    }
}

/// What anybody may ask a client; everything else is refused, never left without an answer.
pub(super) fn answer(iq: &Element) -> Element {
    let payload = iq.children().next();
    let asks = |name, namespace| payload.is_some_and(|payload| payload.is(name, namespace));
    match iq.attr("type") {
        Some("get") if asks("ping", PING) => stanza::result(iq, None),
        Some("get") if asks("query", DISCO_INFO) => {
            let identity = Element::bare("identity", DISCO_INFO)
                .with("category", "client")
                .with("type", "bot")
                .with("name", "mls-bot");
            let feature = |var| Element::bare("feature", DISCO_INFO).with("var", var);
            let query = Element::bare("query", DISCO_INFO)
                .holding(identity)
                .holding_all([DISCO_INFO, PING].map(feature));
            stanza::result(iq, Some(query))
        }
        _ => stanza::refusal(iq, &StanzaError::new("cancel", "service-unavailable")),
    }
}

#[cfg(test)]
mod tests {
    use mls_core::address::UserId;
    use mls_core::crypto::Crypto;
    use mls_core::wire::Request;

    use super::*;

    #[test]
    fn a_service_answers_from_its_own_address_and_a_stanza_without_one_is_no_services() {
        let sealer = || {
            let juliet = UserId::xmpp("juliet@x.org").unwrap();
            Sealer::new(juliet, &Crypto::system()).unwrap()
        };
        let (one, apart) = (sealer(), sealer());
        apart.use_authority("authority.x.org", None);
        let other = Service::OtherHub("mls.y.org".to_owned());
        apart.seal(&other, &"r1".to_owned(), &Request::HubInfo).unwrap();
        for (from, sealer, service) in [
            (Some("mls.x.org"), &one, Some(Service::Delivery)),
            (Some("mls.x.org"), &apart, Some(Service::Delivery)),
            (Some("authority.x.org"), &apart, Some(Service::Authentication)),
            (Some("authority.x.org"), &one, None),
            (Some("mls.y.org"), &apart, Some(other)),
            (Some("mls.y.org"), &one, None),
            (Some("juliet@x.org"), &apart, None),
            (None, &apart, None),
            (None, &one, None),
        ] {
            assert_eq!(answerer(from, "mls.x.org", sealer), service, "{from:?}");
        }
    }
}
