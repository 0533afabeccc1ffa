//! Which devices accounts have, by `/keys/query`. A homeserver names every account of its own that it was asked
//! for, also one that was deactivated: without devices.

use mls_core::delivery::DeliveryError;
use mls_core::hub::{AccountDevices, DevicesListed, ListDevices};
use serde_json::{Map, Value, json};

use super::claim::{REMOTE_TIMEOUT_MS, post};
use super::homeserver::Homeserver;

/// Asks the homeserver; an account that it does not name is left out, for nothing is known of it.
pub(super) async fn list(
    homeserver: &Homeserver,
    job: &ListDevices,
) -> Result<DevicesListed, DeliveryError> {
    let asked = job.users.iter().map(|user| (user.address(), json!([])));
    let asked: Map<String, Value> = asked.collect();
    let body = json!({ "device_keys": asked, "timeout": REMOTE_TIMEOUT_MS });
    let answer = post(homeserver, "query", body).await?;
    let named = answer.get("device_keys");
    let account = |user: &mls_core::address::UserId| {
        let devices = named?.get(user.address())?.as_object()?.keys().cloned().collect();
        Some(AccountDevices { user: user.clone(), devices })
    };
    Ok(DevicesListed { job: job.job, accounts: job.users.iter().filter_map(account).collect() })
}
