//! Devices that are no more: logged out, or of an account that was deactivated. A homeserver lists them no
//! longer, and the hub, which it has once told of each, asks now and then.
//!
//! A device is revoked when two answers lack it, some time apart. No answer says nothing, so a homeserver that
//! is away revokes nobody. An XMPP server does not tell who has what devices.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::issue_credential::{certified_devices, next_certified_user};
use super::revocation::{RevokedBy, is_revoked};
use super::turn::{Turn, effect_id};
use super::{DevicesListed, Effect, ListDevices};
use crate::address::{ClientId, Network, UserId};
use crate::limits::{
    ACCOUNTS_LOOKED_AT_ONCE_MAX, GONE_PAUSE_MS, JOB_KEEP_MS, LOOK_AT_ACCOUNTS_AGAIN_MS,
};
use crate::overlay::decode;
use crate::service::domain_of_service;
use crate::store::{Space, StoreError};
use crate::wire::Digest;

/// When a device was first not listed, in milliseconds since 1970, by client.
const GONE: Space = "device_not_listed";
/// Nothing, by account: it is to be looked at with the next tick.
const ASKED_FOR: Space = "account_to_look_at";
/// How far the hub has looked.
const ROUND: Space = "account_round";
const KEY: &[u8] = b"round";
/// Accounts of one question that do not wait for their turn: the others go on, also where these are never
/// answered.
const OUT_OF_TURN_MAX: usize = ACCOUNTS_LOOKED_AT_ONCE_MAX / 2;

/// One look at all accounts, a few at a time.
#[derive(Clone, Debug, Default, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
struct Round {
    /// When it began, in milliseconds since 1970.
    begun_ms: u64,
    /// The account that was looked at last; nothing where the round has ended.
    last: Option<UserId>,
    /// The question that the homeserver did not answer yet, and when it was asked.
    waits: Option<Question>,
}

/// What a homeserver is asked.
#[derive(Clone, Debug, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
struct Question {
    job: Digest,
    asked_ms: u64,
}

impl Turn<'_> {
    /// An account is to be looked at soon.
    pub(super) fn look_soon(&self, user: &UserId) {
        if self.is_told_of(user) {
            self.store.put(ASKED_FOR, user.as_str().as_bytes(), Vec::new());
        }
    }

    /// Asks the homeserver about some accounts, if it is time and it owes no answer.
    pub(super) fn look_at_accounts(&mut self) -> Result<(), StoreError> {
        // Who certifies nobody asks about nobody, whatever its database certified before.
        if self.keys.authority.is_none() {
            return Ok(());
        }
        let mut round: Round = self.store.read(ROUND, KEY)?.unwrap_or_default();
        let owes = |waits: &Question| self.now_ms.abs_diff(waits.asked_ms) < JOB_KEEP_MS;
        if self.setup.matrix.is_none() || round.waits.as_ref().is_some_and(owes) {
            return Ok(());
        }
        let mut users = self.asked_for()?;
        self.add_unlisted(&mut users)?;
        if !self.add_of_round(&mut round, &mut users)? && users.is_empty() {
            return Ok(());
        }
        round.waits = None;
        if !users.is_empty() {
            let asked_ms = self.now_ms;
            let names: Vec<&[u8]> = users.iter().map(|user| user.as_str().as_bytes()).collect();
            let job = effect_id("devices", &[&names.concat(), &asked_ms.to_be_bytes()]);
            round.waits = Some(Question { job, asked_ms });
            self.effects.push(Effect::ListDevices(ListDevices { job, users }));
        }
        self.store.write(ROUND, KEY, &round)
    }

    /// Accounts that are to be looked at soon.
    fn asked_for(&self) -> Result<Vec<UserId>, StoreError> {
        let found = self.store.scan(ASKED_FOR, b"", b"", OUT_OF_TURN_MAX)?;
        found.iter().for_each(|(key, _)| self.store.delete(ASKED_FOR, key));
        let user = |key: &[u8]| UserId::parse(std::str::from_utf8(key).ok()?).ok();
        Ok(found.iter().filter_map(|(key, _)| user(key)).collect())
    }

    /// Accounts with a device that one answer lacked, and for which it is time to ask again.
    fn add_unlisted(&self, users: &mut Vec<UserId>) -> Result<(), StoreError> {
        for (key, value) in self.store.scan(GONE, b"", b"", ACCOUNTS_LOOKED_AT_ONCE_MAX)? {
            let first_ms: u64 = decode(GONE, &value)?;
            let client = std::str::from_utf8(&key).ok().and_then(|text| ClientId::parse(text).ok());
            let again = self.now_ms.abs_diff(first_ms) >= GONE_PAUSE_MS;
            if let Some(user) = client.filter(|_| again).map(|client| client.user())
                && users.len() < OUT_OF_TURN_MAX
                && !users.contains(&user)
            {
                users.push(user);
            }
        }
        Ok(())
    }

    /// The next accounts of the round; whether there is anything to store of that.
    fn add_of_round(&self, round: &mut Round, users: &mut Vec<UserId>) -> Result<bool, StoreError> {
        if round.last.is_none() {
            if self.now_ms.abs_diff(round.begun_ms) < LOOK_AT_ACCOUNTS_AGAIN_MS {
                return Ok(false);
            }
            round.begun_ms = self.now_ms;
        }
        while users.len() < ACCOUNTS_LOOKED_AT_ONCE_MAX {
            round.last = next_certified_user(self.store, Network::Matrix, round.last.as_ref())?;
            let Some(user) = &round.last else { break };
            if self.is_told_of(user) && !users.contains(user) {
                users.push(user.clone());
            }
        }
        Ok(true)
    }

    /// The homeserver has said which devices accounts have.
    pub(super) fn devices_listed(&mut self, listed: &DevicesListed) -> Result<(), StoreError> {
        let mut round: Round = self.store.read(ROUND, KEY)?.unwrap_or_default();
        if round.waits.take_if(|waits| waits.job == listed.job).is_none() {
            return Ok(());
        }
        self.store.write(ROUND, KEY, &round)?;
        for account in &listed.accounts {
            if !self.is_told_of(&account.user) {
                continue;
            }
            for client in certified_devices(self.store, &account.user)? {
                self.judge_listed(&client, account.devices.contains(&client.device()))?;
            }
        }
        Ok(())
    }

    fn judge_listed(&mut self, client: &ClientId, listed: bool) -> Result<(), StoreError> {
        let place = client.as_str().as_bytes();
        let first_ms = self.store.read::<u64>(GONE, place)?;
        if listed || is_revoked(self.store, client)? {
            if first_ms.is_some() {
                self.store.delete(GONE, place);
            }
            return Ok(());
        }
        match first_ms {
            None => self.store.write(GONE, place, &self.now_ms),
            Some(first_ms) if self.now_ms.abs_diff(first_ms) < GONE_PAUSE_MS => Ok(()),
            Some(_) => {
                self.store.delete(GONE, place);
                self.revoke(client, &RevokedBy::Gone).map(drop)
            }
        }
    }

    /// Whether the homeserver's word is the last one about an account, and ours follows from it.
    pub(super) fn is_told_of(&self, user: &UserId) -> bool {
        let own =
            self.setup.matrix.as_ref().and_then(|hub| domain_of_service(Network::Matrix, hub));
        let certifies = self.keys.authority.is_some() && user.network() == Network::Matrix;
        certifies && own == Some(&*user.domain())
    }
}

#[cfg(test)]
crate::codec_properties::hold!(Round, Question);
