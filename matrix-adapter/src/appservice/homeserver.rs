//! Requests of the hub and its ghosts to the homeserver (Matrix client-server API with the
//! application service's token, `?user_id=` and `?device_id=`).

use std::fmt;

use mls_core::address::UserId;
use reqwest::header::RETRY_AFTER;
use reqwest::redirect::Policy;
use reqwest::{Client, Method};
use serde_json::Value;
use url::Url;
use zeroize::Zeroizing;

use super::homeserver_error::HomeserverError;
use super::setup::{AppserviceSetup, StartError};
use crate::mapping::ghost;
use crate::mapping::namespace::APPSERVICE_DEVICE;
use crate::transport::{CONNECT_DEADLINE, REQUEST_DEADLINE, is_protected};

/// Bytes of an answer that are read at most.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The homeserver, as the application service sees it.
pub(super) struct Homeserver {
    http: Client,
    base: Url,
    token: Zeroizing<String>,
    server_name: String,
    hub: String,
}

/// One request, before it is sent.
pub(super) struct HomeserverRequest<'a> {
    method: Method,
    path: &'a [&'a str],
    query: Vec<(&'a str, String)>,
    body: Option<Value>,
    authenticated: bool,
}

impl<'a> HomeserverRequest<'a> {
    /// `path` segment by segment; each is escaped as it must be.
    pub(super) fn new(method: Method, path: &'a [&'a str]) -> Self {
        Self { method, path, query: Vec::new(), body: None, authenticated: true }
    }

    /// As `user`: the hub or a ghost, through its one device.
    pub(super) fn by(self, user: &str) -> Self {
        self.by_account(user).query("device_id", APPSERVICE_DEVICE.to_owned())
    }

    /// As `user`, without a device: for requests that come before there is one.
    pub(super) fn by_account(self, user: &str) -> Self {
        self.query("user_id", user.to_owned())
    }

    /// Without our token, for what everybody may ask.
    pub(super) fn anonymous(mut self) -> Self {
        self.authenticated = false;
        self
    }

    /// One more parameter.
    pub(super) fn query(mut self, name: &'a str, value: String) -> Self {
        self.query.push((name, value));
        self
    }

    /// A body.
    pub(super) fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }
}

impl Homeserver {
    /// No connection is made yet.
    pub(super) fn new(setup: &AppserviceSetup) -> Result<Self, StartError> {
        if !is_protected(&setup.homeserver) || setup.homeserver.cannot_be_a_base() {
            return Err(StartError::NotProtected(setup.homeserver.clone()));
        }
        let hub = format!("@{}:{}", setup.sender_localpart, setup.server_name);
        if ruma::UserId::parse(&*hub).is_err() {
            return Err(StartError::BadName {
                localpart: setup.sender_localpart.clone(),
                server_name: setup.server_name.clone(),
            });
        }
        let http = Client::builder()
            .connect_timeout(CONNECT_DEADLINE)
            .timeout(REQUEST_DEADLINE)
            // A redirect could carry the token to a stranger.
            .redirect(Policy::none())
            .build()?;
        Ok(Self {
            http,
            base: setup.homeserver.clone(),
            token: setup.as_token.clone(),
            server_name: setup.server_name.clone(),
            hub,
        })
    }

    /// The hub's user id.
    pub(super) fn hub(&self) -> &str {
        &self.hub
    }

    /// The homeserver's name in user ids.
    pub(super) fn server_name(&self) -> &str {
        &self.server_name
    }

    /// The ghost of an account of the other network.
    pub(super) fn ghost(&self, user: &UserId) -> Option<String> {
        ghost::user_id(user, &self.server_name)
    }

    /// Whether a user id is that of one of our ghosts.
    pub(super) fn is_ghost(&self, user_id: &str) -> bool {
        ghost::is_ghost(user_id, &self.server_name)
    }

    /// Sends a request and reads the JSON of its answer.
    pub(super) async fn send(
        &self,
        request: HomeserverRequest<'_>,
    ) -> Result<Value, HomeserverError> {
        let mut url = self.url(request.path);
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&request.query);
        }
        let mut outgoing = self.http.request(request.method, url);
        if request.authenticated {
            outgoing = outgoing.bearer_auth(&*self.token);
        }
        if let Some(body) = &request.body {
            outgoing = outgoing.json(body);
        }
        // The error's text would name the whole URL; `without_url` keeps user ids out of logs.
        let unreachable =
            |e: reqwest::Error| HomeserverError::Unreachable(sentence(&e.without_url()));
        let mut answer = outgoing.send().await.map_err(unreachable)?;
        let status = answer.status();
        let wait = answer.headers().get(RETRY_AFTER).and_then(|v| v.to_str().ok()?.parse().ok());
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
            if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(HomeserverError::Unreachable("an answer without end".to_owned()));
            }
            bytes.extend_from_slice(&chunk);
        }
        let body = serde_json::from_slice(&bytes);
        if status.is_success() {
            body.map_err(|e| HomeserverError::Unreachable(format!("its answer is no JSON: {e}")))
        } else {
            let said = HomeserverError::said(status.as_u16(), wait, &body.unwrap_or_default());
            Err(said.advise("is registration.yaml the one that it has loaded?"))
        }
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }
}

/// An error with all its causes.
fn sentence(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

impl fmt::Debug for Homeserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Homeserver").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_paths_are_escaped() {
        let setup = AppserviceSetup {
            listen: ([127, 0, 0, 1], 0).into(),
            homeserver: Url::parse("https://hs.example/base/").unwrap(),
            server_name: "example.org".to_owned(),
            as_token: Zeroizing::new("a".to_owned()),
            hs_token: Zeroizing::new("h".to_owned()),
            sender_localpart: "mls".to_owned(),
            has_rooms: true,
        };
        let homeserver = Homeserver::new(&setup).unwrap();
        assert_eq!(
            homeserver.url(&["rooms", "!a/b?c#d%:e", "send"]).as_str(),
            "https://hs.example/base/rooms/!a%2Fb%3Fc%23d%25:e/send"
        );
        assert_eq!(homeserver.hub(), "@mls:example.org");
    }
}
