//! The envelope of requests: `dev.mls_bridge.request {v, id, sealed: {…}}` in a control room;
//! in clear only `hub_info: {}`.

use mls_core::wire::RequestId;
use mls_core::wire::sealed::RequestEnvelope;
use serde_json::Value;

use super::json::{Fields, Invalid, JsonForm, object};
use super::namespace::VERSION;

/// A request that the hub cannot be given, though it must be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestFault {
    /// A request, or a version, that we do not know.
    Unsupported {
        /// The request's id.
        id: RequestId,
    },
    /// A request of ours that does not say what it must.
    Invalid {
        /// The request's id, if it has one.
        id: Option<RequestId>,
        /// What is wrong where.
        why: Invalid,
    },
}

/// The content of a request event.
pub fn encode(id: &RequestId, request: &RequestEnvelope) -> Value {
    let (name, body) = variant(request);
    object([("v", Value::from(VERSION)), ("id", Value::from(id.as_str())), (name, body)])
}

/// The request in the content of a request event.
pub fn decode(content: Value) -> Result<(RequestId, RequestEnvelope), RequestFault> {
    let no_id = |why| RequestFault::Invalid { id: None, why };
    let mut fields = Fields::of(content).map_err(no_id)?;
    let id: String = fields.take("id").map_err(no_id)?;
    if !is_request_id(&id) {
        return Err(no_id(Invalid("id should be 1 to 64 of A-Z a-z 0-9 - _".to_owned())));
    }
    let invalid = |why| RequestFault::Invalid { id: Some(id.clone()), why };
    if fields.take::<u64>("v").map_err(invalid)? != VERSION {
        return Err(RequestFault::Unsupported { id });
    }
    // Names with a dot are other people's additions to the event.
    let names: Vec<String> =
        fields.names().filter(|n| !n.contains('.')).map(str::to_owned).collect();
    let [name] = names.as_slice() else {
        return Err(invalid(Invalid("one request is wanted beside v and id".to_owned())));
    };
    let body = fields.take_value(name).unwrap_or_default();
    match request(name, body) {
        Some(Ok(request)) => Ok((id, request)),
        Some(Err(why)) => Err(invalid(why.within(name))),
        None => Err(RequestFault::Unsupported { id }),
    }
}

/// Whether a text can be the id of a request.
pub fn is_request_id(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=64).contains(&text.len()) && text.bytes().all(allowed)
}

/// Name and body of a request.
fn variant(request: &RequestEnvelope) -> (&'static str, Value) {
    match request {
        RequestEnvelope::HubInfo => ("hub_info", object([])),
        RequestEnvelope::Sealed(sealed) => ("sealed", sealed.to_json()),
    }
}

/// The request of that name, `None` for a name that we do not know.
fn request(name: &str, body: Value) -> Option<Result<RequestEnvelope, Invalid>> {
    Some(match name {
        "hub_info" => Fields::of(body).map(|_| RequestEnvelope::HubInfo),
        "sealed" => JsonForm::from_json(body).map(RequestEnvelope::Sealed),
        _ => return None,
    })
}
