//! XML and what it means: each message of [`mls_core::wire`] has a file of its name here.
//!
//! Pure: values in, values out. Bytes are padded base64 in element text, never in attributes
//! (parsers refuse long tokens). Readers tell *not mine* from *unknown* from *broken*
//! ([`Unread`]); attributes such as group and epoch are routing hints, the bytes decide.

pub mod affiliation;
pub mod application_message;
mod ask_to_join;
mod blob;
mod claim_key_packages;
mod create_room;
mod device_waiting;
mod element;
mod fetch_group_info;
mod fetch_handshakes;
mod fetch_welcomes;
mod find_group;
pub mod ghost;
pub mod handshake;
pub mod hints;
mod hub_info;
pub mod invitation;
pub mod iq;
pub mod key_package;
mod key_packages_low;
mod leave_room;
mod membership_warning;
pub mod namespace;
mod publish_key_packages;
pub mod refusal;
mod register_group;
mod register_successor;
mod report_invalid;
pub mod room_config;
pub mod stanza;
mod submit_commit;
mod submit_proposal;
mod welcome;

pub(crate) use element::Build;
pub use element::{Broken, Unread};

use minidom::Element;
use mls_core::wire::{Answer, Notice, Request};

use element::{Fields, bytes, ours};

const RECEIPT: &str = "receipt";
const DONE: &str = "done";

/// The payload of a request.
pub fn request_to_xml(request: &Request) -> Element {
    match request {
        Request::HubInfo => hub_info::request(),
        Request::CreateRoom(r) => create_room::to_xml(r),
        Request::FindGroup(r) => find_group::to_xml(r),
        Request::RegisterGroup(r) => register_group::to_xml(r),
        Request::PublishKeyPackages(r) => publish_key_packages::to_xml(r),
        Request::ClaimKeyPackages(r) => claim_key_packages::to_xml(r),
        Request::SubmitCommit(r) => submit_commit::to_xml(r),
        Request::SubmitProposal(r) => submit_proposal::to_xml(r),
        Request::ReportInvalid(r) => report_invalid::to_xml(r),
        Request::FetchGroupInfo(r) => fetch_group_info::to_xml(r),
        Request::FetchHandshakes(r) => fetch_handshakes::to_xml(r),
        Request::FetchWelcomes(r) => fetch_welcomes::to_xml(r),
        Request::LeaveRoom(r) => leave_room::to_xml(r),
        Request::PutBlob(r) => blob::put_to_xml(r),
        Request::GetBlob(r) => blob::get_to_xml(r),
        Request::AskToJoin(r) => ask_to_join::to_xml(r),
        Request::RegisterSuccessor(r) => register_successor::to_xml(r),
    }
}

/// Reads the payload of a request.
pub fn request_from_xml(element: &Element) -> Result<Request, Unread> {
    let fields = Fields::of(element)?;
    Ok(match fields.name() {
        hub_info::NAME => Request::HubInfo,
        create_room::NAME => Request::CreateRoom(create_room::from_xml(fields)?),
        find_group::NAME => Request::FindGroup(find_group::from_xml(fields)?),
        register_group::NAME => Request::RegisterGroup(register_group::from_xml(fields)?),
        publish_key_packages::NAME => {
            Request::PublishKeyPackages(publish_key_packages::from_xml(fields)?)
        }
        claim_key_packages::NAME => {
            Request::ClaimKeyPackages(claim_key_packages::from_xml(fields)?)
        }
        submit_commit::NAME => Request::SubmitCommit(submit_commit::from_xml(fields)?),
        submit_proposal::NAME => Request::SubmitProposal(submit_proposal::from_xml(fields)?),
        report_invalid::NAME => Request::ReportInvalid(report_invalid::from_xml(fields)?),
        fetch_group_info::NAME => Request::FetchGroupInfo(fetch_group_info::from_xml(fields)?),
        fetch_handshakes::NAME => Request::FetchHandshakes(fetch_handshakes::from_xml(fields)?),
        fetch_welcomes::NAME => Request::FetchWelcomes(fetch_welcomes::from_xml(fields)?),
        leave_room::NAME => Request::LeaveRoom(leave_room::from_xml(fields)?),
        blob::PUT => Request::PutBlob(blob::put_from_xml(fields)?),
        blob::GET => Request::GetBlob(blob::get_from_xml(fields)?),
        ask_to_join::NAME => Request::AskToJoin(ask_to_join::from_xml(fields)?),
        register_successor::NAME => {
            Request::RegisterSuccessor(register_successor::from_xml(fields)?)
        }
        name => return Err(Unread::Unknown(name.to_owned())),
    })
}

/// The payload of an answer.
pub fn answer_to_xml(answer: &Answer) -> Element {
    match answer {
        Answer::HubInfo(a) => hub_info::to_xml(a),
        Answer::RoomCreated(a) => create_room::answer_to_xml(a),
        Answer::GroupFound(a) => find_group::answer_to_xml(a),
        Answer::Receipt(receipt) => bytes(RECEIPT, receipt),
        Answer::KeyPackageCount(a) => publish_key_packages::answer_to_xml(a),
        Answer::KeyPackages(clients) => claim_key_packages::answer_to_xml(clients),
        Answer::GroupInfo(a) => fetch_group_info::answer_to_xml(a),
        Answer::Handshakes(a) => fetch_handshakes::answer_to_xml(a),
        Answer::Welcomes(a) => fetch_welcomes::answer_to_xml(a),
        Answer::BlobChunk(a) => blob::answer_to_xml(a),
        Answer::Done => ours(DONE),
    }
}

/// Reads the payload of an answer.
pub fn answer_from_xml(element: &Element) -> Result<Answer, Unread> {
    let fields = Fields::of(element)?;
    Ok(match fields.name() {
        hub_info::NAME => Answer::HubInfo(hub_info::from_xml(fields)?),
        create_room::ANSWER => Answer::RoomCreated(create_room::answer_from_xml(fields)?),
        find_group::ANSWER => Answer::GroupFound(find_group::answer_from_xml(fields)?),
        RECEIPT => Answer::Receipt(fields.bytes()?),
        publish_key_packages::ANSWER => {
            Answer::KeyPackageCount(publish_key_packages::answer_from_xml(fields)?)
        }
        claim_key_packages::ANSWER => {
            Answer::KeyPackages(claim_key_packages::answer_from_xml(fields)?)
        }
        fetch_group_info::ANSWER => Answer::GroupInfo(fetch_group_info::answer_from_xml(fields)?),
        fetch_handshakes::ANSWER => Answer::Handshakes(fetch_handshakes::answer_from_xml(fields)?),
        fetch_welcomes::ANSWER => Answer::Welcomes(fetch_welcomes::answer_from_xml(fields)?),
        blob::ANSWER => Answer::BlobChunk(blob::answer_from_xml(fields)?),
        DONE => Answer::Done,
        name => return Err(Unread::Unknown(name.to_owned())),
    })
}

/// The payload of a notice.
pub fn notice_to_xml(notice: &Notice) -> Element {
    match notice {
        Notice::Handshake(n) => handshake::to_xml(n),
        Notice::Welcome(n) => welcome::to_xml(n),
        Notice::KeyPackagesLow(n) => key_packages_low::to_xml(n),
        Notice::MembershipWarning(n) => membership_warning::to_xml(n),
        Notice::DeviceWaiting(n) => device_waiting::to_xml(n),
    }
}

/// Reads the notice in a message; whether its sender may say it is the caller's question.
pub fn notice_from_message(message: &Element) -> Result<Notice, Unread> {
    let names = [
        handshake::NAME,
        welcome::NAME,
        key_packages_low::NAME,
        membership_warning::NAME,
        device_waiting::NAME,
    ];
    let named = |e: &&Element| e.has_ns(namespace::MLS_BRIDGE) && names.contains(&e.name());
    let fields = Fields::of(message.children().find(named).ok_or(Unread::NotMine)?)?;
    Ok(match fields.name() {
        handshake::NAME => Notice::Handshake(handshake::from_xml(fields)?),
        welcome::NAME => Notice::Welcome(welcome::from_xml(fields)?),
        key_packages_low::NAME => Notice::KeyPackagesLow(key_packages_low::from_xml(fields)?),
        device_waiting::NAME => Notice::DeviceWaiting(device_waiting::from_xml(fields)?),
        _ => Notice::MembershipWarning(membership_warning::from_xml(fields)?),
    })
}

/// The message that carries a notice to an account. `chat`, because carbons and servers pass that
/// on to every device.
pub fn notice_message(to: &str, id: &str, notice: &Notice) -> Element {
    let hint = match notice {
        Notice::KeyPackagesLow(_) => hints::no_store(),
        _ => hints::store(),
    };
    stanza::message("chat", to, id).holding(notice_to_xml(notice)).holding(hint)
}

#[cfg(test)]
mod tests;
