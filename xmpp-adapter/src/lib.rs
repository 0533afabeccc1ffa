//! XMPP for mls-bridge: how the messages of [`mls_core::wire`] travel as stanzas.
//!
//! [`mapping`] is pure. [`client`] is the connection of one device of one account, [`component`]
//! the connection of the server (XEP-0114). Neither decides anything about MLS.

pub mod client;
pub mod component;
mod limits;
pub mod mapping;
mod session;
mod stream;
