//! The rig: starts a real Synapse, a real Prosody, `mls-bridge` and `mls-bot`s, and drives them.
//!
//! It depends on none of the product's crates: everything goes through the binaries, the sockets
//! and the files that an operator has, so a test can only see what an operator or a user sees.
//! The tests themselves are in `tests/tests`, one file a theme; `cargo xtask demo` uses the rig too.

#![expect(
    clippy::indexing_slicing,
    reason = "an absent field of a serde_json::Value reads as Null; slices are read with get"
)]

pub mod binaries;
pub mod blindness;
pub mod bot;
pub mod bridge;
pub mod clock;
pub mod deadline;
pub mod domain;
pub mod elsewhere;
pub mod error;
pub mod group;
pub mod http;
pub mod matrix_session;
pub mod packages;
pub mod ports;
pub mod process;
pub mod prosody;
pub mod rig;
pub mod secret;
pub mod synapse;
pub mod tamper;
pub mod xmpp_session;
