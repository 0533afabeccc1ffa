//! Rotate everywhere: fresh keys wherever this device is seen.
//!
//! Its own keys get new certificates, its KeyPackages are replaced, and each group gets a commit with a fresh
//! signature key, a few groups at a time. What did not work is said at the end; the rest is not undone.
//! The device's own signature key stays: the authority knows the device by it ([`super::keys`]).

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};
use mls_rs_core::crypto::CipherSuite;

use super::commit::Changes;
use super::credentials::SCHEMES;
use super::group_record::State;
use super::intents::Stage;
use super::requests::Purpose;
use super::{Command, Member};
use crate::limits::{RENEWAL_FAILURES_NAMED_MAX, RENEWAL_WAIT_MS, RENEWALS_AT_ONCE_MAX};
use crate::store::StoreError;
use crate::wire::{Digest, GroupId};

const NO_CERTIFICATE: &str = "key packages: the authority gave no fresh certificate for them";

/// How far such a command has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub(super) struct Renewing {
    /// When it began.
    since_ms: u64,
    /// Uploads of fresh key packages; none before these are made.
    packages: Option<Vec<Digest>>,
    /// Groups up to this one were begun, in the order of their ids.
    begun: Option<GroupId>,
    /// Those that are not over.
    under_way: Vec<GroupRenewal>,
    /// One sentence for each failure, as many as are named.
    failures: Vec<String>,
    /// All failures.
    failed: u32,
}

/// The renewal in one group.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub(super) struct GroupRenewal {
    group: GroupId,
    /// The signature key that is to be left behind.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    before: Vec<u8>,
}

impl Member {
    /// Takes the first RotateEverywhere command as far as it goes; others wait for it.
    pub(super) fn step_everywhere(&mut self) -> Result<(), StoreError> {
        let Some((number, stage)) = self.everywhere() else { return Ok(()) };
        let Stage::Renewing(before) = stage else { return self.begin_everywhere(number) };
        let mut renewing = before.clone();
        if renewing.packages.is_none() && !self.replace_packages(&mut renewing)? {
            return Ok(());
        }
        self.end_renewals(&mut renewing)?;
        self.begin_renewals(&mut renewing)?;
        if renewing.under_way.is_empty() && !self.is_uploading(&renewing)? {
            return self.end_everywhere(number, &renewing);
        }
        self.touched.extend(renewing.under_way.iter().map(|one| one.group.clone()));
        if renewing == before { Ok(()) } else { self.set_stage(number, Stage::Renewing(renewing)) }
    }

    fn everywhere(&self) -> Option<(u64, Stage)> {
        let wanted = |command: &Command| matches!(command, Command::RotateEverywhere);
        let intent = self.intents.values().find(|intent| wanted(&intent.command))?;
        Some((intent.number, intent.stage.clone()))
    }

    /// Whether such a command is under way.
    pub(super) fn is_renewing_everywhere(&self) -> bool {
        self.everywhere().is_some()
    }

    /// Asks for fresh certificates of the device's own keys, where there is an authority.
    fn begin_everywhere(&mut self, number: u64) -> Result<(), StoreError> {
        if self.need_hub()?.is_none() || !self.is_announced()? {
            return Ok(());
        }
        let certified = self.is_certified_by_hub()?;
        for suite in SCHEMES.into_iter().filter(|_| certified) {
            let purpose = Purpose::Credential(suite.into());
            if !self.is_asking(|asked| *asked == purpose) {
                let key = self.keys.of(suite).clone();
                self.ask_for_credential(purpose, suite, &key)?;
            }
        }
        let renewing = Renewing { since_ms: self.now_ms, ..Renewing::default() };
        self.set_stage(number, Stage::Renewing(renewing))
    }

    /// Makes key packages in place of all that were published; false while their certificates, or
    /// uploads from before, are on their way.
    fn replace_packages(&mut self, renewing: &mut Renewing) -> Result<bool, StoreError> {
        let asking = self.is_asking(|purpose| matches!(purpose, Purpose::Credential(_)));
        if asking || !self.uploads()?.is_empty() || !self.credentials_settled()? {
            return Ok(false);
        }
        let old = |suite: CipherSuite| {
            self.keys.of(suite).certified_at_ms().is_none_or(|at_ms| at_ms < renewing.since_ms)
        };
        if self.is_certified_by_hub()? && SCHEMES.into_iter().any(old) {
            renewing.fails(NO_CERTIFICATE.to_owned());
        }
        self.replace_key_packages()?;
        renewing.packages = Some(self.uploads()?.into_iter().map(|upload| upload.id).collect());
        Ok(true)
    }

    fn is_uploading(&self, renewing: &Renewing) -> Result<bool, StoreError> {
        let ours = renewing.packages.as_deref().unwrap_or_default();
        Ok(self.uploads()?.iter().any(|upload| ours.contains(&upload.id)))
    }

    /// Takes out the groups in which it is done, which are gone, or which take too long.
    fn end_renewals(&mut self, renewing: &mut Renewing) -> Result<(), StoreError> {
        for mut one in std::mem::take(&mut renewing.under_way) {
            if let Some(next) = self.successor_here(&one.group) {
                self.renewing_since.remove(&one.group);
                one = self.renewal(&next)?;
            }
            let Some((state, suite)) = self.record(&one.group).map(|r| (r.state, r.suite)) else {
                continue;
            };
            let over = state == State::Gone || self.is_left_behind(&one.group);
            let since_ms = *self.renewing_since.entry(one.group.clone()).or_insert(self.now_ms);
            let key = self.key_in(&one.group, suite.into())?;
            if over || key.public()[..] != one.before[..] {
                self.renewing_since.remove(&one.group);
            } else if self.now_ms.saturating_sub(since_ms) >= RENEWAL_WAIT_MS {
                self.renewing_since.remove(&one.group);
                renewing.fails(format!("{}: it could not be done within an hour", one.group));
            } else {
                renewing.under_way.push(one);
            }
        }
        Ok(())
    }

    /// Begins with the next groups, as many as there may be at once.
    fn begin_renewals(&mut self, renewing: &mut Renewing) -> Result<(), StoreError> {
        while renewing.under_way.len() < RENEWALS_AT_ONCE_MAX {
            let after = renewing.begun.as_ref();
            let next = self.groups.values().find(|r| after.is_none_or(|after| r.group > *after));
            let Some((group, state)) = next.map(|record| (record.group.clone(), record.state))
            else {
                return Ok(());
            };
            renewing.begun = Some(group.clone());
            if state != State::Gone && self.successor_here(&group).is_none() {
                renewing.under_way.push(self.renewal(&group)?);
            }
        }
        Ok(())
    }

    fn renewal(&self, group: &GroupId) -> Result<GroupRenewal, StoreError> {
        let suite = self.record(group).map(|record| record.suite).unwrap_or_default();
        let before = self.key_in(group, suite.into())?.public().to_vec();
        Ok(GroupRenewal { group: group.clone(), before })
    }

    /// The group that this device is in since one has ended.
    fn successor_here(&self, group: &GroupId) -> Option<GroupId> {
        let ended = self.record(group).filter(|record| record.state == State::Ended)?;
        ended.successor.clone().filter(|next| self.groups.contains_key(next))
    }

    fn end_everywhere(&mut self, number: u64, renewing: &Renewing) -> Result<(), StoreError> {
        match renewing.failed {
            0 => self.done(number, None),
            failed => {
                let named = renewing.failures.join("; ");
                self.fail(number, format!("the rest is renewed, but not ({failed}): {named}"))
            }
        }
    }

    /// Commits a fresh key into a group, where a RotateEverywhere command has come to it. Whether that is
    /// still to be done.
    pub(super) fn renew_in(&mut self, group: &GroupId) -> Result<bool, StoreError> {
        let Some((number, one)) = self.renewal_of(group) else { return Ok(false) };
        let Some(suite) = self.record(group).map(|record| CipherSuite::from(record.suite)) else {
            return Ok(false);
        };
        if self.key_in(group, suite)?.public()[..] != one.before[..] {
            return self.step_everywhere().map(|()| false);
        } else if self.is_ordered_by_room(group) {
            let why = "its room orders it, and could take the commit back: `rotate` it alone, \
                       without a new signature key";
            return self.renewal_failed(number, group, why).map(|()| false);
        } else if self.unconfirmed_in(group) > 0 {
            return Ok(true);
        }
        let Some(key) = self.fresh_key(group, suite)? else { return Ok(true) };
        if !self.may_commit(group) {
            return Ok(true);
        }
        let Some(loaded) = self.take_group(group)? else { return Ok(true) };
        let changes = Changes { key: Some(key), ..Changes::default() };
        if let Err(error) = self.commit(group, loaded, Some(number), changes)? {
            self.renewal_failed(number, group, &format!("the commit cannot be made: {error}"))?;
        }
        Ok(true)
    }

    fn renewal_of(&self, group: &GroupId) -> Option<(u64, GroupRenewal)> {
        let (number, Stage::Renewing(renewing)) = self.everywhere()? else { return None };
        let one = renewing.under_way.into_iter().find(|one| one.group == *group)?;
        Some((number, one))
    }

    /// The command under which this group is renewed with all others.
    pub(super) fn is_renewed_in(&self, group: &GroupId) -> Option<u64> {
        self.renewal_of(group).map(|(number, _)| number)
    }

    /// A commit for a command will not be.
    pub(super) fn commit_failed(
        &mut self,
        number: u64,
        group: &GroupId,
        why: &str,
    ) -> Result<(), StoreError> {
        match self.intents.get(&number).map(|intent| &intent.command) {
            Some(Command::RotateEverywhere) => self.renewal_failed(number, group, why),
            _ => self.fail(number, why),
        }
    }

    /// One group keeps its key; the others go on.
    pub(super) fn renewal_failed(
        &mut self,
        number: u64,
        group: &GroupId,
        why: &str,
    ) -> Result<(), StoreError> {
        let stage = self.intents.get(&number).map(|intent| intent.stage.clone());
        let Some(Stage::Renewing(mut renewing)) = stage else { return Ok(()) };
        renewing.under_way.retain(|one| one.group != *group);
        renewing.fails(format!("{group}: {why}"));
        self.renewing_since.remove(group);
        self.set_stage(number, Stage::Renewing(renewing))?;
        self.step_everywhere()
    }
}

impl Renewing {
    fn fails(&mut self, why: String) {
        self.failed = self.failed.saturating_add(1);
        if self.failures.len() < RENEWAL_FAILURES_NAMED_MAX {
            self.failures.push(why);
        }
    }
}

#[cfg(test)]
crate::codec_properties::hold!(Renewing, GroupRenewal);
