//! Strategies for what a hub says: answers, refusals and notices, of every kind.

use mls_core::wire::blob::BlobChunk;
use mls_core::wire::claim_key_packages::{ClaimOutcome, ClaimedClient};
use mls_core::wire::create_room::RoomCreated;
use mls_core::wire::device_waiting::DeviceWaiting;
use mls_core::wire::fetch_group_info::SealedGroupInfo;
use mls_core::wire::fetch_handshakes::Handshakes;
use mls_core::wire::fetch_welcomes::Welcomes;
use mls_core::wire::find_group::GroupFound;
use mls_core::wire::handshake::Handshake;
use mls_core::wire::hub_info::{FormerKeys, HubInfo, SuiteSender, SuiteSignature};
use mls_core::wire::key_packages_low::KeyPackagesLow;
use mls_core::wire::membership_warning::MembershipWarning;
use mls_core::wire::publish_key_packages::KeyPackageCount;
use mls_core::wire::refusal::Refusal;
use mls_core::wire::welcome::Welcome;
use mls_core::wire::{Answer, Notice};
use proptest::option::of;
use proptest::prelude::*;

use crate::values::{bytes, client, digest, group, name, part, some, text, user};

/// Any answer.
pub(crate) fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        hub_info().prop_map(Answer::HubInfo),
        (of(name()), of(name()))
            .prop_map(|(matrix_room, muc)| Answer::RoomCreated(RoomCreated { matrix_room, muc })),
        (group(), any::<u64>())
            .prop_map(|(group, epoch)| Answer::GroupFound(GroupFound { group, epoch })),
        bytes().prop_map(Answer::Receipt),
        (any::<u32>(), any::<bool>()).prop_map(|(one_time, last_resort)| {
            Answer::KeyPackageCount(KeyPackageCount { one_time, last_resort })
        }),
        some(claimed()).prop_map(Answer::KeyPackages),
        (bytes(), part(), part(), bytes()).prop_map(|(kem_output, sealed, tree, receipt)| {
            Answer::GroupInfo(SealedGroupInfo { kem_output, sealed, tree, receipt })
        }),
        (some(handshake()), any::<u64>()).prop_map(|(handshakes, last_seq)| {
            Answer::Handshakes(Handshakes { handshakes, last_seq })
        }),
        (some(welcome()), any::<bool>())
            .prop_map(|(welcomes, more)| Answer::Welcomes(Welcomes { welcomes, more })),
        (any::<u32>(), bytes())
            .prop_map(|(size, bytes)| Answer::BlobChunk(BlobChunk { size, bytes })),
        Just(Answer::Done),
    ]
}

/// Any refusal.
pub(crate) fn refusal() -> impl Strategy<Value = Refusal> {
    prop_oneof![
        text().prop_map(Refusal::NotAllowed),
        any::<u64>().prop_map(Refusal::RateLimited),
        Just(Refusal::UnknownGroup),
        text().prop_map(Refusal::Invalid),
        Just(Refusal::Exists),
        any::<u64>().prop_map(Refusal::WrongEpoch),
        some(digest()).prop_map(Refusal::MissingProposals),
        text().prop_map(Refusal::InvalidCommit),
        any::<u32>().prop_map(Refusal::TooLarge),
        Just(Refusal::Gone),
        Just(Refusal::Unsupported),
        any::<u64>().prop_map(Refusal::Unavailable),
    ]
}

/// Any notice.
pub(crate) fn notice() -> impl Strategy<Value = Notice> {
    prop_oneof![
        handshake().prop_map(Notice::Handshake),
        welcome().prop_map(Notice::Welcome),
        (name(), any::<u16>(), any::<u32>()).prop_map(|(device, suite, count)| {
            Notice::KeyPackagesLow(KeyPackagesLow { device, suite, count })
        }),
        (group(), text()).prop_map(|(group, text)| {
            Notice::MembershipWarning(MembershipWarning { group, text })
        }),
        (group(), client())
            .prop_map(|(group, client)| { Notice::DeviceWaiting(DeviceWaiting { group, client }) }),
    ]
}

fn sender() -> impl Strategy<Value = SuiteSender> {
    (any::<u16>(), bytes()).prop_map(|(suite, identity)| SuiteSender { suite, identity })
}

fn former() -> impl Strategy<Value = FormerKeys> {
    let handover =
        (any::<u16>(), bytes()).prop_map(|(suite, signature)| SuiteSignature { suite, signature });
    (bytes(), some(sender()), some(handover)).prop_map(|(receipt_key, senders, handovers)| {
        FormerKeys { receipt_key, senders, handovers }
    })
}

fn hub_info() -> impl Strategy<Value = HubInfo> {
    let keys = (bytes(), some(sender()), some(former()));
    let names = (of(name()), of(name()));
    (keys, names, any::<u32>(), some(any::<u8>()), any::<bool>()).prop_map(
        |(keys, (hub_matrix, hub_xmpp), inline_bytes_max, versions, recovering)| {
            let (receipt_key, senders, former) = keys;
            HubInfo {
                receipt_key,
                senders,
                former,
                hub_matrix,
                hub_xmpp,
                inline_bytes_max,
                versions,
                recovering,
            }
        },
    )
}

fn claimed() -> impl Strategy<Value = ClaimedClient> {
    let outcome = prop_oneof![
        bytes().prop_map(ClaimOutcome::OneTime),
        bytes().prop_map(ClaimOutcome::LastResort),
        Just(ClaimOutcome::Exhausted),
        Just(ClaimOutcome::Incompatible),
        Just(ClaimOutcome::Unknown),
        Just(ClaimOutcome::NoConsent),
    ];
    (user(), of(client()), outcome).prop_map(|(user, client, outcome)| ClaimedClient {
        user,
        client,
        outcome,
    })
}

fn handshake() -> impl Strategy<Value = Handshake> {
    (group(), any::<u64>(), any::<u64>(), part(), bytes()).prop_map(
        |(group, seq, epoch, message, receipt)| Handshake { group, seq, epoch, message, receipt },
    )
}

fn welcome() -> impl Strategy<Value = Welcome> {
    let parts = (digest(), client(), group(), of(group()), any::<u64>(), bytes(), part(), part());
    parts.prop_map(|(id, client, group, former, epoch, receipt, tree, welcome)| Welcome {
        id,
        client,
        group,
        former,
        epoch,
        receipt,
        tree,
        welcome,
    })
}
