//! The flows of a group, with several members and a hub over two networks in memory.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; clippy sees only #[test] functions as tests"
)]

mod attacks;
mod disorder;
mod hub_keys;
mod membership;
mod network;
mod operations;
mod power;
mod psks;
mod races;
mod restarts;
mod returning;
mod secrecy;
mod servers;
mod starting_anew;
mod story;
mod suites;
