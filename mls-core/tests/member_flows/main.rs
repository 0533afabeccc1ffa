//! The flows of a group, with several members and a hub over two networks in memory.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; clippy sees only #[test] functions as tests"
)]

mod another_intermediate;
mod apart;
mod attacks;
mod authorities;
mod beyond_the_rules;
mod blobs;
mod branching;
mod branching_amid;
mod checkpoints;
mod credentials;
mod disorder;
mod ended_on_way;
mod ending;
mod evidence;
mod following_by_leaf;
mod gaps;
mod gone_groups;
mod handshake_keys;
mod hub_keys;
mod junk;
mod knocking;
mod left_out;
mod log_fork;
mod log_watch;
mod lone_devices;
mod lying_hub;
mod meeting;
mod membership;
mod membership_log;
mod network;
mod new_root;
mod no_certificate;
mod operations;
mod other_hub;
mod overtaken;
mod own_revocation;
mod policy_values;
mod power;
mod psks;
mod races;
mod recovery;
mod refused_way_back;
mod restarting;
mod restarting_amid;
mod restarts;
mod returning;
mod returning_amid;
mod revocation;
mod rotating_everywhere;
mod sealed;
mod secrecy;
mod servers;
mod signature_keys;
mod starting_anew;
mod story;
mod suites;
mod taken_along;
mod two_services;
mod unheard;
mod uninvited;
mod user_identity;
