//! Requests to a hub and its answers, as IQ stanzas.

use minidom::Element;
use mls_core::hub::Reply;
use mls_core::wire::refusal::Refusal;
use mls_core::wire::{Answer, Request};

use super::element::{Build, Unread};
use super::namespace::CLIENT;
use super::stanza::{self, StanzaError};
use super::{answer_from_xml, answer_to_xml, refusal, request_to_xml};

/// What is told a client whose hub cannot be reached: ask again after so many milliseconds.
const HUB_AWAY_RETRY_MS: u64 = 15_000;

/// A request to the hub; the stanza's id is the request's.
pub fn request(hub: &str, id: &str, request: &Request) -> Element {
    let reads = matches!(
        request,
        Request::HubInfo
            | Request::FindGroup(_)
            | Request::FetchGroupInfo(_)
            | Request::FetchHandshakes(_)
            | Request::GetBlob(_)
    );
    stanza::iq(if reads { "get" } else { "set" }, hub, id, request_to_xml(request))
}

/// The hub's answer to the request with that id.
pub fn answer(hub: &str, to: &str, id: &str, reply: &Reply) -> Element {
    let iq = Element::bare("iq", CLIENT).with("from", hub).with("to", to).with("id", id);
    match reply {
        Reply::Ok(answer) => iq.with("type", "result").holding(answer_to_xml(answer)),
        Reply::Refused(why) => iq.with("type", "error").holding(refusal::to_xml(why)),
    }
}

/// Reads an answer. An error that the hub did not make itself (nobody there, a server between
/// away) reads as [`Refusal::Unavailable`].
pub fn read_answer(iq: &Element) -> Result<Result<Answer, Refusal>, Unread> {
    if let Some(refusal) = refusal::from_answer(iq) {
        return Ok(Err(refusal?));
    }
    if StanzaError::of(iq).is_some() {
        return Ok(Err(Refusal::Unavailable(HUB_AWAY_RETRY_MS)));
    }
    let payload = iq.children().next().ok_or(Unread::NotMine)?;
    answer_from_xml(payload).map(Ok)
}
