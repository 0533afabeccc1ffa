//! Who cannot follow a group when that ends by a ReInit, and has a leaf in what follows.

use mls_core::group_settings::Settings;
use mls_core::limits::ENDED_WAIT_MS;
use mls_core::member::{Command, Event, Input, ReInitCommand};
use mls_core::wire::{Answer, GroupId};

use crate::left_out::{BOB, stop_all, told};
use crate::network::World;
use crate::story::four;

fn start_anew(world: &mut World, group: &GroupId) -> GroupId {
    let command = ReInitCommand { group: group.clone(), suite: 3, settings: Settings::default() };
    let id = world.command(0, Command::ReInit(command));
    world.run();
    world.group_of(0, &id)
}

#[test]
fn what_waits_for_a_group_that_was_started_anew_goes_on_where_its_state_was_lost() {
    for (lost, given_up) in [(true, false), (false, false), (false, true)] {
        let (mut world, group) = four();
        world.tamper = Box::new(move |index, input| match input {
            Input::Answer(_, Ok(Answer::GroupInfo(info))) if index == BOB => {
                info.group_info = vec![7; 100].into();
                given_up
            }
            _ => true,
        });
        if lost {
            world.lose(BOB, &["group_state", "epoch", "journal"]);
            world.give(BOB, Input::Connected);
            world.run();
        } else {
            stop_all(&mut world, &group, given_up);
        }
        let ids: Vec<_> = match given_up {
            true => Vec::new(),
            false => vec![
                world.say(BOB, &group, "am I here?"),
                world.command(BOB, Command::Rotate(group.clone())),
            ],
        };
        world.run();
        let next = start_anew(&mut world, &group);
        world.pass(60);
        world.tamper = Box::new(|_, _| true);
        world.pass(ENDED_WAIT_MS / 1000 + 1300);
        world.assert_agree(&next, &[0, 1, BOB, 3]);
        ids.iter().for_each(|id| world.assert_done(BOB, id));
        assert_eq!(told(&world, BOB), usize::from(given_up), "{:?}", world.warnings(BOB));
        assert_eq!(world.count(BOB, |event| matches!(event, Event::Removed(_))), 0);
        let anew = |e: &Event| matches!(e, Event::Restarted(e) if e.group == group && e.changed.is_empty() && e.unknown.is_empty());
        assert_eq!(world.count(BOB, anew), 1);
        world.say(BOB, &group, "by the old name");
        world.run();
        world.assert_heard(&[0, 1, BOB, 3], "by the old name");
    }
}
