//! Strategies for what a hub says: answers, refusals and notices, of every kind.

use mls_core::identity::TrustAnchor;
use mls_core::service::ServiceAddress;
use mls_core::wire::device_waiting::DeviceWaiting;
use mls_core::wire::handshake::SealedHandshake;
use mls_core::wire::hub_info::{FormerKeys, HubInfo, SuiteSender, SuiteSignature};
use mls_core::wire::key_packages_low::KeyPackagesLow;
use mls_core::wire::knock::Knocked;
use mls_core::wire::membership_warning::MembershipWarning;
use mls_core::wire::refusal::Refusal;
use mls_core::wire::welcome_waiting::WelcomeWaiting;
use mls_core::wire::{Answer, Notice, Reply};
use proptest::option::of;
use proptest::prelude::*;

use crate::values::{bytes, client, digest, group, name, some, text};

/// Any answer, as it travels.
pub(crate) fn reply() -> impl Strategy<Value = Reply> {
    prop_oneof![
        hub_info().prop_map(|info| Reply::Ok(Answer::HubInfo(info))),
        refusal().prop_map(Reply::Refused),
        bytes().prop_map(Reply::Sealed),
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
        Just(Refusal::NotOpened),
        Just(Refusal::RoomOrders),
        (of(text()), of(text()))
            .prop_map(|(matrix, xmpp)| { Refusal::Elsewhere(ServiceAddress { matrix, xmpp }) }),
    ]
}

/// Any notice.
pub(crate) fn notice() -> impl Strategy<Value = Notice> {
    prop_oneof![
        handshake().prop_map(Notice::Handshake),
        name().prop_map(|device| Notice::WelcomeWaiting(WelcomeWaiting { device })),
        (name(), any::<u16>(), any::<u32>()).prop_map(|(device, suite, count)| {
            Notice::KeyPackagesLow(KeyPackagesLow { device, suite, count })
        }),
        (group(), text()).prop_map(|(group, text)| {
            Notice::MembershipWarning(MembershipWarning { group, text })
        }),
        (group(), client())
            .prop_map(|(group, client)| { Notice::DeviceWaiting(DeviceWaiting { group, client }) }),
        (group(), client(), any::<u64>()).prop_map(|(group, client, since_ms)| {
            Notice::Knocked(Knocked { group, user: client.user(), since_ms })
        }),
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
    let keys = (bytes(), (bytes(), bytes()), some(sender()), some(former()));
    let anchor =
        (name(), bytes()).prop_map(|(domain, certificate)| TrustAnchor { domain, certificate });
    let names = (of(name()), of(name()), some(anchor));
    (keys, names, any::<u32>(), some(any::<u8>()), any::<bool>()).prop_map(
        |(keys, (hub_matrix, hub_xmpp, anchors), inline_bytes_max, versions, recovering)| {
            let (receipt_key, (seal_key, seal_signature), senders, former) = keys;
            HubInfo {
                receipt_key,
                seal_key,
                seal_signature,
                senders,
                former,
                hub_matrix,
                hub_xmpp,
                anchors,
                inline_bytes_max,
                versions,
                recovering,
            }
        },
    )
}

fn handshake() -> impl Strategy<Value = SealedHandshake> {
    (group(), any::<u64>(), any::<u64>(), bytes())
        .prop_map(|(group, seq, epoch, sealed)| SealedHandshake { group, seq, epoch, sealed })
}
