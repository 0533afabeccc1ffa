//! `FetchGroupInfo`: what a member's device needs to come back by an external commit.

use mls_rs_core::crypto::{CipherSuite, CipherSuiteProvider, HpkePublicKey};

use super::rates::Rate;
use super::turn::{Stop, Turn, invalid, machine};
use crate::address::UserId;
use crate::engine::cipher_suite;
use crate::limits::{DAY_MS, INLINE_BYTES_MAX};
use crate::store::{Space, StoreError};
use crate::wire::blob::Part;
use crate::wire::fetch_group_info::{FetchGroupInfo, SealedGroupInfo};
use crate::wire::refusal::Refusal;
use crate::wire::{Answer, GroupId};

/// The GroupInfo of the current epoch, by group.
const SPACE: Space = "group_info";
const INFO: &[u8] = b"mls-bridge 0 group info";
const SUITE: CipherSuite = CipherSuite::CURVE25519_AES128;

impl Turn<'_> {
    /// Seals the GroupInfo to the asker: it holds the key for external commits, and must not
    /// stand in a room or an archive.
    pub(super) fn fetch_group_info(
        &mut self,
        from: &UserId,
        fetch: &FetchGroupInfo,
    ) -> Result<Answer, Stop> {
        let record = self.group_to_enter(&fetch.group, from)?;
        self.rates
            .take(Rate::GroupInfos, &[&record.group.to_hex(), from.as_str()], self.now_ms)
            .map_err(Refusal::RateLimited)?;
        let group_info = self
            .store
            .get(SPACE, &record.group.0)?
            .ok_or_else(|| StoreError(format!("group {} has no GroupInfo", record.group)))?;
        let suite = cipher_suite(SUITE).map_err(machine)?;
        let key = HpkePublicKey::from(fetch.seal_key.clone());
        let sealed = suite
            .kem_public_key_validate(&key)
            .and_then(|()| suite.hpke_seal(&key, INFO, None, &group_info))
            .map_err(|_| invalid("seal_key is not an X25519 public key"))?;
        let public = self.groups.copy(self.store, &record)?;
        let tree = public.export_tree().map_err(machine)?;
        let receipt = record.last.to_bytes().map_err(machine)?;
        let room = INLINE_BYTES_MAX.saturating_sub(receipt.len() + sealed.kem_output.len());
        let (sealed_part, tree) = self.fit_parts(sealed.ciphertext, tree, room)?;
        let kem_output = sealed.kem_output;
        Ok(Answer::GroupInfo(SealedGroupInfo { kem_output, sealed: sealed_part, tree, receipt }))
    }

    /// Keeps the GroupInfo of a group's new epoch.
    pub(super) fn keep_group_info(&self, group: &GroupId, group_info: Vec<u8>) {
        self.store.put(SPACE, &group.0, group_info);
    }

    /// Two parts of one answer: the larger leaves as a blob first.
    fn fit_parts(
        &self,
        one: Vec<u8>,
        two: Vec<u8>,
        room: usize,
    ) -> Result<(Part, Part), StoreError> {
        let blob = |bytes: &[u8]| self.keep_blob(bytes, DAY_MS).map(Part::Blob);
        let (a, b) = (one.len(), two.len());
        if a + b <= room {
            Ok((one.into(), two.into()))
        } else if a > b && b <= room {
            Ok((blob(&one)?, two.into()))
        } else if b >= a && a <= room {
            Ok((one.into(), blob(&two)?))
        } else {
            Ok((blob(&one)?, blob(&two)?))
        }
    }
}
