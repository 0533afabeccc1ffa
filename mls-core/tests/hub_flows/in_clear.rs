//! What a message may not carry beside what is encrypted or signed: authenticated data, which everybody could read.

use mls_core::wire::refusal::Refusal;

use crate::device::Device;
use crate::world::{World, room};

#[test]
fn what_carries_authenticated_data_is_neither_ordered_nor_copied() {
    let mut world = World::new();
    let mut bob = Device::new("bob@example.org", "00000000000000b0");
    let mut alice = world.group_with(&mut [&mut bob]);
    let data = || b"seen by every server".to_vec();
    let why = "authenticated data";
    let message = alice.group().encrypt_application_message(b"hello", data()).unwrap();
    let message = message.to_bytes().unwrap();
    assert_eq!(world.message(&room(), &alice.user(), &message), []);
    let proposal = bob.group().propose_update(data()).unwrap().to_bytes().unwrap();
    let refused = world.propose(&bob, proposal);
    assert!(matches!(&refused, Err(Refusal::Invalid(said)) if said.contains(why)), "{refused:?}");
    let commit = alice.commit(world.now, |builder| Ok(builder.authenticated_data(data())));
    let refused = world.submit(&alice.user(), commit);
    assert!(
        matches!(&refused, Err(Refusal::InvalidCommit(said)) if said.contains(why)),
        "{refused:?}"
    );
}
