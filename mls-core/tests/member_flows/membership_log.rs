//! The log of who came, who went, and who wanted it so.

use mls_core::address::ClientId;
use mls_core::limits::DAY_MS;
use mls_core::member::{ChangeKind, Command, Event, MembershipChange, MembershipEntry, Proposer};
use mls_core::wire::GroupId;

use crate::network::{START_MS, World};
use crate::story::{ALICE, BOB, JULIET, ROMEO};

fn log(world: &World, index: usize, group: &GroupId) -> Vec<MembershipEntry> {
    world.nodes[index].member.membership_log(group, 0, 100).unwrap()
}

/// Kind, client and proposer, as indices of nodes.
fn changes(world: &World, entry: &MembershipEntry) -> Vec<(ChangeKind, usize, Option<usize>)> {
    let index =
        |client: &ClientId| world.nodes.iter().position(|node| node.client == *client).unwrap();
    let change = |change: &MembershipChange| {
        let by = match &change.by {
            Proposer::Member(client) => Some(index(client)),
            Proposer::Hub => None,
            Proposer::Unknown => Some(usize::MAX),
        };
        (change.kind, index(&change.client), by)
    };
    entry.changes.iter().map(change).collect()
}

#[test]
fn every_change_is_logged_alike_by_all_with_who_wanted_it() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET, ROMEO]);
    let began = log(&world, 1, &group);
    assert_eq!(changes(&world, &began[0]), [(ChangeKind::Added, 1, Some(usize::MAX))]);
    let from = began.last().unwrap().seq + 1;
    world.command(2, Command::Rotate(group.clone()));
    world.run();
    world.command(1, Command::Rejoin(group.clone()));
    world.run();
    world.remove(0, &group, 3);
    world.run();
    // Juliet goes by herself: the hub proposes, whoever is first commits.
    world.command(2, Command::Leave(group.clone()));
    world.run();
    world.pass(60);
    world.assert_agree(&group, &[0, 1]);
    let entries: Vec<_> =
        log(&world, 0, &group).into_iter().filter(|entry| entry.seq >= from).collect();
    let all: Vec<_> = entries.iter().flat_map(|entry| changes(&world, entry)).collect();
    assert_eq!(
        all,
        [
            (ChangeKind::Updated, 2, Some(2)),
            // The first update brings a key of the group's own.
            (ChangeKind::NewKey, 2, Some(2)),
            (ChangeKind::Returned, 1, Some(1)),
            (ChangeKind::Removed, 3, Some(0)),
            (ChangeKind::Removed, 2, None),
        ]
    );
    assert!(entries.windows(2).all(|two| two[0].seq < two[1].seq));
    // Bob has the same from his return on, and Romeo up to his end.
    let bobs = log(&world, 1, &group);
    assert_eq!(bobs[bobs.len() - 2..], entries[2..]);
    assert_eq!(log(&world, 3, &group).last(), Some(&entries[2]));
    world.restart(0);
    assert_eq!(world.nodes[0].member.membership_log(&group, from, 2).unwrap(), entries[..2]);
    let next = entries[1].seq + 1;
    assert_eq!(world.nodes[0].member.membership_log(&group, next, 100).unwrap(), entries[2..]);
}

#[test]
fn an_epochs_event_names_who_proposed_each_change() {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    world.command(2, Command::Leave(group));
    world.run();
    world.pass(60);
    let juliet = world.nodes[2].client.clone();
    let removal = world.nodes[0].events.iter().find_map(|event| match event {
        Event::Epoch(epoch) if epoch.removed.contains(&juliet) => Some(epoch.clone()),
        _ => None,
    });
    let change = MembershipChange { kind: ChangeKind::Removed, client: juliet, by: Proposer::Hub };
    assert_eq!(removal.unwrap().changes, [change]);
}

#[test]
fn the_log_of_long_ago_goes_bit_by_bit() {
    let (mut world, group) = World::group(&[ALICE, BOB]);
    world.command(0, Command::Rotate(group.clone()));
    world.run();
    let old = log(&world, 0, &group).len();
    world.now_ms += 366 * DAY_MS;
    // Time for a new certificate.
    world.pass(1);
    world.command(0, Command::Rotate(group.clone()));
    world.run();
    let left = log(&world, 0, &group);
    assert!(old > 1 && !left.is_empty());
    assert!(left.iter().all(|entry| entry.time_ms > START_MS + 365 * DAY_MS), "{left:?}");
}
