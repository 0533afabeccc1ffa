//! JSON of Matrix to the types of `mls_core::wire`, and back; no I/O.
//!
//! What travels readable has a file of the same name as in `mls_core::wire`; [`request`] and
//! [`answer`] are the envelopes, [`notice`] says which event carries what a hub sends unasked.
//! Decoders tell *not mine* ([`DecodeError::Mismatch`]) from *mine but broken*
//! ([`DecodeError::Invalid`]).

pub mod answer;
pub mod application_message;
pub mod device_keys;
pub mod ghost;
pub mod group_state;
pub mod json;
pub mod key_package;
pub mod namespace;
pub mod notice;
pub mod request;
pub mod room_event;

mod device_waiting;
mod handshake;
mod hub_info;
mod key_packages_low;
mod knock;
mod membership_warning;
mod refusal;
mod sealed;
mod welcome_waiting;

#[cfg(test)]
mod tests;

use thiserror::Error;

use self::json::Invalid;

/// Why an event is not read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// It is not of this protocol, or not of this kind: leave it to others.
    #[error("not of this protocol")]
    Mismatch,
    /// It claims to be ours and does not say what it must; the sender's fault.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}
