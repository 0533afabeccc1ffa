//! What is kept of devices and accounts that are revoked.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use crate::address::{ClientId, UserId};
use crate::authority::RevokedCertificate;
use crate::limits::REVOKED_CERTIFICATES_MAX;
use crate::overlay::{Overlay, decode};
use crate::store::{Space, StoreError};
use crate::transparency::{RevocationReason, SerialNumber};

/// [`RevokedDevice`] by client.
const DEVICE: Space = "revoked";
/// The same of devices that may ask again: their certificates of before stay revoked.
const LIFTED: Space = "revoked_lifted";
/// [`RevokedBy`] by client, where it was not another device of its user.
const BY: Space = "revoked_by";
/// Since when an account is revoked, in milliseconds since 1970, by user.
const USER: Space = "revoked_user";

/// Since when a device counts no more, and by whose word.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
struct RevokedDevice {
    at_ms: u64,
    /// The device of the same user that asked.
    by: Option<ClientId>,
    /// All certificates that it ever got and that had not ended.
    certificates: Vec<RunningCertificate>,
}

/// A certificate that has not ended.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub(super) struct RunningCertificate {
    pub(super) serial: SerialNumber,
    pub(super) not_after_s: u64,
}

/// By whose word a device, or an account, is revoked.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
#[repr(u8)]
pub enum RevokedBy {
    /// Another device of the same user.
    Device(ClientId) = 1u8,
    /// The operator, who named it.
    Operator = 2u8,
    /// The operator, who named the device's account.
    OperatorOfUser = 3u8,
    /// Nobody: the homeserver does not list the device any more.
    Gone = 4u8,
}

impl RevokedBy {
    /// What log and list say of it.
    pub(super) fn reason(&self) -> RevocationReason {
        match self {
            Self::Device(_) => RevocationReason::KeyCompromise,
            Self::Operator | Self::OperatorOfUser => RevocationReason::Unspecified,
            Self::Gone => RevocationReason::CessationOfOperation,
        }
    }
}

/// Notes that a device is revoked.
pub(super) fn write(
    store: &Overlay,
    client: &ClientId,
    at_ms: u64,
    by: &RevokedBy,
    certificates: Vec<RunningCertificate>,
) -> Result<(), StoreError> {
    let device = match by {
        RevokedBy::Device(device) => Some(device.clone()),
        _ => None,
    };
    // All certificates that had not ended are among these.
    store.delete(LIFTED, place(client));
    write_by(store, client, by)?;
    store.write(DEVICE, place(client), &RevokedDevice { at_ms, by: device, certificates })
}

/// Notes by whose word a device is revoked.
pub(super) fn write_by(
    store: &Overlay,
    client: &ClientId,
    by: &RevokedBy,
) -> Result<(), StoreError> {
    match by {
        RevokedBy::Device(_) => {
            store.delete(BY, place(client));
            Ok(())
        }
        by => store.write(BY, place(client), by),
    }
}

/// By whose word the device itself is revoked, and since when; nothing where it is not.
pub(super) fn of_device(
    store: &Overlay,
    client: &ClientId,
) -> Result<Option<(RevokedBy, u64)>, StoreError> {
    let Some(value) = store.get(DEVICE, place(client))? else { return Ok(None) };
    let device: RevokedDevice = decode(DEVICE, &value)?;
    Ok(Some((by(store, client, device.by)?, device.at_ms)))
}

/// The device may ask again; what it had stays revoked.
pub(in crate::hub) fn lift(store: &Overlay, client: &ClientId) -> Result<(), StoreError> {
    let Some(device) = store.read::<RevokedDevice>(DEVICE, place(client))? else { return Ok(()) };
    store.delete(DEVICE, place(client));
    store.write(LIFTED, place(client), &device)
}

/// Since when an account is revoked, in milliseconds since 1970.
pub(in crate::hub) fn user_since_ms(
    store: &Overlay,
    user: &UserId,
) -> Result<Option<u64>, StoreError> {
    store.read(USER, user.as_str().as_bytes())
}

/// Notes that an account is revoked.
pub(in crate::hub) fn write_user(
    store: &Overlay,
    user: &UserId,
    at_ms: u64,
) -> Result<(), StoreError> {
    store.write(USER, user.as_str().as_bytes(), &at_ms)
}

/// The account is not revoked any more.
pub(in crate::hub) fn lift_user(store: &Overlay, user: &UserId) {
    store.delete(USER, user.as_str().as_bytes());
}

/// A device, by whose word it is revoked, and since when in milliseconds since 1970.
type DeviceRow = (ClientId, RevokedBy, u64);

/// At most `limit` revoked devices, of one user or of all, by name.
pub(in crate::hub) fn devices(
    store: &Overlay,
    of: Option<&UserId>,
    limit: usize,
) -> Result<Vec<DeviceRow>, StoreError> {
    let prefix = of.map(|user| format!("{user}/")).unwrap_or_default();
    let mut devices = Vec::new();
    store.each(DEVICE, prefix.as_bytes(), |key, value| {
        let RevokedDevice { at_ms, by: device, .. } = decode(DEVICE, value)?;
        if let Some(client) = client_at(key) {
            let by = by(store, &client, device)?;
            devices.push((client, by, at_ms));
        }
        Ok(devices.len() < limit)
    })?;
    Ok(devices)
}

/// At most `limit` revoked accounts, by name, and since when.
pub(in crate::hub) fn users(
    store: &Overlay,
    limit: usize,
) -> Result<Vec<(UserId, u64)>, StoreError> {
    let mut users = Vec::new();
    store.each(USER, &[], |key, value| {
        let user = std::str::from_utf8(key).ok().and_then(|text| UserId::parse(text).ok());
        if let Some(user) = user {
            users.push((user, decode(USER, value)?));
        }
        Ok(users.len() < limit)
    })?;
    Ok(users)
}

/// The certificates of all devices that are or were revoked which have not ended by themselves.
pub(in crate::hub) fn certificates(
    store: &Overlay,
    now_ms: u64,
) -> Result<Vec<RevokedCertificate>, StoreError> {
    let mut found = Vec::new();
    for space in [DEVICE, LIFTED] {
        store.each(space, &[], |key, value| {
            let RevokedDevice { at_ms, by: device, certificates } = decode(space, value)?;
            let running = certificates.into_iter().filter(|one| one.not_after_s > now_ms / 1000);
            let running: Vec<_> = running.map(|one| one.serial.0).collect();
            if let (false, Some(client)) = (running.is_empty(), client_at(key)) {
                let reason = by(store, &client, device)?.reason();
                let listed = |serial| RevokedCertificate { serial, at_ms, reason };
                found.extend(running.into_iter().map(listed));
            }
            Ok(found.len() < REVOKED_CERTIFICATES_MAX)
        })?;
    }
    found.truncate(REVOKED_CERTIFICATES_MAX);
    Ok(found)
}

/// Databases of before name nobody where it was another device of the user.
fn by(
    store: &Overlay,
    client: &ClientId,
    device: Option<ClientId>,
) -> Result<RevokedBy, StoreError> {
    let named = store.read(BY, place(client))?;
    Ok(named.or(device.map(RevokedBy::Device)).unwrap_or(RevokedBy::Operator))
}

fn client_at(key: &[u8]) -> Option<ClientId> {
    std::str::from_utf8(key).ok().and_then(|text| ClientId::parse(text).ok())
}

fn place(client: &ClientId) -> &[u8] {
    client.as_str().as_bytes()
}

#[cfg(test)]
crate::codec_properties::hold!(RevokedDevice, RunningCertificate, RevokedBy);
