//! Announcing the device and uploading its key packages by `/keys/upload`.

use matrix_sdk::Client;
use mls_core::delivery::DeliveryError;
use mls_core::member::KeyPackageUpload;
use ruma::UserId;
use ruma::api::client::keys::upload_keys::v3 as upload_keys;
use ruma::serde::Raw;
use serde_json::Value;

use super::{delivery_error, refused};
use crate::mapping::device_keys::UnsignedDeviceKeys;
use crate::mapping::json::base64_text;
use crate::mapping::key_package;

/// The request; `sign` signs the device keys with the MLS signature key.
pub(super) fn request(
    user: &UserId,
    device: &str,
    upload: &KeyPackageUpload,
    sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, String>,
) -> Result<upload_keys::Request, DeliveryError> {
    let unknown_suite = || refused(format!("there is no cipher suite {}", upload.suite));
    let keys =
        UnsignedDeviceKeys::new(user.as_str(), device, &upload.suites, &upload.signature_key)
            .map_err(|e| refused(e.to_string()))?;
    let signature = keys
        .to_be_signed()
        .map_err(|e| e.to_string())
        .and_then(|bytes| sign(&bytes))
        .map_err(|e| refused(format!("the device keys cannot be signed: {e}")))?;
    let mut request = upload_keys::Request::new();
    request.device_keys = Some(raw(&keys.signed(&signature))?);
    for (reference, package) in &upload.one_time {
        let id = key_package::one_time_id(upload.suite, reference).ok_or_else(unknown_suite)?;
        request.one_time_keys.insert(key_id(&id)?, raw(&Value::from(base64_text(package)))?);
    }
    if let Some((reference, package)) = &upload.last_resort {
        let id = key_package::last_resort_id(upload.suite, reference).ok_or_else(unknown_suite)?;
        request.fallback_keys.insert(key_id(&id)?, raw(&Value::from(base64_text(package)))?);
    }
    Ok(request)
}

/// Uploads; how many one-time packages of `suite` the homeserver now has.
pub(super) async fn send(
    client: &Client,
    request: upload_keys::Request,
    suite: u16,
) -> Result<u32, DeliveryError> {
    let sent = client.send(request).await;
    let answer = sent.map_err(|e| delivery_error("uploading key packages", &e))?;
    let algorithm = key_package::algorithm(suite);
    let ours =
        |(name, _): &(&ruma::OneTimeKeyAlgorithm, _)| Some(name.as_str()) == algorithm.as_deref();
    let count = answer.one_time_key_counts.iter().find(ours);
    Ok(count.and_then(|(_, count)| u32::try_from(u64::from(*count)).ok()).unwrap_or(0))
}

fn key_id(id: &str) -> Result<ruma::OwnedOneTimeKeyId, DeliveryError> {
    id.try_into().map_err(|e| refused(format!("{id} is no key id: {e}")))
}

fn raw<T>(value: &Value) -> Result<Raw<T>, DeliveryError> {
    serde_json::value::to_raw_value(value).map(Raw::from_json).map_err(|e| refused(e.to_string()))
}
