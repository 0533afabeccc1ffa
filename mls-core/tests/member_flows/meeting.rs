//! Two things that rarely happen, at once.

use mls_core::group_settings::Settings;
use mls_core::member::{Command, Event, ReInitCommand};
use mls_core::wire::GroupId;

use crate::network::World;
use crate::restarting::make_admin;
use crate::story::four;

const BOB: usize = 2;

fn start_anew(world: &mut World, index: usize, group: &GroupId, suite: u16) -> String {
    let command = ReInitCommand { group: group.clone(), suite, settings: Settings::default() };
    world.command(index, Command::ReInit(command))
}

#[test]
fn of_two_admins_who_start_a_group_anew_at_once_both_are_in_what_follows() {
    for (suites, seed) in [([3, 3], 1), ([3, 2], 2), ([2, 3], 3), ([3, 2], 4), ([2, 3], 9)] {
        let (mut world, group) = four();
        make_admin(&mut world, &group, BOB);
        world.shuffled = Some(seed);
        let ids = [(0, suites[0]), (BOB, suites[1])]
            .map(|(index, suite)| (index, start_anew(&mut world, index, &group, suite)));
        world.run();
        world.pass(120);
        let done = ids.iter().filter(|(index, id)| {
            let failed = |why: &str| why == "somebody else starts the group anew";
            let done = matches!(world.result(*index, id), Some(Event::CommandDone(_)));
            assert!(done || failed(&world.failure(*index, id)), "{suites:?} {seed}");
            done
        });
        assert!(done.count() > 0);
        for index in 0..4 {
            world.say(index, &group, &format!("from {index}"));
        }
        world.run();
        world.pass(60);
        for index in 0..4 {
            world.assert_heard(&[0, 1, 2, 3], &format!("from {index}"));
        }
    }
}
