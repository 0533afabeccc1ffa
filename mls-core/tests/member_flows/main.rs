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
mod membership;
mod network;
mod power;
mod races;
mod returning;
mod returning_amid;
mod servers;
mod story;
