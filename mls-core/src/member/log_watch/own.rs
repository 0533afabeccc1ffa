//! What the authority did in the name of this device's user: every entry is read, and held against what this
//! device has asked for.
//!
//! It knows that of itself only. Another device of the user looks after its own certificates; here it is told
//! of, when the log names it for the first time.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::super::alarm::Alarm;
use super::super::keys::SignatureKey;
use super::super::requests::Purpose;
use super::super::warning::WarningKind;
use super::super::{Event, Member};
use super::Watch;
use crate::address::ClientId;
use crate::engine::sha256;
use crate::limits::{LOG_ASKED_KEYS_MAX, LOG_OWN_LEAVES_MAX};
use crate::overlay::{Overlay, decode};
use crate::policy::CREDENTIAL_LIFETIME_MS;
use crate::store::{Space, StoreError};
use crate::transparency::{Issued, LogEntry, Revoked};
use crate::wire::fetch_own_entries::{FetchOwnEntries, OwnEntry};
use crate::wire::refusal::Refusal;
use crate::wire::{Answer, Digest, GroupId, Request};

/// Entries of this user, by their place in the log.
const ENTRY: Space = "log_own";
/// Other devices of this user that the log has named.
const DEVICE: Space = "log_device";
/// Hashes of the signature keys for which this device has asked for a certificate, and when it did last.
const ASKED: Space = "log_asked_key";
const HIDDEN: &str = "the hub does not show what its log holds in this user's name";

/// Whether a device of this user wanted an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
#[repr(u8)]
pub enum Asked {
    /// It is about this device, which asked for it.
    Here = 1u8,
    /// It is about another device, which has to know.
    Elsewhere = 2u8,
    /// It is about this device, which did not ask for it.
    Nowhere = 3u8,
    /// It was there when this device looked into the log for the first time.
    Before = 4u8,
}

/// An entry of the log in this user's name.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct LoggedEntry {
    /// Its place in the log.
    pub index: u64,
    /// What the authority did.
    pub entry: LogEntry,
    /// Whether it was wanted.
    pub asked: Asked,
}

/// The authority certified a key in the name of this device that never was here: somebody else can speak in its
/// name. Ask the authority's operator, with the entry in hand.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct NotAsked {
    /// The entry's place in the log.
    pub index: u64,
    /// SHA-256 of the key.
    pub key: Digest,
    /// When it was signed, by the hub's clock in milliseconds since 1970.
    pub at_ms: u64,
}

/// Another device of this user was certified for the first time. Whoever has no such device revokes it.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct DeviceCertified {
    /// Which.
    pub client: ClientId,
    /// When, by the hub's clock in milliseconds since 1970.
    pub at_ms: u64,
}

/// Deletes all entries: those of another log are to be read.
pub(super) fn forget_entries(overlay: &Overlay) -> Result<(), StoreError> {
    for (place, _) in overlay.scan(ENTRY, &[], &[], LOG_OWN_LEAVES_MAX)? {
        overlay.delete(ENTRY, &place);
    }
    Ok(())
}

impl Member {
    /// Everything that the log holds in this user's name, as far as it was read, in its order.
    pub fn own_log_entries(&self) -> Result<Vec<LoggedEntry>, StoreError> {
        let rows = self.overlay.scan(ENTRY, &[], &[], LOG_OWN_LEAVES_MAX)?;
        rows.iter().map(|(_, value)| decode(ENTRY, value)).collect()
    }

    /// A certificate for this key was asked for.
    pub(in super::super) fn note_asked_key(&self, key: &SignatureKey) -> Result<(), StoreError> {
        self.overlay.write(ASKED, &sha256(key.public()).0, &self.now_ms)
    }

    /// Deletes the keys that can be in no certificate any more.
    pub(super) fn forget_asked_keys(&self) -> Result<(), StoreError> {
        let before_ms = self.now_ms.saturating_sub(CREDENTIAL_LIFETIME_MS);
        for (key, value) in self.overlay.scan(ASKED, &[], &[], LOG_ASKED_KEYS_MAX)? {
            if decode::<u64>(ASKED, &value)? < before_ms {
                self.overlay.delete(ASKED, &key);
            }
        }
        Ok(())
    }

    fn has_asked(&self, key: &Digest) -> Result<bool, StoreError> {
        Ok(self.overlay.get(ASKED, &key.0)?.is_some())
    }

    /// Asks for the entries behind the leaves that name this user.
    pub(super) fn read_own_entries(&mut self, watch: &Watch) -> Result<(), StoreError> {
        let Some(first) = watch.own.first() else { return Ok(()) };
        let asked = Request::FetchOwnEntries(FetchOwnEntries { from: first.index });
        self.request(Purpose::OwnEntries, asked).map(drop)
    }

    /// The hub gave entries of this user: they must be those of the leaves.
    pub(in super::super) fn own_entries_answered(
        &mut self,
        result: Result<Answer, Refusal>,
    ) -> Result<(), StoreError> {
        let Ok(Answer::OwnEntries(answer)) = result else { return Ok(()) };
        let mut watch = self.watch()?;
        let before = watch.own.len();
        for OwnEntry { index, entry } in answer.entries {
            let hash = entry.hash().map_err(|e| StoreError(e.to_string()))?;
            let wanted = watch.own.iter().position(|l| l.index == index && l.entry_hash == hash);
            // A leaf can name this user, and its entry somebody else.
            let own = entry.client().user() == self.client.user();
            if let Some(place) = wanted.filter(|_| own) {
                watch.own.remove(place);
                self.take_own_entry(index, entry, watch.since)?;
            }
        }
        self.save_watch(&watch)?;
        match watch.own.len() {
            0 => Ok(()),
            left if left < before => self.read_own_entries(&watch),
            _ => self.warn(&GroupId::none(), WarningKind::Authority, HIDDEN),
        }
    }

    /// Keeps an entry, and tells people of what they should know.
    fn take_own_entry(
        &mut self,
        index: u64,
        entry: LogEntry,
        since: u64,
    ) -> Result<(), StoreError> {
        let key = index.to_be_bytes();
        if self.overlay.get(ENTRY, &key)?.is_some() {
            return Ok(());
        }
        let own = *entry.client() == self.client;
        let asked = match &entry {
            _ if index < since && !own => Asked::Before,
            _ if !own => Asked::Elsewhere,
            LogEntry::Issued(issued) if self.has_asked(&issued.key)? => Asked::Here,
            _ if index < since => Asked::Before,
            _ => Asked::Nowhere,
        };
        match &entry {
            LogEntry::Issued(issued) => self.tell_of_issued(index, issued, asked)?,
            LogEntry::Revoked(revoked) => self.tell_of_own_revoked(revoked, asked)?,
        }
        self.overlay.write(ENTRY, &key, &LoggedEntry { index, entry, asked })
    }

    fn tell_of_issued(
        &mut self,
        index: u64,
        issued: &Issued,
        asked: Asked,
    ) -> Result<(), StoreError> {
        let (client, key, at_ms) = (issued.client.clone(), issued.key, issued.at_ms);
        if asked == Asked::Nowhere {
            return self.alarm(&GroupId::none(), Alarm::NotAsked(NotAsked { index, key, at_ms }));
        }
        let device = client.as_str().as_bytes().to_vec();
        if client == self.client || self.overlay.get(DEVICE, &device)?.is_some() {
            return Ok(());
        }
        self.overlay.put(DEVICE, &device, Vec::new());
        match asked {
            Asked::Elsewhere => {
                self.emit(Event::DeviceCertified(DeviceCertified { client, at_ms })).map(drop)
            }
            _ => Ok(()),
        }
    }

    fn tell_of_own_revoked(&mut self, revoked: &Revoked, asked: Asked) -> Result<(), StoreError> {
        match asked {
            Asked::Before => Ok(()),
            _ if revoked.client == self.client && self.is_known_revoked()? => Ok(()),
            _ => self.warn(
                &GroupId::none(),
                WarningKind::OwnDeviceRevoked,
                format!("{} of this user was revoked", revoked.client),
            ),
        }
    }
}

#[cfg(test)]
crate::codec_properties::hold!(Asked, LoggedEntry, NotAsked, DeviceCertified);
