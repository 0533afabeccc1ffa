//! XMPP for mls-bridge: how the messages of [`mls_core::wire`] travel as stanzas.
//!
//! [`mapping`] is pure: XML in, values out, and back. [`client`] is the connection of one device
//! of one account, [`component`] the connection of the server (XEP-0114). Neither decides anything
//! about MLS, and neither looks into the bytes that it carries.
//!
//! Both connections stand on the same two layers: `stream` reads stanzas so that no bad one ends
//! it, and `session` gives answers and reflections to who waits for them and keeps rooms entered
//! and caught up from their archives.

pub mod client;
pub mod component;
mod limits;
pub mod mapping;
mod session;
mod stream;
