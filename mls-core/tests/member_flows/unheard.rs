//! Members who were added, and whether they were heard from.

use mls_core::member::{Command, Event};
use mls_core::wire::GroupId;

use crate::network::World;
use crate::story::{ALICE, BOB, JULIET};

/// Whom a member has not heard from.
fn unheard(world: &World, index: usize) -> Vec<usize> {
    let members = world.nodes[index].member.groups().unwrap().remove(0).members;
    let place = |client| world.nodes.iter().position(|node| node.client == client).unwrap();
    let unheard = members.into_iter().filter(|member| member.unheard_since_ms.is_some());
    let mut unheard: Vec<_> = unheard.map(|member| place(member.client)).collect();
    unheard.sort_unstable();
    unheard
}

fn told(world: &World, index: usize, of: usize) -> usize {
    let client = world.nodes[of].client.clone();
    let heard = |event: &Event| matches!(event, Event::HeardFrom(h) if h.client == client);
    world.count(index, heard)
}

#[test]
fn who_was_added_is_shown_as_not_heard_from_until_it_speaks_or_renews_its_leaf() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    assert_eq!(unheard(&world, 0), [1, 2]);
    world.restart(0);
    assert_eq!(unheard(&world, 0), [1, 2]);
    let id = world.command(1, Command::Rotate(group.clone()));
    world.run();
    world.assert_done(1, &id);
    assert_eq!((unheard(&world, 0), told(&world, 0, 1)), (vec![2], 1));
    world.say(2, &group, "good evening");
    world.run();
    assert_eq!((unheard(&world, 0), told(&world, 0, 2)), (vec![], 1));
    world.say(2, &group, "it was the nightingale");
    world.run();
    world.restart(0);
    assert_eq!((unheard(&world, 0), told(&world, 0, 2)), (vec![], 1), "told once");
    assert_eq!(left(&world, 0), 0);
}

#[test]
fn who_is_removed_unheard_is_forgotten() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    removed(&mut world, &group, 2);
    assert_eq!((unheard(&world, 0), told(&world, 0, 2)), (vec![1], 0));
    removed(&mut world, &group, 1);
    assert_eq!(left(&world, 0), 0);
}

fn removed(world: &mut World, group: &GroupId, index: usize) {
    let id = world.remove(0, group, index);
    world.run();
    world.assert_done(0, &id);
}

/// What a member keeps of those whom it has not heard from.
fn left(world: &World, index: usize) -> usize {
    use mls_core::store::Store;
    world.nodes[index].store.scan("unheard_member", &[], &[], 100).unwrap().len()
}
