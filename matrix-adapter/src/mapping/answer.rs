//! The envelope of answers: `dev.mls_bridge.answer {v, id, sealed}`, in clear only
//! `ok: {hub_info: …}` and `error: {code, …}`.

use mls_core::wire::refusal::Refusal;
use mls_core::wire::{Answer, Reply, RequestId};
use serde_json::Value;

use super::DecodeError;
use super::json::{Fields, Invalid, JsonForm, object};
use super::namespace::VERSION;

/// The content of an answer event. An answer that must be sealed is not sent in clear: who asks in a
/// way that cannot be answered is refused.
pub fn encode(id: &RequestId, reply: &Reply) -> Value {
    let (key, body) = match reply {
        Reply::Ok(Answer::HubInfo(info)) => ("ok", object([("hub_info", info.to_json())])),
        Reply::Ok(_) => ("error", Refusal::Unsupported.to_json()),
        Reply::Refused(refusal) => ("error", refusal.to_json()),
        Reply::Sealed(sealed) => ("sealed", sealed.to_json()),
    };
    object([("v", Value::from(VERSION)), ("id", Value::from(id.as_str())), (key, body)])
}

/// The answer in the content of an answer event; of another version, it is not for us.
pub fn decode(content: Value) -> Result<(RequestId, Reply), DecodeError> {
    let mut fields = Fields::of(content)?;
    if fields.take::<u64>("v")? != VERSION {
        return Err(DecodeError::Mismatch);
    }
    let id = fields.take("id")?;
    let parts = ["sealed", "ok", "error"].map(|name| fields.take_value(name));
    let reply = match parts {
        [Some(body), None, None] => JsonForm::from_json(body).map(Reply::Sealed),
        [None, Some(body), None] => Fields::of(body)
            .and_then(|mut ok| ok.take("hub_info"))
            .map(|info| Reply::Ok(Answer::HubInfo(info))),
        [None, None, Some(body)] => JsonForm::from_json(body).map(Reply::Refused),
        _ => Err(Invalid("one of sealed, ok and error is wanted".to_owned())),
    };
    Ok((id, reply?))
}
