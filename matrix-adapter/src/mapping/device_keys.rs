//! The device keys that announce an MLS client: our algorithm, and the MLS signature key.

use ruma::CanonicalJsonValue;
use serde_json::{Value, json};

use super::json::{Invalid, base64_bytes, base64_text};
use super::namespace::{CREDENTIAL_KEY, algorithm};

/// A device's keys before they are signed (Matrix client-server API, `DeviceKeys`).
#[derive(Clone, Debug)]
pub struct UnsignedDeviceKeys {
    object: Value,
    user_id: String,
    key_id: String,
}

impl UnsignedDeviceKeys {
    /// The keys of one device that speaks MLS with these suites.
    pub fn new(
        user_id: &str,
        device_id: &str,
        suites: &[u16],
        signature_key: &[u8],
    ) -> Result<Self, Invalid> {
        let algorithms = suites.iter().map(|suite| algorithm(*suite)).collect::<Option<Vec<_>>>();
        let algorithms = algorithms
            .ok_or_else(|| Invalid("suites should be among those of RFC 9420".to_owned()))?;
        let key_id = format!("{CREDENTIAL_KEY}:{device_id}");
        let object = json!({
            "user_id": user_id,
            "device_id": device_id,
            "algorithms": algorithms,
            "keys": { key_id.as_str(): base64_text(signature_key) },
        });
        Ok(Self { object, user_id: user_id.to_owned(), key_id })
    }

    /// What the MLS signature key signs: canonical JSON (Matrix appendices, "Signing JSON").
    ///
    /// It starts with `{`, which no content that MLS itself signs does.
    pub fn to_be_signed(&self) -> Result<Vec<u8>, Invalid> {
        let canonical = CanonicalJsonValue::try_from(self.object.clone());
        canonical
            .map(|object| object.to_string().into_bytes())
            .map_err(|e| Invalid(format!("device keys cannot be written: {e}")))
    }

    /// The keys with their signature, as `/keys/upload` takes them.
    pub fn signed(mut self, signature: &[u8]) -> Value {
        if let Value::Object(fields) = &mut self.object {
            let signature = json!({ self.user_id: { self.key_id: base64_text(signature) } });
            fields.insert("signatures".to_owned(), signature);
        }
        self.object
    }
}

/// The suites that a device announces, from its entry in the answer of `/keys/query`; none if it
/// does not speak MLS.
pub fn announced_suites(device_keys: &Value) -> Vec<u16> {
    let names_credential = |keys: &serde_json::Map<String, Value>| {
        keys.keys().any(|id| id.split_once(':').is_some_and(|(name, _)| name == CREDENTIAL_KEY))
    };
    if !device_keys.get("keys").and_then(Value::as_object).is_some_and(names_credential) {
        return Vec::new();
    }
    let algorithms = device_keys.get("algorithms").and_then(Value::as_array);
    let suites = algorithms.into_iter().flatten().filter_map(Value::as_str);
    suites.filter_map(super::namespace::suite_of).collect()
}

/// The Ed25519 key that a device announces for MLS, from its entry in the answer of `/keys/query`.
pub fn announced_key(device_keys: &Value, device_id: &str) -> Option<Vec<u8>> {
    let key = device_keys.get("keys")?.get(format!("{CREDENTIAL_KEY}:{device_id}"))?;
    base64_bytes(key.as_str()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_signed_is_canonical_json_without_the_signature() {
        let keys = UnsignedDeviceKeys::new("@a:b", "DEV", &[1, 3], &[1]).unwrap();
        let signed_text = String::from_utf8(keys.to_be_signed().unwrap()).unwrap();
        assert_eq!(
            signed_text,
            "{\"algorithms\":[\"dev.mls_bridge.v1.MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519\",\
             \"dev.mls_bridge.v1.MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519\"],\
             \"device_id\":\"DEV\",\"keys\":{\"dev.mls_bridge.v1.credential.ed25519:DEV\":\"AQ\"},\
             \"user_id\":\"@a:b\"}"
        );
        let object = keys.signed(&[2]);
        assert_eq!(
            object["signatures"],
            json!({"@a:b": {"dev.mls_bridge.v1.credential.ed25519:DEV": "Ag"}})
        );
        assert_eq!(announced_suites(&object), [1, 3]);
        assert_eq!(announced_key(&object, "DEV"), Some(vec![1]));
        assert_eq!(announced_key(&object, "OTHER"), None);
    }

    #[test]
    fn a_device_without_our_key_or_algorithm_does_not_speak_mls() {
        for device in [
            json!({"algorithms": ["m.megolm.v1.aes-sha2"], "keys": {"ed25519:DEV": "AQ"}}),
            json!({"algorithms": [algorithm(1).unwrap()], "keys": {"ed25519:DEV": "AQ"}}),
            json!({"algorithms": 1, "keys": {"dev.mls_bridge.v1.credential.ed25519:DEV": "AQ"}}),
            json!({}),
            json!([]),
        ] {
            assert_eq!(announced_suites(&device), Vec::<u16>::new());
        }
    }
}
