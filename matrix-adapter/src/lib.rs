//! MLS over Matrix: how requests, key packages, Welcomes, handshakes and messages travel as events.
//!
//! [`mapping`] is pure: JSON to the types of `mls_core::wire` and back, every name of ours in
//! [`mapping::namespace`]. Two connections do the I/O: [`client`] is a user's device (through
//! matrix-sdk, without Megolm), [`appservice`] is the hub (an application service).
//!
//! This crate decides nothing about groups, holds no MLS key and stores nothing: what must
//! survive a restart is handed to the caller, and confirmed by the caller.

pub mod appservice;
pub mod client;
pub mod mapping;

mod homeserver_error;
mod transport;

pub use transport::is_protected;
