//! Key packages of Matrix users: their devices by `/keys/query`, one package of each by
//! `/keys/claim`. Both reach users of other servers, too.

use std::collections::HashMap;

use mls_core::address::{ClientId, Network, UserId};
use mls_core::delivery::DeliveryError;
use mls_core::hub::{ClaimMatrix, Claimed};
use mls_core::limits::DEVICES_PER_USER_MAX;
use mls_core::wire::claim_key_packages::{ClaimOutcome, ClaimedClient};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::homeserver::{Homeserver, HomeserverRequest};
use crate::mapping::device_keys::announced_suites;
use crate::mapping::key_package;

/// How long the homeserver may wait for other servers, in milliseconds.
pub(super) const REMOTE_TIMEOUT_MS: u32 = 10_000;

/// A device that a package is claimed of.
struct Wanted {
    user: UserId,
    client: ClientId,
    algorithm: String,
}

/// Claims one package of each device that speaks MLS with an acceptable suite.
pub(super) async fn claim(
    homeserver: &Homeserver,
    job: &ClaimMatrix,
) -> Result<Claimed, DeliveryError> {
    let (wanted, mut clients) = devices(homeserver, job).await?;
    if !wanted.is_empty() {
        clients.extend(packages(homeserver, wanted).await?);
    }
    Ok(Claimed { job: job.job, clients })
}

/// The devices to claim of, and the entries that are clear without a claim.
async fn devices(
    homeserver: &Homeserver,
    job: &ClaimMatrix,
) -> Result<(Vec<Wanted>, Vec<ClaimedClient>), DeliveryError> {
    let mut asked = HashMap::<String, Vec<&str>>::new();
    for target in job.targets.iter().filter(|t| t.user.network() == Network::Matrix) {
        asked.entry(target.user.address()).or_default().extend(target.device.as_deref());
    }
    let body = json!({ "device_keys": asked, "timeout": REMOTE_TIMEOUT_MS });
    let answer = post(homeserver, "query", body).await?;
    let (mut wanted, mut clear) = (Vec::new(), Vec::new());
    for target in &job.targets {
        let user = &target.user;
        let none = Map::new();
        let devices = answer.get("device_keys").and_then(|k| k.get(user.address()));
        let devices = devices.and_then(Value::as_object).unwrap_or(&none);
        let speaks_mls = devices.iter().filter_map(|(device, keys)| {
            let suites = announced_suites(keys);
            let asked_for = target.device.as_ref().is_none_or(|only| only == device);
            let client = user.device(device).ok().filter(|_| asked_for && !suites.is_empty())?;
            Some((client, suites))
        });
        let mut found = false;
        for (client, suites) in speaks_mls.take(DEVICES_PER_USER_MAX) {
            found = true;
            let suite = job.suites.iter().copied().find(|suite| suites.contains(suite));
            match suite.and_then(key_package::algorithm) {
                Some(algorithm) => wanted.push(Wanted { user: user.clone(), client, algorithm }),
                None => clear.push(entry(user, Some(client), ClaimOutcome::Incompatible)),
            }
        }
        if !found {
            clear.push(entry(user, None, ClaimOutcome::Unknown));
        }
    }
    Ok((wanted, clear))
}

/// One package of each device.
async fn packages(
    homeserver: &Homeserver,
    wanted: Vec<Wanted>,
) -> Result<Vec<ClaimedClient>, DeliveryError> {
    let mut asked = HashMap::<String, HashMap<String, &str>>::new();
    for device in &wanted {
        let devices = asked.entry(device.user.address()).or_default();
        devices.insert(device.client.device(), &device.algorithm);
    }
    let body = json!({ "one_time_keys": asked, "timeout": REMOTE_TIMEOUT_MS });
    let mut answer = post(homeserver, "claim", body).await?;
    let mut keys = answer.get_mut("one_time_keys").map(Value::take).unwrap_or_default();
    let of_device = |device: Wanted| {
        let keys = keys
            .get_mut(device.user.address())
            .and_then(|devices| devices.get_mut(device.client.device()))
            .map(Value::take);
        let outcome = keys.map_or(ClaimOutcome::Exhausted, key_package::claimed);
        entry(&device.user, Some(device.client), outcome)
    };
    Ok(wanted.into_iter().map(of_device).collect())
}

pub(super) async fn post(
    homeserver: &Homeserver,
    what: &str,
    body: Value,
) -> Result<Value, DeliveryError> {
    let path = ["_matrix", "client", "v3", "keys", what];
    let request = HomeserverRequest::new(Method::POST, &path).by_account(homeserver.hub());
    let answer = homeserver.send(request.body(body)).await;
    let answer = answer.map_err(|e| e.delivery(&format!("/keys/{what}")))?;
    let failures = answer.get("failures").and_then(Value::as_object);
    for server in failures.into_iter().flat_map(Map::keys) {
        tracing::warn!(server, "did not answer /keys/{what}: its users count as unknown");
    }
    Ok(answer)
}

fn entry(user: &UserId, client: Option<ClientId>, outcome: ClaimOutcome) -> ClaimedClient {
    ClaimedClient { user: user.clone(), client, outcome }
}
