//! A strategy for what is asked of a hub.

use mls_core::wire::sealed::{RequestEnvelope, SealedRequest};
use proptest::prelude::*;

use crate::values::bytes;

/// A request's id.
pub(crate) fn id() -> impl Strategy<Value = String> {
    "[A-Za-z0-9_-]{1,64}"
}

/// Any request, as it travels.
pub(crate) fn request() -> impl Strategy<Value = RequestEnvelope> {
    let sealed = (bytes(), bytes())
        .prop_map(|(kem_output, ciphertext)| SealedRequest { kem_output, ciphertext });
    prop_oneof![Just(RequestEnvelope::HubInfo), sealed.prop_map(RequestEnvelope::Sealed)]
}
