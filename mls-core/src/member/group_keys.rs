//! Signature keys of one group: a device leaves the key of its KeyPackages behind, so that what one
//! group's key could sign is worth nothing in another.
//!
//! Where the authority certifies it, that is done by the first update after joining, before anything
//! was said with the old key; later on command only, for who reads a message late looks for the new key.
//!
//! A fresh key is kept beside the current one until the commit that brings it has its receipt. Both
//! outlive the loss of the group's state: only they prove that the old leaf is this device's.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};
use mls_rs_core::crypto::{CipherSuite, SignaturePublicKey};

use super::commit::Changes;
use super::credentials::OTHER_ANSWER;
use super::group_record::GroupRecord;
use super::intents::{Intent, Step};
use super::keys::SignatureKey;
use super::loaded::Loaded;
use super::no_certificate::CertificateMissing;
use super::one_commit::Plan;
use super::requests::Purpose;
use super::warning::WarningKind;
use super::{Command, Member};
use crate::limits::GROUPS_LOOKED_AT;
use crate::overlay::decode;
use crate::store::{Space, StoreError};
use crate::wire::issue_credential::IssuedCredential;
use crate::wire::refusal::Refusal;
use crate::wire::{Answer, GroupId};

/// By group.
const GROUP_KEYS: Space = "group_signature_key";

/// The keys of one group; the device's own where there is none.
#[derive(Clone, Default, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(Debug, proptest_derive::Arbitrary))]
struct GroupKeys {
    /// In the leaf, if it is not the device's.
    current: Option<SignatureKey>,
    /// To be in the leaf once our commit is applied.
    next: Option<SignatureKey>,
}

impl Member {
    /// The key in this device's leaf of a group.
    pub(super) fn key_in(
        &self,
        group: &GroupId,
        suite: CipherSuite,
    ) -> Result<SignatureKey, StoreError> {
        let own = self.group_keys(group)?.current;
        Ok(own.unwrap_or_else(|| self.keys.of(suite).clone()))
    }

    /// The key of this device with this public part that may be in its leaf of a group.
    pub(super) fn key_behind(
        &self,
        group: &GroupId,
        suite: CipherSuite,
        public: &SignaturePublicKey,
    ) -> Result<Option<SignatureKey>, StoreError> {
        let GroupKeys { current, next } = self.group_keys(group)?;
        let own = [current, next, Some(self.keys.of(suite).clone())];
        Ok(own.into_iter().flatten().find(|key| key.public() == public))
    }

    /// A commit of ours is applied, or this device is in the group anew: what stands in the leaf now
    /// is current.
    pub(super) fn settle_key(&self, group: &GroupId, loaded: &Loaded) -> Result<(), StoreError> {
        let GroupKeys { current, next } = self.group_keys(group)?;
        let Ok(leaf) = loaded.group.current_member_signing_identity() else { return Ok(()) };
        let stands = |key: &Option<SignatureKey>| {
            key.as_ref().is_some_and(|key| *key.public() == leaf.signature_key)
        };
        let settled = match () {
            () if stands(&next) => GroupKeys { current: next, next: None },
            // Who left and came again has the device's own key.
            () if current.is_some() && !stands(&current) => GroupKeys { current: None, next },
            () => return Ok(()),
        };
        self.overlay.write(GROUP_KEYS, &group.0, &settled)
    }

    /// The leaf is a KeyPackage's: asks for the certificate of the key that is to follow.
    pub(super) fn prepare_first_key(
        &mut self,
        group: &GroupId,
        suite: CipherSuite,
    ) -> Result<(), StoreError> {
        self.forget_keys(group);
        self.want_first_key(group, suite)
    }

    /// Asks for the certificate of the key that is to follow the one in the leaf.
    pub(super) fn want_first_key(
        &mut self,
        group: &GroupId,
        suite: CipherSuite,
    ) -> Result<(), StoreError> {
        if !self.is_certified_by_hub()? || self.is_ordered_by_room(group) {
            return Ok(());
        }
        let next = self.next_key(group, suite)?;
        self.ask_for_credential(Purpose::GroupCredential(group.clone()), suite, &next).map(drop)
    }

    /// Whether the certificate of the first key of the group's own is on its way.
    pub(super) fn awaits_first_key(&self, group: &GroupId) -> bool {
        self.is_asking(|asked| *asked == Purpose::GroupCredential(group.clone()))
    }

    /// Whether a commit of ours may bring another key into our leaf of a group that can be followed.
    pub(super) fn awaits_own_key(&self, group: &GroupId) -> Result<bool, StoreError> {
        let pending =
            |record: &GroupRecord| record.pending.is_some() && record.broken_seq.is_none();
        let pending = self.record(group).is_some_and(pending);
        Ok(pending && self.group_keys(group)?.next.is_some())
    }

    /// What an update brings: a key of the group's own, if it is the first; not into a room, where it
    /// could be taken back.
    pub(super) fn update_changes(&self, group: &GroupId) -> Result<Changes, StoreError> {
        let first = self.record(group).is_some_and(|record| record.update_before_message)
            && !self.is_ordered_by_room(group);
        let next = if first { self.group_keys(group)?.next } else { None };
        let key = match next {
            Some(next) if self.is_fresh(&next)? => Some(next),
            _ => None,
        };
        Ok(Changes { key, ..Changes::default() })
    }

    /// A group that this device made in another's place has its leaf with the key of that.
    pub(super) fn keep_key_for(
        &self,
        former: &GroupId,
        successor: &GroupId,
    ) -> Result<(), StoreError> {
        match self.group_keys(former)?.current {
            Some(current) => {
                let keys = GroupKeys { current: Some(current), next: None };
                self.overlay.write(GROUP_KEYS, &successor.0, &keys)
            }
            None => Ok(()),
        }
    }

    /// This device has no leaf in the group any more.
    pub(super) fn forget_keys(&mut self, group: &GroupId) {
        self.overlay.delete(GROUP_KEYS, &group.0);
        self.forget_group_anchors(group);
        self.patience.missing.remove(&Purpose::GroupCredential(group.clone()));
        self.forget_requests(
            |purpose| matches!(purpose, Purpose::GroupCredential(of) if of == group),
        );
    }

    /// Commits an update with a fresh key, unless that is done. Not while messages wait to be sent:
    /// who reads them late looks for the new key.
    pub(super) fn step_change_key(
        &mut self,
        number: u64,
        group: &GroupId,
    ) -> Result<Step, StoreError> {
        if self.unconfirmed_in(group) > 0 {
            return Ok(Step::Wait);
        }
        let Some(suite) = self.record(group).map(|record| CipherSuite::from(record.suite)) else {
            return self.fail(number, "this device is not in that group").map(|()| Step::Next);
        };
        if self.is_ordered_by_room(group) {
            let why = "not while the group's room orders it: the commit could be taken back";
            return self.fail(number, why).map(|()| Step::Next);
        }
        let Some(next) = self.fresh_key(group, suite)? else { return Ok(Step::Wait) };
        self.step_one_commit(number, group, |_| {
            Plan::Commit(Box::new(Changes { key: Some(next), ..Changes::default() }))
        })
    }

    /// The key that is to follow the one in the leaf, once it has what certificate it can have.
    pub(super) fn fresh_key(
        &mut self,
        group: &GroupId,
        suite: CipherSuite,
    ) -> Result<Option<SignatureKey>, StoreError> {
        let next = self.next_key(group, suite)?;
        if !self.is_certified_by_hub()? || self.is_fresh(&next)? {
            return Ok(Some(next));
        }
        let purpose = Purpose::GroupCredential(group.clone());
        if !self.is_asking(|asked| *asked == purpose) {
            self.ask_for_credential(purpose, suite, &next)?;
        }
        Ok(None)
    }

    /// Has the certificates of groups' own keys renewed that are old.
    pub(super) fn renew_group_credentials(&mut self) -> Result<(), StoreError> {
        let entries = self.overlay.scan(GROUP_KEYS, &[], &[], GROUPS_LOOKED_AT)?;
        for (group, value) in entries {
            let keys: GroupKeys = decode(GROUP_KEYS, &value)?;
            let group = GroupId(group);
            let purpose = Purpose::GroupCredential(group.clone());
            let (Some(current), Some(record)) = (keys.current, self.record(&group)) else {
                continue;
            };
            if self.is_fresh(&current)? || self.is_certificate_paused(&purpose) {
                continue;
            }
            let suite = CipherSuite::from(record.suite);
            if !self.is_asking(|asked| *asked == purpose) {
                self.ask_for_credential(purpose, suite, &current)?;
            }
        }
        Ok(())
    }

    /// The authority answered about a key of a group: the one that is to come, or the current one.
    pub(super) fn group_credential_answered(
        &mut self,
        group: &GroupId,
        result: Result<Answer, Refusal>,
    ) -> Result<(), StoreError> {
        let purpose = Purpose::GroupCredential(group.clone());
        let ended = self.has_ended(&result);
        if ended && self.is_first_to_end(&purpose) {
            self.touched.insert(group.clone());
            return self.renew_group_credentials();
        }
        let missing = match result {
            _ if ended => CertificateMissing::Ended,
            Ok(Answer::Credential(issued)) => match self.take_group_credential(group, &issued)? {
                Ok(()) => return self.group_credential_came(group, &purpose),
                Err(why) => CertificateMissing::Refused(why),
            },
            Ok(_) => CertificateMissing::Refused(OTHER_ANSWER.to_owned()),
            Err(refusal) => CertificateMissing::Refused(refusal.to_string()),
        };
        self.group_gets_none(group, &missing)
    }

    /// The authority gives no certificate for a key of a group: what waits for it fails, or goes on without.
    fn group_gets_none(
        &mut self,
        group: &GroupId,
        missing: &CertificateMissing,
    ) -> Result<(), StoreError> {
        let is_news = self.group_certificate_missing(group, missing)?;
        let why = format!("no certificate for this group's key: {missing}");
        let changes = |i: &&Intent| matches!(&i.command, Command::ChangeKey(g) if g == group);
        self.touched.insert(group.clone());
        self.drop_ended_certificate(group)?;
        if let Some(number) = self.is_renewed_in(group) {
            self.renewal_failed(number, group, &why)?;
        }
        match self.intents.values().find(changes).map(|intent| intent.number) {
            Some(number) => self.fail(number, why),
            None if !is_news => Ok(()),
            None => self.warn(group, WarningKind::NoCertificate, why),
        }
    }

    /// There is no other certificate for the key in the leaf: a basic credential is better than one
    /// that has ended.
    fn drop_ended_certificate(&mut self, group: &GroupId) -> Result<(), StoreError> {
        let mut keys = self.group_keys(group)?;
        let Some(current) = keys.current.as_mut().filter(|key| self.is_over(key)) else {
            return Ok(());
        };
        current.uncertify();
        self.overlay.write(GROUP_KEYS, &group.0, &keys)
    }

    /// One in the leaf is to be seen by others soon; one that is to come waits for its commit.
    fn group_credential_came(
        &mut self,
        group: &GroupId,
        purpose: &Purpose,
    ) -> Result<(), StoreError> {
        self.certificate_came(purpose);
        self.touched.insert(group.clone());
        if self.group_keys(group)?.next.is_some() { Ok(()) } else { self.renew_soon(group) }
    }

    fn take_group_credential(
        &mut self,
        group: &GroupId,
        issued: &IssuedCredential,
    ) -> Result<Result<(), String>, StoreError> {
        let mut keys = self.group_keys(group)?;
        let mut why = "it is for a key that is no longer used".to_owned();
        for key in [&mut keys.next, &mut keys.current].into_iter().flatten() {
            match self.check_issued(key, issued)? {
                Ok(certificate) => {
                    key.certify(issued.chain.clone(), &certificate, self.now_ms);
                    why.clear();
                    break;
                }
                Err(error) => why = error,
            }
        }
        if why.is_empty() {
            return self.overlay.write(GROUP_KEYS, &group.0, &keys).map(Ok);
        }
        Ok(Err(why))
    }

    /// The key that is to come: the same one for each attempt.
    fn next_key(&self, group: &GroupId, suite: CipherSuite) -> Result<SignatureKey, StoreError> {
        let mut keys = self.group_keys(group)?;
        if let Some(next) = keys.next {
            return Ok(next);
        }
        let next = SignatureKey::generate(&self.crypto, &self.client, suite)?;
        keys.next = Some(next.clone());
        self.overlay.write(GROUP_KEYS, &group.0, &keys)?;
        Ok(next)
    }

    fn group_keys(&self, group: &GroupId) -> Result<GroupKeys, StoreError> {
        Ok(self.overlay.read(GROUP_KEYS, &group.0)?.unwrap_or_default())
    }
}

#[cfg(test)]
crate::codec_properties::hold!(GroupKeys);
