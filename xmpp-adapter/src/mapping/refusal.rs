//! Refusals: our condition inside an RFC 6120 error, so that a client without MLS also understands.

use minidom::Element;
use mls_core::service::ServiceAddress;
use mls_core::wire::refusal::Refusal;

use super::element::{Broken, Build, Fields, ours};
use super::namespace::{CLIENT, MLS_BRIDGE};
use super::stanza::StanzaError;

/// The `<error/>` of a refused request.
pub fn to_xml(refusal: &Refusal) -> Element {
    let (kind, condition, ours) = parts(refusal);
    StanzaError::new(kind, condition).saying(refusal.to_string()).to_xml().holding(ours)
}

/// Error type and condition of RFC 6120, and our own condition.
fn parts(refusal: &Refusal) -> (&'static str, &'static str, Element) {
    match refusal {
        Refusal::NotAllowed(why) => ("auth", "forbidden", ours("not-allowed").saying(why)),
        Refusal::RateLimited(ms) => ("wait", "resource-constraint", wait("rate-limited", *ms)),
        Refusal::UnknownGroup => ("cancel", "item-not-found", ours("unknown-group")),
        Refusal::Invalid(why) => ("modify", "bad-request", ours("invalid").saying(why)),
        Refusal::Exists => ("cancel", "conflict", ours("exists")),
        Refusal::WrongEpoch(current) => {
            let condition = ours("wrong-epoch").with("current", current.to_string());
            ("cancel", "conflict", condition)
        }
        Refusal::MissingProposals(hashes) => {
            let proposals = hashes.iter().map(|hash| ours("proposal").saying(&hash.to_string()));
            ("cancel", "conflict", ours("missing-proposals").holding_all(proposals))
        }
        Refusal::InvalidCommit(why) => {
            ("modify", "not-acceptable", ours("invalid-commit").saying(why))
        }
        Refusal::TooLarge(max) => {
            ("modify", "policy-violation", ours("too-large").with("max", max.to_string()))
        }
        Refusal::Gone => ("cancel", "gone", ours("gone")),
        Refusal::Unsupported => ("cancel", "feature-not-implemented", ours("unsupported")),
        Refusal::Unavailable(ms) => ("wait", "resource-constraint", wait("unavailable", *ms)),
        Refusal::NotOpened => ("modify", "not-acceptable", ours("not-opened")),
        Refusal::RoomOrders => ("cancel", "not-allowed", ours("room-orders")),
        Refusal::Elsewhere(address) => ("cancel", "item-not-found", elsewhere(address)),
    }
}

fn elsewhere(address: &ServiceAddress) -> Element {
    let named = [("matrix", &address.matrix), ("xmpp", &address.xmpp)];
    let named = named.into_iter().filter_map(|(name, at)| at.as_ref().map(|at| (name, at)));
    named.fold(ours("elsewhere"), |element, (name, at)| element.with(name, at))
}

fn wait(name: &str, after_ms: u64) -> Element {
    ours(name).with("retry-after-ms", after_ms.to_string())
}

/// Reads our condition in an error answer; `None` if it has none, for then the network refused
/// and not the hub.
pub fn from_answer(iq: &Element) -> Option<Result<Refusal, Broken>> {
    let error = iq.get_child("error", CLIENT)?;
    let condition = error.children().find(|child| child.has_ns(MLS_BRIDGE))?;
    Some(Fields::of(condition).ok().map_or(Ok(Refusal::Unsupported), from_xml))
}

fn from_xml(fields: Fields<'_>) -> Result<Refusal, Broken> {
    Ok(match fields.name() {
        "not-allowed" => Refusal::NotAllowed(fields.sentence()),
        "rate-limited" => Refusal::RateLimited(fields.number("retry-after-ms")?),
        "unknown-group" => Refusal::UnknownGroup,
        "invalid" => Refusal::Invalid(fields.sentence()),
        "exists" => Refusal::Exists,
        "wrong-epoch" => Refusal::WrongEpoch(fields.number("current")?),
        "missing-proposals" => {
            let hashes = fields.children("proposal").map(Fields::text_digest);
            Refusal::MissingProposals(hashes.collect::<Result<_, _>>()?)
        }
        "invalid-commit" => Refusal::InvalidCommit(fields.sentence()),
        "too-large" => Refusal::TooLarge(fields.number("max")?),
        "gone" => Refusal::Gone,
        "unsupported" => Refusal::Unsupported,
        "unavailable" => Refusal::Unavailable(fields.number("retry-after-ms")?),
        "not-opened" => Refusal::NotOpened,
        "room-orders" => Refusal::RoomOrders,
        "elsewhere" => Refusal::Elsewhere(ServiceAddress {
            matrix: fields.optional_attr("matrix")?.map(str::to_owned),
            xmpp: fields.optional_attr("xmpp")?.map(str::to_owned),
        }),
        name => return Err(fields.broken(format!("{name} is no known refusal"))),
    })
}

#[cfg(test)]
mod tests {
    use mls_core::wire::Digest;

    use super::*;

    #[test]
    fn every_refusal_survives_the_way_and_names_its_rfc_condition() {
        let refusals = [
            (Refusal::NotAllowed("no <admin>".into()), "forbidden"),
            (Refusal::RateLimited(1500), "resource-constraint"),
            (Refusal::UnknownGroup, "item-not-found"),
            (Refusal::Invalid("say more".into()), "bad-request"),
            (Refusal::Exists, "conflict"),
            (Refusal::WrongEpoch(u64::MAX), "conflict"),
            (Refusal::MissingProposals(vec![Digest([7; 32]), Digest([0; 32])]), "conflict"),
            (Refusal::InvalidCommit("bad signature".into()), "not-acceptable"),
            (Refusal::TooLarge(32768), "policy-violation"),
            (Refusal::Gone, "gone"),
            (Refusal::Unsupported, "feature-not-implemented"),
            (Refusal::Unavailable(15000), "resource-constraint"),
            (Refusal::NotOpened, "not-acceptable"),
            (Refusal::RoomOrders, "not-allowed"),
            (Refusal::Elsewhere(ServiceAddress::default()), "item-not-found"),
        ];
        for (refusal, condition) in refusals {
            let iq = Element::bare("iq", CLIENT).with("type", "error").holding(to_xml(&refusal));
            assert_eq!(StanzaError::of(&iq).unwrap().condition, condition);
            assert_eq!(from_answer(&iq), Some(Ok(refusal)));
        }
    }

    #[test]
    fn an_error_of_the_network_is_not_a_refusal_of_the_hub() {
        let error = StanzaError::new("wait", "remote-server-timeout").to_xml();
        let iq = Element::bare("iq", CLIENT).with("type", "error").holding(error);
        assert_eq!(from_answer(&iq), None);
    }
}
