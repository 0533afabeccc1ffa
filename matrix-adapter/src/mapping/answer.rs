//! The envelope of answers: `dev.mls_bridge.answer {v, id, ok: {<variant>: …} | error: {code, …}}`.

use mls_core::wire::refusal::Refusal;
use mls_core::wire::{Answer, RequestId};
use serde_json::Value;

use super::DecodeError;
use super::json::{Fields, Invalid, JsonForm, object};
use super::namespace::VERSION;

/// The content of an answer event.
pub fn encode(id: &RequestId, answer: Result<&Answer, &Refusal>) -> Value {
    let (key, body) = match answer {
        Ok(answer) => {
            let (name, body) = variant(answer);
            ("ok", object([(name, body)]))
        }
        Err(refusal) => ("error", refusal.to_json()),
    };
    object([("v", Value::from(VERSION)), ("id", Value::from(id.as_str())), (key, body)])
}

/// The answer in the content of an answer event; of another version, it is not for us.
pub fn decode(content: Value) -> Result<(RequestId, Result<Answer, Refusal>), DecodeError> {
    let mut fields = Fields::of(content)?;
    if fields.take::<u64>("v")? != VERSION {
        return Err(DecodeError::Mismatch);
    }
    let id = fields.take("id")?;
    match (fields.take_value("ok"), fields.take_value("error")) {
        (Some(body), None) => Ok((id, Ok(answer(body).map_err(|e| e.within("ok"))?))),
        (None, Some(body)) => {
            Ok((id, Err(Refusal::from_json(body).map_err(|e| e.within("error"))?)))
        }
        _ => Err(Invalid("either ok or error is wanted".to_owned()).into()),
    }
}

/// Name and body of an answer.
fn variant(answer: &Answer) -> (&'static str, Value) {
    match answer {
        Answer::HubInfo(a) => ("hub_info", a.to_json()),
        Answer::RoomCreated(a) => ("room_created", a.to_json()),
        Answer::GroupFound(a) => ("group_found", a.to_json()),
        Answer::Receipt(receipt) => ("receipt", receipt.to_json()),
        Answer::KeyPackageCount(a) => ("key_package_count", a.to_json()),
        Answer::KeyPackages(clients) => ("key_packages", clients.to_json()),
        Answer::GroupInfo(a) => ("group_info", a.to_json()),
        Answer::Handshakes(a) => ("handshakes", a.to_json()),
        Answer::Welcomes(a) => ("welcomes", a.to_json()),
        Answer::BlobChunk(a) => ("blob_chunk", a.to_json()),
        Answer::Done => ("done", object([])),
    }
}

fn answer(body: Value) -> Result<Answer, Invalid> {
    let mut fields = Fields::of(body)?;
    let names: Vec<String> = fields.names().map(str::to_owned).collect();
    let [name] = names.as_slice() else {
        return Err(Invalid("should hold one answer".to_owned()));
    };
    let body = fields.take_value(name).unwrap_or_default();
    let answer = match name.as_str() {
        "hub_info" => JsonForm::from_json(body).map(Answer::HubInfo),
        "room_created" => JsonForm::from_json(body).map(Answer::RoomCreated),
        "group_found" => JsonForm::from_json(body).map(Answer::GroupFound),
        "receipt" => JsonForm::from_json(body).map(Answer::Receipt),
        "key_package_count" => JsonForm::from_json(body).map(Answer::KeyPackageCount),
        "key_packages" => JsonForm::from_json(body).map(Answer::KeyPackages),
        "group_info" => JsonForm::from_json(body).map(Answer::GroupInfo),
        "handshakes" => JsonForm::from_json(body).map(Answer::Handshakes),
        "welcomes" => JsonForm::from_json(body).map(Answer::Welcomes),
        "blob_chunk" => JsonForm::from_json(body).map(Answer::BlobChunk),
        "done" => Fields::of(body).map(|_| Answer::Done),
        _ => Err(Invalid("should be an answer that this version knows".to_owned())),
    };
    answer.map_err(|e| e.within(name))
}
