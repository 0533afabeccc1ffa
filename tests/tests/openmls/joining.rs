//! Joining by the Welcomes of the other engine, and messages in both directions.

use crate::memory::{ALICE, JULIET, World, everybody_agrees};
use crate::peer::Change;

const PETRA: (&str, &str) = ("petra@x.org", "00000000000000a1");
const OTTO: (&str, &str) = ("@otto:a.org", "OPENMLS");

#[test]
fn openmls_joins_by_our_welcome_and_talks() {
    let mut world = World::new(&[ALICE, JULIET]);
    let (mut petra, mut otto) = (world.peer(PETRA, 1), world.peer(OTTO, 1));
    let group = world.found(0);
    let users = vec![world.user(1), petra.client.user(), otto.client.user()];
    world.invite(0, &group, users);
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra, &mut otto]);
    world.say(0, &group, "hello from mls-rs");
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra, &mut otto]);
    petra.say(&mut world.at(&petra.client.clone()), "hello from OpenMLS").unwrap();
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra, &mut otto]);
    let heard: Vec<_> = otto.heard.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(heard, ["hello from mls-rs", "hello from OpenMLS"]);
    assert_eq!(world.heard(1), ["PHONE: hello from mls-rs", "00000000000000a1: hello from OpenMLS"]);
    let _ = Change::Update;
}
