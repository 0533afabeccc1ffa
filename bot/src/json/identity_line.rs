//! What is printed of identity keys: one's own, and those of others.

use mls_core::limits::DAY_MS;
use mls_core::member::IdentitySummary;
use mls_core::user_identity::{DeviceRequest, DeviceStatement, SeenKey, Verification};
use serde::Serialize;

use crate::identity_text::Carried;

/// An answer about identity keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum IdentityLine {
    /// What this device has.
    Identity {
        /// The command, where one asked.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// This device.
        client: String,
        /// `none`, `made_here`, or `signed` by the device that made it.
        state: &'static str,
        /// The identity key that signed this device, in hex.
        identity_key: Option<String>,
        /// Its SHA-256, in hex.
        fingerprint: Option<String>,
        /// When it signed, to the day, in milliseconds since 1970.
        signed: Option<u64>,
    },
    /// What this device asks another one to sign.
    IdentityRequest {
        /// The command, where one asked.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// This device.
        client: String,
        /// SHA-256 of its key, in hex.
        device_fingerprint: String,
        /// The line for `identity sign`.
        request: String,
    },
    /// A device was signed.
    IdentityStatement {
        /// The command, where one asked.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// The device.
        client: String,
        /// SHA-256 of its key, in hex.
        device_fingerprint: String,
        /// The line for `identity accept` on that device.
        statement: String,
    },
    /// What is to be compared with a user.
    Verification {
        /// The command, where one asked.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// The user.
        user: String,
        /// Each identity key behind their devices; usually one.
        keys: Vec<SeenKeyLine>,
        /// Their devices that none soundly signs.
        unsigned: Vec<String>,
    },
}

/// An identity key of another user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SeenKeyLine {
    /// In hex.
    pub identity_key: String,
    /// Whether a person verified it here.
    pub verified: bool,
    /// The devices that it signed.
    pub clients: Vec<String>,
    /// 60 digits in 12 groups, to be compared by voice.
    pub safety_number: String,
    /// The text of the QR code that the other scans.
    pub code: String,
}

impl IdentityLine {
    /// What this device has.
    pub(crate) fn summary(id: Option<String>, summary: &IdentitySummary) -> Self {
        let statement = summary.statement.as_ref();
        let key = statement.map(|statement| statement.identity_key);
        Self::Identity {
            id,
            client: summary.client.to_string(),
            state: match statement {
                None => "none",
                Some(_) if summary.made_here => "made_here",
                Some(_) => "signed",
            },
            identity_key: key.map(|key| key.to_string()),
            fingerprint: key.map(|key| key.fingerprint().to_string()),
            signed: statement.map(|statement| u64::from(statement.day) * DAY_MS),
        }
    }

    /// A line for the first device.
    pub(crate) fn request(id: Option<String>, request: &DeviceRequest) -> Self {
        Self::IdentityRequest {
            id,
            client: request.client.to_string(),
            device_fingerprint: request.device_key.fingerprint().to_string(),
            request: request.to_line(),
        }
    }

    /// A line for the device that was signed.
    pub(crate) fn statement(id: Option<String>, statement: &DeviceStatement) -> Self {
        Self::IdentityStatement {
            id,
            client: statement.client.to_string(),
            device_fingerprint: statement.device_key.fingerprint().to_string(),
            statement: statement.to_line(),
        }
    }

    /// What is to be compared.
    pub(crate) fn verification(id: Option<String>, seen: &Verification) -> Self {
        let line = |key: &SeenKey| SeenKeyLine {
            identity_key: key.key.to_string(),
            verified: key.verified,
            clients: key.clients.iter().map(ToString::to_string).collect(),
            safety_number: seen.number(key),
            code: seen.code(key).to_line(),
        };
        Self::Verification {
            id,
            user: seen.user.to_string(),
            keys: seen.keys.iter().map(line).collect(),
            unsigned: seen.unsigned.iter().map(ToString::to_string).collect(),
        }
    }
}
