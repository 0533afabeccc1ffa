//! How the basic types are written as JSON, and a reader of objects that says what is wrong where.
//!
//! Bytes are unpadded standard base64, digests and group ids lower-case hex (as on XMPP), users
//! and clients their text form. Fields that we do not know are passed over.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use mls_core::address::{ClientId, Network, RoomAddress, UserId};
use mls_core::limits::NAME_BYTES_MAX;
use mls_core::wire::{Digest, GroupId};
use serde_json::{Map, Value};
use thiserror::Error;

/// What is wrong in a value of ours, and where; the sender's fault.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Invalid(pub String);

/// A type with one JSON form.
pub trait JsonForm: Sized {
    /// The JSON form.
    fn to_json(&self) -> Value;
    /// From the JSON form; a field that is not there comes as `null`.
    fn from_json(value: Value) -> Result<Self, Invalid>;
}

/// The fields of an object, taken out one by one.
pub struct Fields(Map<String, Value>);

/// An object of the given fields; those that are `null` are left out.
pub fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    let present = fields.into_iter().filter(|(_, value)| !value.is_null());
    Value::Object(present.map(|(name, value)| (name.to_owned(), value)).collect())
}

/// Bytes as unpadded standard base64.
pub fn base64_text(bytes: &[u8]) -> String {
    STANDARD_NO_PAD.encode(bytes)
}

/// The bytes of unpadded standard base64.
pub fn base64_bytes(text: &str) -> Result<Vec<u8>, Invalid> {
    STANDARD_NO_PAD
        .decode(text)
        .map_err(|_| Invalid("should be standard base64 without padding".to_owned()))
}

/// The bytes of lower-case hex, at least one and as many as a name may have.
fn hex_bytes(text: &str, expected: &str) -> Result<Vec<u8>, Invalid> {
    let lower = text.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase());
    if !lower || text.is_empty() || text.len() > 2 * NAME_BYTES_MAX {
        return Err(Invalid::expected(expected));
    }
    hex::decode(text).map_err(|_| Invalid::expected(expected))
}

impl Invalid {
    /// The same, found inside `field`.
    pub fn within(self, field: &str) -> Self {
        let separator = if self.0.starts_with("should") { " " } else { "." };
        Self(format!("{field}{separator}{}", self.0))
    }

    fn expected(what: &str) -> Self {
        Self(format!("should be {what}"))
    }
}

impl Fields {
    /// The fields of `value`, which should be an object.
    pub fn of(value: Value) -> Result<Self, Invalid> {
        match value {
            Value::Object(fields) => Ok(Self(fields)),
            _ => Err(Invalid::expected("an object")),
        }
    }

    /// Takes one field.
    pub fn take<T: JsonForm>(&mut self, name: &str) -> Result<T, Invalid> {
        T::from_json(self.0.remove(name).unwrap_or_default()).map_err(|e| e.within(name))
    }

    /// Takes one field as it is.
    pub fn take_value(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name)
    }

    /// The object of the fields that are left.
    pub fn rest(self) -> Value {
        Value::Object(self.0)
    }

    /// The names of the fields that are left.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl JsonForm for bool {
    fn to_json(&self) -> Value {
        Value::Bool(*self)
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        value.as_bool().ok_or_else(|| Invalid::expected("true or false"))
    }
}

impl JsonForm for u64 {
    fn to_json(&self) -> Value {
        Value::from(*self)
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        value.as_u64().ok_or_else(|| Invalid::expected("an integer of 0 or more"))
    }
}

impl JsonForm for u32 {
    fn to_json(&self) -> Value {
        Value::from(*self)
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        u64::from_json(value)?.try_into().map_err(|_| Invalid::expected("less than 2^32"))
    }
}

impl JsonForm for u16 {
    fn to_json(&self) -> Value {
        Value::from(*self)
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        u64::from_json(value)?.try_into().map_err(|_| Invalid::expected("less than 65536"))
    }
}

impl JsonForm for String {
    fn to_json(&self) -> Value {
        Value::from(self.as_str())
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        match value {
            Value::String(text) => Ok(text),
            _ => Err(Invalid::expected("text")),
        }
    }
}

impl JsonForm for Vec<u8> {
    fn to_json(&self) -> Value {
        Value::from(base64_text(self))
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        base64_bytes(&String::from_json(value)?)
    }
}

impl<T: JsonForm> JsonForm for Vec<T> {
    fn to_json(&self) -> Value {
        self.iter().map(T::to_json).collect()
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        match value {
            Value::Array(items) => items.into_iter().map(T::from_json).collect(),
            _ => Err(Invalid::expected("a list")),
        }
    }
}

impl<T: JsonForm> JsonForm for Option<T> {
    fn to_json(&self) -> Value {
        self.as_ref().map_or(Value::Null, T::to_json)
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        if value.is_null() { Ok(None) } else { T::from_json(value).map(Some) }
    }
}

impl JsonForm for Digest {
    fn to_json(&self) -> Value {
        Value::from(self.to_string())
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        let expected = "32 bytes in lower-case hex";
        let bytes = hex_bytes(&String::from_json(value)?, expected)?;
        bytes.try_into().map(Self).map_err(|_| Invalid::expected(expected))
    }
}

impl JsonForm for GroupId {
    fn to_json(&self) -> Value {
        Value::from(self.to_hex())
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        hex_bytes(&String::from_json(value)?, "a group id in lower-case hex").map(Self)
    }
}

impl JsonForm for UserId {
    fn to_json(&self) -> Value {
        Value::from(self.as_str())
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        let expected = "a user such as matrix:u/alice:example.org or xmpp:alice@example.org";
        Self::parse(&String::from_json(value)?).map_err(|_| Invalid::expected(expected))
    }
}

impl JsonForm for ClientId {
    fn to_json(&self) -> Value {
        Value::from(self.as_str())
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        let expected = "a client such as matrix:u/alice:example.org/DEVICE";
        Self::parse(&String::from_json(value)?).map_err(|_| Invalid::expected(expected))
    }
}

impl JsonForm for RoomAddress {
    fn to_json(&self) -> Value {
        object([("network", Value::from(self.network.name())), ("address", self.address.to_json())])
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        let mut fields = Fields::of(value)?;
        let network = match fields.take::<String>("network")?.as_str() {
            "matrix" => Network::Matrix,
            "xmpp" => Network::Xmpp,
            _ => return Err(Invalid::expected("matrix or xmpp").within("network")),
        };
        Ok(Self { network, address: fields.take("address")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_error_says_which_field_is_wrong() {
        let mut fields = Fields::of(json!({"room": {"network": "irc"}, "n": -1})).unwrap();
        assert_eq!(
            fields.take::<RoomAddress>("room"),
            Err(Invalid("room.network should be matrix or xmpp".to_owned()))
        );
        assert_eq!(
            fields.take::<u64>("n"),
            Err(Invalid("n should be an integer of 0 or more".to_owned()))
        );
        assert_eq!(fields.take::<bool>("m"), Err(Invalid("m should be true or false".to_owned())));
    }

    #[test]
    fn base64_has_one_form() {
        assert_eq!(base64_bytes("AQ"), Ok(vec![1]));
        for other in ["AQ==", "AR", "A-_A", "A Q", "\u{e4}"] {
            assert!(base64_bytes(other).is_err(), "{other} was accepted");
        }
    }
}
