//! Which key a device announces for MLS, by `/keys/query`.

use mls_core::delivery::DeliveryError;
use mls_core::hub::{DeviceKey, QueryDevice};
use serde_json::json;

use super::claim::{REMOTE_TIMEOUT_MS, post};
use super::homeserver::Homeserver;
use crate::mapping::device_keys::announced_key;

/// Asks the homeserver for one device.
pub(super) async fn query(
    homeserver: &Homeserver,
    job: &QueryDevice,
) -> Result<DeviceKey, DeliveryError> {
    let (user, device) = (job.client.user().address(), job.client.device());
    let asked = json!({ user.as_str(): [device.as_str()] });
    let body = json!({ "device_keys": asked, "timeout": REMOTE_TIMEOUT_MS });
    let answer = post(homeserver, "query", body).await?;
    let keys = answer.get("device_keys").and_then(|users| users.get(&user)?.get(&device));
    let key = keys.and_then(|keys| announced_key(keys, &device));
    Ok(DeviceKey { job: job.job, result: Ok(key) })
}
