//! SQLite behind [`mls_core::store::Store`]: one file for a hub, one for each member.
//!
//! A [`Database`] reads by key and in key order, and commits a list of writes in one transaction.
//! It decides nothing. A member's values are encrypted at rest with a [`Key`]; its keys (the
//! names under which values lie) are not, and hold group ids and addresses only.

mod database;
mod file;
mod key;
mod key_check;
mod schema;
mod table;
mod transaction;

pub use database::{Database, OpenError};
pub use key::{Key, KeyError};
pub use schema::{Role, SCHEMA_VERSION};
