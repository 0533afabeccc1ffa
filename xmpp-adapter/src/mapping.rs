//! XML and what it means: what travels readable of [`mls_core::wire`] has a file of its name here.
//!
//! Pure: values in, values out. Bytes are padded base64 in element text, never in attributes
//! (parsers refuse long tokens). Readers tell *not mine* from *unknown* from *broken*
//! ([`Unread`]); attributes such as group and epoch are routing hints, the bytes decide.

pub mod affiliation;
pub mod application_message;
mod device_waiting;
mod element;
pub mod ghost;
pub mod handshake;
pub mod hints;
mod hub_info;
pub mod invitation;
pub mod iq;
pub mod key_package;
mod key_packages_low;
mod knock;
mod membership_warning;
pub mod namespace;
pub mod refusal;
pub mod room_config;
mod sealed;
pub mod stanza;
mod welcome_waiting;

pub(crate) use element::Build;
pub use element::{Broken, Unread};

use minidom::Element;
use mls_core::wire::Notice;
use mls_core::wire::sealed::RequestEnvelope;

use element::Fields;

/// The payload of a request.
pub fn request_to_xml(request: &RequestEnvelope) -> Element {
    match request {
        RequestEnvelope::HubInfo => hub_info::request(),
        RequestEnvelope::Sealed(sealed) => sealed::to_xml(sealed),
    }
}

/// Reads the payload of a request.
pub fn request_from_xml(element: &Element) -> Result<RequestEnvelope, Unread> {
    let fields = Fields::of(element)?;
    match fields.name() {
        hub_info::NAME => Ok(RequestEnvelope::HubInfo),
        sealed::NAME => Ok(RequestEnvelope::Sealed(sealed::from_xml(fields)?)),
        name => Err(Unread::Unknown(name.to_owned())),
    }
}

/// The payload of a notice.
pub fn notice_to_xml(notice: &Notice) -> Element {
    match notice {
        Notice::Handshake(n) => handshake::to_xml(n),
        Notice::WelcomeWaiting(n) => welcome_waiting::to_xml(n),
        Notice::KeyPackagesLow(n) => key_packages_low::to_xml(n),
        Notice::MembershipWarning(n) => membership_warning::to_xml(n),
        Notice::DeviceWaiting(n) => device_waiting::to_xml(n),
        Notice::Knocked(n) => knock::knocked_to_xml(n),
        Notice::KnockDenied(n) => knock::denied_to_xml(n),
    }
}

/// Reads the notice in a message; whether its sender may say it is the caller's question.
pub fn notice_from_message(message: &Element) -> Result<Notice, Unread> {
    let names = [
        handshake::NAME,
        welcome_waiting::NAME,
        key_packages_low::NAME,
        membership_warning::NAME,
        device_waiting::NAME,
        knock::KNOCKED,
        knock::DENIED,
    ];
    let named = |e: &&Element| e.has_ns(namespace::MLS_BRIDGE) && names.contains(&e.name());
    let fields = Fields::of(message.children().find(named).ok_or(Unread::NotMine)?)?;
    Ok(match fields.name() {
        handshake::NAME => Notice::Handshake(handshake::from_xml(fields)?),
        welcome_waiting::NAME => Notice::WelcomeWaiting(welcome_waiting::from_xml(fields)?),
        key_packages_low::NAME => Notice::KeyPackagesLow(key_packages_low::from_xml(fields)?),
        device_waiting::NAME => Notice::DeviceWaiting(device_waiting::from_xml(fields)?),
        knock::KNOCKED => Notice::Knocked(knock::knocked_from_xml(fields)?),
        knock::DENIED => Notice::KnockDenied(knock::denied_from_xml(fields)?),
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
