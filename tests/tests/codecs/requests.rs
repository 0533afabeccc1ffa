//! A strategy for requests, of every kind.

use mls_core::wire::Request;
use mls_core::wire::ask_to_join::AskToJoin;
use mls_core::wire::blob::{GetBlob, PutBlob};
use mls_core::wire::claim_key_packages::ClaimKeyPackages;
use mls_core::wire::create_room::CreateRoom;
use mls_core::wire::fetch_group_info::FetchGroupInfo;
use mls_core::wire::fetch_handshakes::FetchHandshakes;
use mls_core::wire::fetch_welcomes::FetchWelcomes;
use mls_core::wire::find_group::FindGroup;
use mls_core::wire::leave_room::LeaveRoom;
use mls_core::wire::publish_key_packages::PublishKeyPackages;
use mls_core::wire::register_group::RegisterGroup;
use mls_core::wire::register_successor::RegisterSuccessor;
use mls_core::wire::report_invalid::ReportInvalid;
use mls_core::wire::submit_commit::SubmitCommit;
use mls_core::wire::submit_proposal::SubmitProposal;
use proptest::option::of;
use proptest::prelude::*;

use crate::values::{blob_ref, bytes, digest, group, name, package, part, room, some, text, user};

/// A request's id.
pub(crate) fn id() -> impl Strategy<Value = String> {
    "[A-Za-z0-9_-]{1,64}"
}

/// Any request.
pub(crate) fn request() -> impl Strategy<Value = Request> {
    prop_oneof![rooms_and_devices(), handshakes(), fetches_and_blobs()]
}

fn rooms_and_devices() -> impl Strategy<Value = Request> {
    prop_oneof![
        Just(Request::HubInfo),
        (any::<bool>(), any::<bool>(), name())
            .prop_map(|(matrix, xmpp, name)| CreateRoom { matrix, xmpp, name })
            .prop_map(Request::CreateRoom),
        room().prop_map(|room| Request::FindGroup(FindGroup { room })),
        (name(), some(package()), of(package())).prop_map(|(device, one_time, last_resort)| {
            Request::PublishKeyPackages(PublishKeyPackages { device, one_time, last_resort })
        }),
        (group(), some(user()), some(any::<u16>()), of(group())).prop_map(
            |(group, users, suites, successor)| {
                Request::ClaimKeyPackages(ClaimKeyPackages { group, users, suites, successor })
            }
        ),
        group().prop_map(|group| Request::LeaveRoom(LeaveRoom { group })),
        name().prop_map(|device| Request::AskToJoin(AskToJoin { device })),
    ]
}

fn handshakes() -> impl Strategy<Value = Request> {
    prop_oneof![
        (part(), part()).prop_map(|(group_info, tree)| {
            Request::RegisterGroup(RegisterGroup { group_info, tree })
        }),
        (group(), any::<u64>(), part(), of(part()), part(), bytes()).prop_map(
            |(group, epoch, commit, welcome, group_info, signature)| {
                Request::SubmitCommit(SubmitCommit {
                    group,
                    epoch,
                    commit,
                    welcome,
                    group_info,
                    signature,
                })
            }
        ),
        (group(), part(), part(), part()).prop_map(|(former, group_info, tree, welcome)| {
            Request::RegisterSuccessor(RegisterSuccessor { former, group_info, tree, welcome })
        }),
        (group(), any::<u64>(), bytes()).prop_map(|(group, epoch, proposal)| {
            Request::SubmitProposal(SubmitProposal { group, epoch, proposal })
        }),
        (group(), any::<u64>(), bytes(), text()).prop_map(|(group, seq, receipt, why)| {
            Request::ReportInvalid(ReportInvalid { group, seq, receipt, why })
        }),
    ]
}

fn fetches_and_blobs() -> impl Strategy<Value = Request> {
    prop_oneof![
        (group(), bytes()).prop_map(|(group, seal_key)| {
            Request::FetchGroupInfo(FetchGroupInfo { group, seal_key })
        }),
        (group(), any::<u64>()).prop_map(|(group, from_seq)| {
            Request::FetchHandshakes(FetchHandshakes { group, from_seq })
        }),
        (name(), some(digest())).prop_map(|(device, acknowledged)| {
            Request::FetchWelcomes(FetchWelcomes { device, acknowledged })
        }),
        (blob_ref(), any::<u32>(), bytes())
            .prop_map(|(blob, offset, bytes)| Request::PutBlob(PutBlob { blob, offset, bytes })),
        (digest(), any::<u32>())
            .prop_map(|(hash, offset)| Request::GetBlob(GetBlob { hash, offset })),
    ]
}
