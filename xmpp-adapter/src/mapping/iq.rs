//! Requests to a hub and its answers, as IQ stanzas.

use minidom::Element;
use mls_core::wire::refusal::Refusal;
use mls_core::wire::sealed::RequestEnvelope;
use mls_core::wire::{Answer, Reply};

use super::element::{Build, Fields, Unread, bytes};
use super::namespace::CLIENT;
use super::stanza::{self, StanzaError};
use super::{hub_info, refusal, request_to_xml, sealed};

/// What is told a client whose hub cannot be reached: ask again after so many milliseconds.
const HUB_AWAY_RETRY_MS: u64 = 15_000;

/// A request to the hub; the stanza's id is the request's.
pub fn request(hub: &str, id: &str, request: &RequestEnvelope) -> Element {
    let kind = match request {
        RequestEnvelope::HubInfo => "get",
        RequestEnvelope::Sealed(_) => "set",
    };
    stanza::iq(kind, hub, id, request_to_xml(request))
}

/// The hub's answer to the request with that id. One that must be sealed is not sent in clear: who
/// asks in a way that cannot be answered is refused.
pub fn answer(hub: &str, to: &str, id: &str, reply: &Reply) -> Element {
    let iq = Element::bare("iq", CLIENT).with("from", hub).with("to", to).with("id", id);
    let refused = |iq: Element, why| iq.with("type", "error").holding(refusal::to_xml(why));
    match reply {
        Reply::Ok(Answer::HubInfo(info)) => {
            iq.with("type", "result").holding(hub_info::to_xml(info))
        }
        Reply::Ok(_) => refused(iq, &Refusal::Unsupported),
        Reply::Refused(why) => refused(iq, why),
        Reply::Sealed(sealed) => iq.with("type", "result").holding(bytes(sealed::NAME, sealed)),
    }
}

/// Reads an answer. An error that the hub did not make itself (nobody there, a server between
/// away) reads as [`Refusal::Unavailable`].
pub fn read_answer(iq: &Element) -> Result<Reply, Unread> {
    if let Some(refusal) = refusal::from_answer(iq) {
        return Ok(Reply::Refused(refusal?));
    }
    if StanzaError::of(iq).is_some() {
        return Ok(Reply::Refused(Refusal::Unavailable(HUB_AWAY_RETRY_MS)));
    }
    let fields = Fields::of(iq.children().next().ok_or(Unread::NotMine)?)?;
    match fields.name() {
        hub_info::NAME => Ok(Reply::Ok(Answer::HubInfo(hub_info::from_xml(fields)?))),
        sealed::NAME => Ok(Reply::Sealed(fields.bytes()?)),
        name => Err(Unread::Unknown(name.to_owned())),
    }
}
