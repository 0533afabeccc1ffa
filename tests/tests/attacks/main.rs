//! Attacks over real servers: by members gone bad, by strangers, and by both in the rooms.
//!
//! Each says who is told what, and that nothing is lost, no group stalls and the bridge lives:
//! afterwards the same group commits and talks in both directions. Bits that flip on the way are
//! in `tests/tampering`, bytes that are no MLS at all in `tests/bad_input.rs`, messages in
//! clear in `tests/messages.rs`.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what an attack needs is there, or the test fails"
)]

mod hub_door;
mod impostors;
mod insider;
mod papers;
mod party;
mod requests;
mod rooms;
mod stranger;
mod welcomes;
