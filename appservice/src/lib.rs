//! The server, `mls-bridge`: a Matrix application service and an XMPP component in one process,
//! which order the handshakes of MLS groups and carry their messages, and hold no group key.
//!
//! It decides nothing about MLS: [`mls_core::hub::Hub`] does. One task ([`runtime`]) owns the hub
//! and the database; what comes in, what it changes and what must go out are committed together
//! ([`outbox`]), and only then is the sender answered. [`lanes`] keeps what goes out in order.

pub mod apart;
pub mod authority;
pub mod batch;
pub mod carrier;
pub mod check;
pub mod command_line;
pub mod config;
pub mod init;
pub mod lanes;
pub mod limits;
pub mod logging;
pub mod marks;
pub mod networks;
pub mod operator_socket;
pub mod outbox;
pub mod replace_keys;
pub mod revoke;
pub mod run;
pub mod runtime;
pub mod signals;
