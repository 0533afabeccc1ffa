//! Restart of a group in which something else is under way.

use mls_core::member::{Command, Input};
use mls_core::wire::{Answer, Notice};

use crate::network::World;
use crate::story::four;

fn no_groups(world: &World, index: usize) -> bool {
    world.nodes[index].member.groups().unwrap().is_empty()
}

#[test]
fn who_asked_to_leave_a_group_before_it_was_restarted_leaves_the_new_one() {
    let (mut world, group) = four();
    // The hub's proposals come to nobody, and its answer not to who leaves.
    world.tamper = Box::new(|index, input| match input {
        Input::Notice(Notice::Handshake(_)) => false,
        Input::Answer(_, Ok(Answer::Done)) => index != 3,
        _ => true,
    });
    let leave = world.command(3, Command::Leave(group.clone()));
    world.run();
    assert_eq!(world.result(3, &leave), None);
    world.tamper = Box::new(|_, _| true);
    // So the admin does not know who is to go, and brings everybody.
    let id = world.command(0, Command::Restart(group));
    world.run();
    world.pass(60);
    let next = world.group_of(0, &id);
    world.assert_done(3, &leave);
    world.assert_agree(&next, &[0, 1, 2]);
    assert!(no_groups(&world, 3));
}
