//! Logging in with a password, and the session that comes of it.

use std::fmt;

use matrix_sdk::authentication::SessionTokens;
use matrix_sdk::authentication::matrix::MatrixSession;
use matrix_sdk::config::RequestConfig;
use matrix_sdk::{Client, SessionMeta};
use mls_core::delivery::DeliveryError;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use url::Url;
use zeroize::Zeroizing;

use super::{homeserver_error, parse, refused};
use crate::homeserver_error::HomeserverError;
use crate::transport::{REQUEST_DEADLINE, is_protected};

/// Who logs in where.
pub struct LoginRequest {
    /// Base URL of the homeserver; `http://` on loopback only.
    pub homeserver: Url,
    /// A Matrix user id, or its localpart.
    pub user: String,
    /// Wiped when dropped.
    pub password: Zeroizing<String>,
    /// What people see in the list of devices.
    pub device_name: String,
}

/// A device that is logged in. Keep it secret: who has the token is the account.
#[derive(Clone, Serialize, Deserialize)]
pub struct Session {
    /// Base URL of the homeserver.
    pub homeserver: Url,
    /// The full user id.
    pub user_id: String,
    /// The device that the login made.
    pub device_id: String,
    /// The access token; wiped when dropped.
    pub access_token: Zeroizing<String>,
}

/// Why a login failed.
#[derive(Debug, Error)]
pub enum LoginError {
    /// Everybody on the way could read the password.
    #[error("{0} is not protected: use https://, http:// is for loopback only")]
    NotProtected(Url),
    /// The homeserver says no: wrong user or password, or no login by password.
    #[error("the homeserver refuses the login: {0}")]
    Refused(String),
    /// It cannot be reached, is busy, or says to wait: try again later.
    #[error("the homeserver does not answer: {0}")]
    Unreachable(String),
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("homeserver", &self.homeserver.as_str())
            .field("user_id", &self.user_id)
            .field("device_id", &self.device_id)
            .finish_non_exhaustive()
    }
}

/// Logs in with a password and makes a new device.
pub async fn log_in(request: LoginRequest) -> Result<Session, LoginError> {
    let homeserver = request.homeserver;
    if !is_protected(&homeserver) {
        return Err(LoginError::NotProtected(homeserver));
    }
    let unreachable = |e: &dyn fmt::Display| LoginError::Unreachable(e.to_string());
    let client = build(&homeserver).await.map_err(|e| unreachable(&e))?;
    let login = client
        .matrix_auth()
        .login_username(&request.user, &request.password)
        .initial_device_display_name(&request.device_name)
        .send()
        .await;
    match login {
        Ok(answer) => Ok(Session {
            homeserver,
            user_id: answer.user_id.to_string(),
            device_id: answer.device_id.to_string(),
            access_token: Zeroizing::new(answer.access_token),
        }),
        Err(error) => Err(login_error(&error)),
    }
}

/// What the homeserver has judged is refused; all else may pass.
fn login_error(error: &matrix_sdk::Error) -> LoginError {
    let said = match error {
        matrix_sdk::Error::Http(error) => homeserver_error(error),
        other => HomeserverError::Unreachable(other.to_string()),
    };
    match (said.delivery("logging in"), &said) {
        (_, HomeserverError::Unreachable(why)) => LoginError::Unreachable(why.clone()),
        (DeliveryError::Later { .. }, said) if !said.ends_session() => {
            LoginError::Unreachable(said.to_string())
        }
        (_, said) => LoginError::Refused(said.to_string()),
    }
}

/// A client that speaks for the session; no network is used.
pub(super) async fn restore(session: &Session) -> Result<Client, DeliveryError> {
    if !is_protected(&session.homeserver) {
        return Err(refused(LoginError::NotProtected(session.homeserver.clone()).to_string()));
    }
    let client = build(&session.homeserver).await.map_err(|e| refused(e.to_string()))?;
    let user_id = parse(&session.user_id, "the session's user id")?;
    let restored = MatrixSession {
        meta: SessionMeta { user_id, device_id: session.device_id.as_str().into() },
        tokens: SessionTokens {
            access_token: session.access_token.to_string(),
            refresh_token: None,
        },
    };
    client.restore_session(restored).await.map_err(|e| refused(e.to_string()))?;
    Ok(client)
}

/// No retries inside matrix-sdk: the caller keeps what is to be sent, and waits as it is told.
async fn build(homeserver: &Url) -> Result<Client, matrix_sdk::ClientBuildError> {
    Client::builder()
        .homeserver_url(homeserver)
        .respect_login_well_known(false)
        .request_config(RequestConfig::new().disable_retry().timeout(REQUEST_DEADLINE))
        .build()
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_does_not_print_its_token() {
        let session = Session {
            homeserver: Url::parse("https://example.org").unwrap(),
            user_id: "@a:b".to_owned(),
            device_id: "DEV".to_owned(),
            access_token: Zeroizing::new("syt_secret".to_owned()),
        };
        assert!(!format!("{session:?}").contains("secret"));
    }

    #[tokio::test]
    async fn a_password_never_goes_to_a_server_in_clear() {
        let request = LoginRequest {
            homeserver: Url::parse("http://example.org").unwrap(),
            user: "a".to_owned(),
            password: Zeroizing::new("p".to_owned()),
            device_name: "d".to_owned(),
        };
        assert!(matches!(log_in(request).await, Err(LoginError::NotProtected(_))));
    }
}
