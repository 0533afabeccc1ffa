//! A member whose engine is OpenMLS, in groups with members on mls-rs, through one hub.
//!
//! `memory` is without servers; `networks` is on a real Synapse and a real Prosody.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by a panic"
)]

mod commits;
mod disorder;
mod joining;
mod long_story;
mod memory;
mod networks;
mod new_start;
mod open_groups;
mod peer;
mod proposals;
mod psks;
mod races;
mod returning;
mod rogue_hub;
mod sample;
mod shapes;
