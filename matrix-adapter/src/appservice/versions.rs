//! Whether a homeserver answers (Matrix client-server API, `/_matrix/client/versions`).

use reqwest::Method;
use serde_json::Value;

use super::homeserver::{Homeserver, HomeserverRequest};
use super::homeserver_error::HomeserverError;

/// An error when nobody answers, or somebody who is no homeserver.
pub(super) async fn versions(homeserver: &Homeserver) -> Result<(), HomeserverError> {
    let path = ["_matrix", "client", "versions"];
    let request = HomeserverRequest::new(Method::GET, &path).anonymous();
    let answer = homeserver.send(request).await?;
    match answer.get("versions").and_then(Value::as_array) {
        Some(_) => Ok(()),
        None => Err(HomeserverError::Unreachable("this is no homeserver".to_owned())),
    }
}
