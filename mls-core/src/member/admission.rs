//! What a group must be before this device becomes a member of it, by whatever way.

use mls_rs::extension::built_in::ExternalSendersExt;
use mls_rs::group::{GroupContext, Roster};
use mls_rs_core::crypto::SignaturePublicKey;
use thiserror::Error;

use super::hub_keys::decoded;
use crate::bridge_group::{BridgeGroup, BridgeGroupError};
use crate::identity::client_id;
use crate::limits::{CLOCK_SKEW_MS, MEMBERS_MAX};
use crate::policy::CIPHER_SUITES;
use crate::receipt::{Receipt, ReceiptError, ReceiptKind};
use crate::required_capabilities::{self, RequiresTooLittle};
use crate::wire::GroupId;
use crate::wire::hub_info::HubInfo;

/// A group that we do not enter; its creator's, inviter's or hub's fault.
#[derive(Debug, Error)]
pub(super) enum AdmissionError {
    #[error(transparent)]
    Context(#[from] BridgeGroupError),
    #[error(transparent)]
    Requires(#[from] RequiresTooLittle),
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
    #[error("it is ordered by another hub than the one that this device has pinned")]
    OtherHub,
    #[error("{0}")]
    Unfit(&'static str),
    #[error("{0}")]
    Engine(String),
}

/// Checks a GroupContext against the pinned hub.
pub(super) fn check_context(
    context: &GroupContext,
    group: &GroupId,
    hub: &HubInfo,
) -> Result<BridgeGroup, AdmissionError> {
    let unfit = |why| Err(AdmissionError::Unfit(why));
    let bound = BridgeGroup::from_extensions(&context.extensions)?;
    if context.group_id != group.0 {
        unfit("its GroupContext is another group's")
    } else if hub.senders_of(&bound.receipt_key).is_none() {
        Err(AdmissionError::OtherHub)
    } else if !CIPHER_SUITES.contains(&context.cipher_suite) {
        unfit("it has a cipher suite that we do not do")
    } else if !has_only_sender(context, &bound, hub) {
        unfit("somebody else than the hub may propose from outside")
    } else {
        required_capabilities::check(&context.extensions)?;
        Ok(bound)
    }
}

/// Checks the receipt of the handshake that led to an epoch.
pub(super) fn check_receipt(
    bytes: &[u8],
    group: &GroupId,
    epoch: u64,
    bound: &BridgeGroup,
    now_ms: u64,
) -> Result<Receipt, AdmissionError> {
    let receipt = Receipt::from_bytes(bytes)?;
    let verify = |key: &[u8]| receipt.verify(&SignaturePublicKey::from(key.to_vec()));
    // The commit that brings a new key is still signed for by the one before.
    verify(&bound.receipt_key).or_else(|error| match bound.previous_key.as_slice() {
        [] => Err(error),
        previous => verify(previous),
    })?;
    let leads_to = match receipt.tbs.kind {
        ReceiptKind::Commit => receipt.tbs.epoch.checked_add(1),
        ReceiptKind::Group | ReceiptKind::Proposal => Some(receipt.tbs.epoch),
    };
    if receipt.tbs.group != *group || leads_to != Some(epoch) {
        return Err(ReceiptError::OtherMessage.into());
    } else if receipt.tbs.time_ms > now_ms.saturating_add(CLOCK_SKEW_MS) {
        return Err(ReceiptError::Time.into());
    }
    Ok(receipt)
}

/// Checks that every leaf is another client.
pub(super) fn check_roster(roster: &Roster<'_>) -> Result<(), AdmissionError> {
    let mut clients = std::collections::BTreeSet::new();
    for member in roster.member_identities_iter() {
        let client = client_id(member)
            .map_err(|_| AdmissionError::Unfit("one of its leaves is no client"))?;
        if !clients.insert(client) {
            return Err(AdmissionError::Unfit("one client has two leaves in it"));
        }
    }
    if clients.len() > MEMBERS_MAX {
        return Err(AdmissionError::Unfit("it has too many members"));
    }
    Ok(())
}

fn has_only_sender(context: &GroupContext, bound: &BridgeGroup, hub: &HubInfo) -> bool {
    let senders = context.extensions.get_as::<ExternalSendersExt>().ok().flatten();
    let own = hub.senders_of(&bound.receipt_key);
    let own = own.and_then(|senders| decoded(senders, context.cipher_suite.into()));
    match (senders.as_ref().map(ExternalSendersExt::allowed_senders), own) {
        (Some([one]), Some(own)) => *one == own,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use mls_rs_codec::MlsEncode;
    use mls_rs_core::crypto::CipherSuite;
    use mls_rs_core::extension::ExtensionType;
    use mls_rs_core::identity::SigningIdentity;

    use super::*;
    use crate::address::UserId;
    use crate::crypto::Crypto;
    use crate::identity::credential;
    use crate::member::create::context;
    use crate::required_capabilities::required;
    use crate::wire::hub_info::SuiteSender;

    const SUITE: CipherSuite = CipherSuite::CURVE25519_AES128;

    /// A hub, and the context of a group under it.
    fn entered() -> (HubInfo, GroupContext) {
        let user = UserId::matrix("@alice:example.org").unwrap();
        let bound = BridgeGroup::of_one_room("!room:example.org", &user);
        let (_, key) = Crypto::system().generate_signature_key(SUITE).unwrap();
        let sender = SigningIdentity::new(credential(&user.device("HUB").unwrap()), key);
        let hub = HubInfo {
            receipt_key: bound.receipt_key.clone(),
            senders: vec![SuiteSender { suite: 1, identity: sender.mls_encode_to_vec().unwrap() }],
            ..HubInfo::blank()
        };
        let context = GroupContext {
            protocol_version: mls_rs_core::protocol_version::ProtocolVersion::MLS_10,
            cipher_suite: SUITE,
            group_id: vec![1; 16],
            epoch: 1,
            tree_hash: Vec::new(),
            confirmed_transcript_hash: Vec::new().into(),
            extensions: context(SUITE, &hub, &bound).unwrap(),
        };
        (hub, context)
    }

    #[test]
    fn a_group_that_requires_too_little_of_its_leaves_is_not_entered() {
        let (hub, mut context) = entered();
        let group = GroupId(context.group_id.clone());
        assert!(check_context(&context, &group, &hub).is_ok());
        for credential in crate::policy::CREDENTIAL_TYPES {
            let mut fewer = required();
            fewer.credentials.retain(|one| *one != credential);
            context.extensions.set_from(fewer).unwrap();
            let refused = check_context(&context, &group, &hub);
            assert!(matches!(refused, Err(AdmissionError::Requires(_))), "{refused:?}");
        }
        context.extensions.remove(ExtensionType::REQUIRED_CAPABILITIES);
        let refused = check_context(&context, &group, &hub);
        assert!(matches!(refused, Err(AdmissionError::Requires(_))), "{refused:?}");
    }
}
