//! Strategies for what messages are made of, within the bounds of docs/wire.md.

use mls_core::address::{ClientId, UserId};
use mls_core::checkpoint::CheckpointBytes;
use mls_core::limits::CHECKPOINT_BYTES_MAX;
use mls_core::limits::NAME_BYTES_MAX;
use mls_core::wire::{Digest, GroupId};
use proptest::collection::vec;
use proptest::prelude::*;

/// A few of them.
pub(crate) fn some<T: std::fmt::Debug>(
    of: impl Strategy<Value = T>,
) -> impl Strategy<Value = Vec<T>> {
    vec(of, 0..4)
}

/// Bytes that travel inside.
pub(crate) fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..200)
}

/// A checkpoint as it travels, or none.
pub(crate) fn checkpoint() -> impl Strategy<Value = Option<CheckpointBytes>> {
    prop::option::of(vec(any::<u8>(), 0..=CHECKPOINT_BYTES_MAX).prop_map(CheckpointBytes))
}

/// A SHA-256 digest.
pub(crate) fn digest() -> impl Strategy<Value = Digest> {
    any::<[u8; 32]>().prop_map(Digest)
}

/// A group id: of 16 bytes where all is well, and of others.
pub(crate) fn group() -> impl Strategy<Value = GroupId> {
    prop_oneof![3 => vec(any::<u8>(), 16), 1 => vec(any::<u8>(), 1..40)].prop_map(GroupId)
}

/// Text of people, in every character that both XML and JSON can carry. Line ends and tabs too:
/// they must not be lost on the way.
pub(crate) fn text() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        8 => proptest::char::range(' ', '\u{7e}'),
        1 => prop::sample::select(vec!['\n', '\r', '\t', '<', '>', '&', '"', '\'', ']', '\u{85}']),
        2 => any::<char>().prop_filter("XML 1.0 cannot carry it", |c| {
            matches!(*c, '\u{20}'..='\u{fffd}' | '\u{10000}'..)
        }),
    ];
    vec(character, 0..60).prop_map(|characters| characters.into_iter().collect())
}

/// A name as long as a name may be, or shorter.
pub(crate) fn name() -> impl Strategy<Value = String> {
    prop_oneof![8 => text(), 1 => Just("n".repeat(NAME_BYTES_MAX))]
}

/// A user of either network; on XMPP with a name as servers write it, all of it folded.
pub(crate) fn user() -> impl Strategy<Value = UserId> {
    let matrix = ("[^:\\pC]{1,12}", "[a-z]{1,9}\\.[a-z]{2,3}(:[0-9]{1,5})?")
        .prop_map(|(local, server)| UserId::matrix(&format!("@{local}:{server}")).unwrap());
    let xmpp = ("[a-z0-9.%=+_\u{fc}\u{4e2d}-]{1,12}", "[a-z]{1,9}\\.[a-z]{2,3}")
        .prop_map(|(local, domain)| UserId::xmpp(&format!("{local}@{domain}")).unwrap());
    prop_oneof![matrix, xmpp]
}

/// A device of a user of either network.
pub(crate) fn client() -> impl Strategy<Value = ClientId> {
    (user(), "[0-9a-f]{16}").prop_map(|(user, device)| user.device(&device).unwrap())
}
