//! One passive-client vector, as `test-vectors.md` of mlswg/mls-implementations lays it down.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// What tells the files of this schema from others of the same repository.
const KEYS: [&str; 5] =
    ["init_priv", "external_psks", "welcome", "initial_epoch_authenticator", "epochs"];

/// One case.
#[derive(Clone, Deserialize)]
pub(crate) struct Case {
    /// RFC 9420 number.
    pub(crate) cipher_suite: u16,
    pub(crate) external_psks: Vec<Psk>,
    /// An MLSMessage.
    pub(crate) key_package: Hex,
    pub(crate) signature_priv: Hex,
    pub(crate) encryption_priv: Hex,
    pub(crate) init_priv: Hex,
    /// An MLSMessage.
    pub(crate) welcome: Hex,
    /// Where it is not in the Welcome.
    pub(crate) ratchet_tree: Option<Hex>,
    pub(crate) initial_epoch_authenticator: Hex,
    pub(crate) epochs: Vec<Epoch>,
}

/// An external PSK that the client holds.
#[derive(Clone, Deserialize)]
pub(crate) struct Psk {
    pub(crate) psk_id: Hex,
    pub(crate) psk: Hex,
}

/// What ends an epoch, and where the next one stands.
#[derive(Clone, Deserialize)]
pub(crate) struct Epoch {
    /// MLSMessages.
    pub(crate) proposals: Vec<Hex>,
    /// An MLSMessage.
    pub(crate) commit: Hex,
    pub(crate) epoch_authenticator: Hex,
}

/// Bytes, in hex.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Hex(pub(crate) Vec<u8>);

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        hex::decode(text).map(Self).map_err(serde::de::Error::custom)
    }
}

impl std::fmt::Display for Hex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

/// The cases of a file, each as it could be read, or nothing where the file is of another schema.
pub(crate) fn read(text: &str) -> Result<Option<Vec<Result<Case, String>>>, String> {
    let json: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let Value::Array(entries) = json else { return Ok(None) };
    let ours = |entry: &Value| KEYS.iter().all(|key| entry.get(key).is_some());
    if !entries.first().is_some_and(ours) {
        return Ok(None);
    }
    let case = |entry| serde_json::from_value(entry).map_err(|error| error.to_string());
    Ok(Some(entries.into_iter().map(case).collect()))
}
