//! JSON of Matrix to the types of `mls_core::wire`, and back; no I/O.
//!
//! One wire message, one file, of the same name as in `mls_core::wire`; [`request`] and
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

mod ask_to_join;
mod blob;
mod claim_key_packages;
mod create_room;
mod device_waiting;
mod fetch_group_info;
mod fetch_handshakes;
mod fetch_welcomes;
mod find_group;
mod handshake;
mod hub_info;
mod key_packages_low;
mod leave_room;
mod membership_warning;
mod publish_key_packages;
mod refusal;
mod register_group;
mod register_successor;
mod report_invalid;
mod submit_commit;
mod submit_proposal;
mod welcome;

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
