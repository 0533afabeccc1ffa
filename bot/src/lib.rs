//! An MLS client for Matrix and XMPP: one device of one account, its groups, and `mls-bot`, the
//! program around it.
//!
//! This crate does the I/O of a member and decides nothing about groups: `mls_core::member` does.
//! It holds no mapping of either network: the adapters do. It shows what happened, at least once
//! and numbered, and keeps what is wanted until it is done, across restarts.
//!
//! Read [`Bot`] first, then `runner.rs`, the loop behind it. A bot that answers every "ping":
//!
//! ```no_run
//! use mls_core::content::{self, Content};
//! use mls_core::member::Event;
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     // Made by: mls-bot --profile pong login matrix --homeserver https://example.org ...
//!     let profile = bot::profile::Profile::open("pong".as_ref())?;
//!     let mut bot = bot::Bot::connect(profile, bot::Options::default()).await?;
//!     while let Some(record) = bot.next_event().await {
//!         let Event::Message(message) = record.event else { continue };
//!         if content::decode(&message.content) == Ok(Content::Text("ping".to_owned())) {
//!             // The same id after a crash is the same message: it is sent once.
//!             let id = format!("pong-{}", record.number);
//!             bot.send_text(id, &message.group, "pong").await?;
//!         }
//!     }
//!     Ok(bot.stop().await?)
//! }
//! ```

pub mod branching;
pub mod certificates;
pub mod chat;
mod clock;
pub mod command_line;
pub mod dispatch;
pub mod echo;
pub mod exit;
pub mod group_actions;
pub mod identities;
pub mod interrupt;
pub mod json;
pub mod knocking;
pub mod login;
pub mod one_shot;
pub mod profile;
pub mod rooms;
pub mod run;
pub mod screen;
pub mod session;
pub mod text;

mod authorities;
mod backoff;
mod courier;
mod handle;
mod identity_text;
mod invitations;
mod network;
mod runner;
mod stdin;
mod user;

pub use handle::{Bot, BotError, random_id, random_salt};
pub use runner::{Options, RunError, Status};
