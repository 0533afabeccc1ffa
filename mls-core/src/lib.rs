//! MLS (RFC 9420) over federated networks: what a member and a delivery service *decide*.
//!
//! This crate does no I/O, spawns nothing and is not async. A caller hands in one input, gets back what
//! to write and what to send, commits both together, and then acts. Time is a parameter of each input
//! (the engine alone looks at the clock, where a group is made of another: docs/decisions/0013), and
//! randomness one of opening ([`randomness`]): the operating system's where nothing else is given.
//!
//! A client is a loop around [`member::Member::handle`]:
//!
//! ```
//! use std::sync::Arc;
//!
//! use mls_core::address::UserId;
//! use mls_core::member::{Command, Input, Member, Output};
//! use mls_core::store::MemoryStore;
//! use mls_core::wire::create_room::CreateRoom;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // The database; everything that is returned as a write goes there before anything is sent.
//! let store = MemoryStore::default();
//! let client = UserId::matrix("@alice:example.org")?.device("PHONE")?;
//! let (mut member, writes) = Member::open(Arc::new(store.clone()), client)?;
//! store.apply(&writes);
//!
//! let rooms = CreateRoom { matrix: true, xmpp: true, name: "Tea".to_owned() };
//! let inputs = [Input::Connected, Input::Command("1".to_owned(), Command::CreateGroup(rooms))];
//! let now_ms = 1_800_000_000_000;
//! for input in inputs {
//!     let outcome = member.handle(now_ms, input)?;
//!     store.apply(&outcome.writes);
//!     for output in outcome.outputs {
//!         match output {
//!             Output::Request(whom, id, request) => println!("ask {whom:?} {request:?} under {id}"),
//!             Output::Send(message) => println!("post {} into {}", message.id, message.room),
//!             Output::UploadKeyPackages(upload) => println!("publish {}", upload.id),
//!             Output::JoinRoom(room) | Output::LeaveRoom(room) => println!("go to {room}"),
//!             Output::Event(record) => println!("show {:?}", record.event),
//!         }
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! After a restart, [`member::Member::pending`] gives again what was not confirmed.
//!
//! Read [`wire`] first (what travels), then [`hub::Hub`] (the delivery service, which follows
//! the public state of groups and holds no key) or [`member::Member`] (one device of one account).
//! [`door`] is the one place that decides whether bytes reach the MLS engine at all.

#![cfg_attr(
    test,
    allow(unused_qualifications, reason = "proptest_derive writes out the types of fields")
)]

pub mod address;
pub mod authority;
pub mod bridge_group;
pub mod checkpoint;
#[cfg(test)]
mod codec_properties;
pub mod content;
pub mod crypto;
pub mod delivery;
pub mod door;
pub mod engine;
pub mod evidence;
mod framing;
pub mod group_settings;
pub mod handover;
pub mod hpke_keys;
pub mod hub;
pub mod identity;
mod key_package;
pub mod limits;
pub mod member;
pub mod overlay;
pub mod policy;
pub mod psk;
pub mod randomness;
pub mod receipt;
pub mod required_capabilities;
pub mod rules;
pub mod seal;
pub mod service;
pub mod store;
pub mod submission;
pub mod transparency;
pub mod user_identity;
pub mod wire;
