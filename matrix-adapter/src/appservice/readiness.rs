//! Waiting for the homeserver, and making the hub known to it.

use reqwest::Method;
use serde_json::json;

use super::ghost_account::register;
use super::homeserver::{Homeserver, HomeserverRequest};
use super::homeserver_error::HomeserverError;
use crate::transport::Backoff;

/// Returns once the hub has its account and its device there; whatever is wrong meanwhile is
/// said once, for it may well be that the operator is just mending it.
pub(super) async fn wait(homeserver: &Homeserver) {
    let mut backoff = Backoff::default();
    let mut said = None;
    loop {
        match prepare(homeserver).await {
            Ok(()) => return,
            Err(error) => {
                let delivery = error.delivery("waiting for the homeserver").to_string();
                if said.as_ref() != Some(&delivery) {
                    tracing::warn!("{delivery}");
                    said = Some(delivery);
                }
                let asked_ms = match error {
                    HomeserverError::Said { retry_after_ms, .. } => retry_after_ms,
                    HomeserverError::Unreachable(_) => None,
                };
                tokio::time::sleep(backoff.next(asked_ms)).await;
            }
        }
    }
}

async fn prepare(homeserver: &Homeserver) -> Result<(), HomeserverError> {
    let hub = homeserver.hub();
    if register(homeserver, hub).await? {
        let path = ["_matrix", "client", "v3", "profile", hub, "displayname"];
        let request = HomeserverRequest::new(Method::PUT, &path).by_account(hub);
        homeserver.send(request.body(json!({ "displayname": "MLS hub" }))).await?;
    }
    Ok(())
}
