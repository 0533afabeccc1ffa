//! What a commit adds: each client by a key package that was handed out for this group, once.

use std::collections::BTreeSet;

use mls_rs::MlsMessage;

use super::group_record::GroupRecord;
use super::turn::{Stop, Turn, invalid_commit};
use crate::address::ClientId;
use crate::engine::PublicGroup;
use crate::identity::clients;
use crate::key_package::{self, FitPackage};

impl Turn<'_> {
    /// Whether the key package of an Add was handed out for this group and fits the policies.
    pub(super) fn check_add(
        &self,
        record: &GroupRecord,
        package: &mls_rs::KeyPackage,
    ) -> Result<FitPackage, Stop> {
        let fit = key_package::check_policy(package)
            .map_err(|why| invalid_commit(format!("an added key package: {why}")))?;
        if !self.may_add(&record.group, &fit)? {
            let client = &fit.client;
            return Err(invalid_commit(format!(
                "the key package of {client} was not claimed for this group: claim, then add"
            )));
        }
        self.refuse_revoked(&fit.client)?;
        // The room may have been lost after the claim.
        let network = fit.client.network();
        if !record.reaches(network) {
            return Err(invalid_commit(format!("the group has no room on {network}")));
        }
        Ok(fit)
    }
}

/// Whether the group after the commit holds no client twice; how many leaves it has.
pub(super) fn check_members(after: &PublicGroup) -> Result<u32, Stop> {
    let members = clients(&after.roster());
    let distinct: BTreeSet<&ClientId> = members.iter().collect();
    if distinct.len() != members.len() {
        return Err(invalid_commit("a client has two leaves"));
    }
    u32::try_from(members.len()).map_err(invalid_commit)
}

/// Whether the Welcome is for exactly those whom the commit adds.
pub(super) fn check_welcome(welcome: Option<&[u8]>, added: &[FitPackage]) -> Result<(), Stop> {
    let Some(welcome) = welcome else {
        return match added.is_empty() {
            true => Ok(()),
            false => Err(invalid_commit("a commit that adds comes with a Welcome")),
        };
    };
    let message =
        MlsMessage::from_bytes(welcome).map_err(|_| invalid_commit("the Welcome is broken"))?;
    let named = message.welcome_key_package_references();
    let distinct: BTreeSet<&[u8]> = named.iter().map(|reference| &***reference).collect();
    let needed: BTreeSet<&[u8]> = added.iter().map(|fit| fit.reference.as_slice()).collect();
    if needed.is_empty() || distinct != needed || named.len() != added.len() {
        return Err(invalid_commit("the Welcome must name exactly the added key packages"));
    }
    Ok(())
}
