//! The JSON form of commands about identity keys. Each has exactly the fields that are written here.

use mls_core::member::IdentityCommand;
use mls_core::user_identity::{DeviceRequest, DeviceStatement};
use serde::Deserialize;
use serde::de::{Error, IgnoredAny};

use crate::identities::{IdentityWish, wish_of};
use crate::identity_text::Carried;
use crate::user;

/// Names of these commands.
pub(super) const NAMES: [&str; 6] = [
    "identity",
    "identity_create",
    "identity_request",
    "identity_sign",
    "identity_accept",
    "verify",
];

#[derive(Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum IdentityJson {
    Identity {
        #[serde(rename = "id")]
        _id: IgnoredAny,
    },
    IdentityCreate {
        #[serde(rename = "id")]
        _id: IgnoredAny,
        #[serde(default)]
        replace: bool,
    },
    IdentityRequest {
        #[serde(rename = "id")]
        _id: IgnoredAny,
    },
    IdentitySign {
        #[serde(rename = "id")]
        _id: IgnoredAny,
        request: String,
    },
    IdentityAccept {
        #[serde(rename = "id")]
        _id: IgnoredAny,
        statement: String,
    },
    Verify {
        #[serde(rename = "id")]
        _id: IgnoredAny,
        user: String,
        digits: Option<String>,
        scanned: Option<String>,
        #[serde(default)]
        forget: bool,
    },
}

impl IdentityJson {
    /// What it means.
    pub(super) fn into_wish(self) -> Result<IdentityWish, serde_json::Error> {
        let wrong = serde_json::Error::custom::<String>;
        Ok(match self {
            Self::Identity { .. } => IdentityWish::Show,
            Self::IdentityCreate { replace, .. } => {
                IdentityWish::Said(IdentityCommand::Create(replace))
            }
            Self::IdentityRequest { .. } => IdentityWish::Request,
            Self::IdentitySign { request, .. } => {
                IdentityWish::Sign(DeviceRequest::from_line(&request).map_err(wrong)?)
            }
            Self::IdentityAccept { statement, .. } => {
                let statement = DeviceStatement::from_line(&statement).map_err(wrong)?;
                IdentityWish::Said(IdentityCommand::Accept(statement))
            }
            Self::Verify { user, digits, scanned, forget, .. } => {
                let user = user::from_human(&user).map_err(|e| wrong(e.to_string()))?;
                wish_of(user, digits, scanned, forget).map_err(wrong)?
            }
        })
    }
}
