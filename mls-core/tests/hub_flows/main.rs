//! The hub, driven by inputs, with bare MLS clients as members and a store in memory.
//!
//! Every input goes to two hubs: one that keeps running, and one that is opened anew from its
//! store before each input. What they answer, do and write must be the same, in every test here.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; clippy sees only #[test] functions as tests"
)]

mod apart;
mod blobs;
mod branching;
mod claims;
mod commits;
mod device;
mod given_authority;
mod gone;
mod group;
mod handing_back;
mod held;
mod in_clear;
mod keeping;
mod knocking;
mod lawless;
mod lost_rooms;
mod many_adds;
mod messages;
mod operator;
mod proposals;
mod registration;
mod removal;
mod requests;
mod restarting;
mod returning;
mod revocation;
mod revocation_lists;
mod revoked_by_operator;
mod roots;
mod settings;
mod transparency;
mod world;
