//! Every message of the wire through the mapping of either network and back, and whatever others
//! may send into the readers: they refuse it and do not panic.
//!
//! The binary forms of mls-core's types are tested beside them (`mls-core/src/codec_properties.rs`).

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by a panic")]

mod answers;
mod json;
mod lines;
mod matrix;
mod requests;
mod stanzas;
mod values;
mod xmpp;
