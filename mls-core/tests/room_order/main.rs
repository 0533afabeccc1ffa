//! Groups that their room orders, with several members in one network in memory.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; clippy sees only #[test] functions as tests"
)]

#[allow(dead_code, reason = "the world of another test")]
#[path = "../member_flows/blobs.rs"]
mod blobs;
#[allow(dead_code, reason = "the world of another test")]
#[path = "../member_flows/handshake_keys.rs"]
mod handshake_keys;
#[path = "../member_flows/network.rs"]
mod network;
#[allow(dead_code, reason = "the world of another test")]
#[path = "../member_flows/restarts.rs"]
mod restarts;
#[allow(dead_code, reason = "the world of another test")]
#[path = "../member_flows/servers.rs"]
mod servers;
#[allow(dead_code, reason = "the world of another test")]
#[path = "../member_flows/story.rs"]
mod story;
#[allow(dead_code, reason = "the world of another test")]
#[path = "../member_flows/two_services.rs"]
mod two_services;

mod apart;
mod bounds;
mod coming_back;
mod disorder;
mod handing_back;
mod races;
mod restarting;
mod room;
