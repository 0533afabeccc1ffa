//! MLS (RFC 9420) over federated networks: what a member and a delivery service *decide*.
//!
//! This crate does no I/O, never reads a clock, spawns nothing and is not async. A caller hands
//! in one input, gets back what to write and what to send, commits both together, and then acts.
//!
//! Read [`wire`] first (what travels), then [`hub::Hub`] (the delivery service, which follows
//! the public state of groups and holds no key) or [`member::Member`] (one device of one account).
//! [`door`] is the one place that decides whether bytes reach the MLS engine at all.

pub mod address;
pub mod bridge_group;
pub mod content;
pub mod delivery;
pub mod door;
pub mod engine;
pub mod group_settings;
pub mod hpke_keys;
pub mod hub;
pub mod identity;
mod key_package;
pub mod limits;
pub mod member;
pub mod overlay;
pub mod policy;
pub mod psk;
pub mod receipt;
pub mod rules;
pub mod store;
pub mod submission;
pub mod wire;
