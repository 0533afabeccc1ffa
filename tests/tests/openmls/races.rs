//! Members of both engines commit at the same time: one wins, the other builds its commit anew.

use mls_core::member::Command;
use mls_core::wire::refusal::Refusal;

use crate::memory::{
    ALICE, BOB, JULIET, OTTO, PETRA, World, everybody_agrees, group_of, group_with,
};
use crate::peer::{Change, PeerError};

#[test]
fn of_a_commit_of_each_engine_one_wins_and_the_other_follows_it() {
    let mut world = World::new(&[ALICE, JULIET]);
    let mut petra = world.peer(PETRA, 1);
    let group = group_with(&mut world, &mut [&mut petra]);
    for round in 0..10 {
        let before = petra.epoch().unwrap();
        let ours = world.command(0, Command::Rotate(group.clone()));
        let theirs = petra.prepare(&mut world.at(&petra.client.clone()), &Change::Update).unwrap();
        // The member's commit is built and on its way.
        assert!(world.step());
        if round % 2 == 0 {
            world.run();
            let lost = petra.submit(&mut world.at(&petra.client.clone()), theirs);
            let current = before + 1;
            assert!(
                matches!(lost, Err(PeerError::Refused(Refusal::WrongEpoch(epoch))) if epoch == current),
                "{lost:?}"
            );
            petra.commit(&mut world.at(&petra.client.clone()), &Change::Update).unwrap();
        } else {
            petra.submit(&mut world.at(&petra.client.clone()), theirs).unwrap();
            world.run();
            world.pass(30);
        }
        world.run();
        world.assert_done(0, &ours);
        everybody_agrees(&mut world, &[0, 1], &mut [&mut petra]);
        assert_eq!(petra.epoch().unwrap(), before + 2, "round {round}");
    }
}

#[test]
fn an_invitation_by_openmls_that_lost_the_race_adds_everybody_at_the_next_attempt() {
    let mut world = World::new(&[ALICE, BOB, JULIET]);
    let (mut petra, mut otto) = (world.peer(PETRA, 1), world.peer(OTTO, 1));
    let group = group_of(&mut world, &mut petra, &[0]);
    everybody_agrees(&mut world, &[0], &mut [&mut petra]);
    let add = Change::Add(vec![world.user(1), world.user(2), otto.client.user()]);
    let lost = petra.prepare(&mut world.at(&petra.client.clone()), &add).unwrap();
    world.done(0, Command::Rotate(group));
    assert!(petra.submit(&mut world.at(&petra.client.clone()), lost).is_err());
    petra.commit(&mut world.at(&petra.client.clone()), &add).unwrap();
    everybody_agrees(&mut world, &[0, 1, 2], &mut [&mut petra, &mut otto]);
}

#[test]
fn a_proposal_by_openmls_that_came_too_late_is_made_anew() {
    let mut world = World::new(&[ALICE, JULIET]);
    let mut petra = world.peer(PETRA, 1);
    let group = group_with(&mut world, &mut [&mut petra]);
    world.done(0, Command::Rotate(group.clone()));
    // It has not looked at its inbox: the proposal is for the epoch before.
    let late = petra.propose_update(&mut world.at(&petra.client.clone()));
    assert!(matches!(late, Err(PeerError::Refused(Refusal::WrongEpoch(_)))), "{late:?}");
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra]);
    petra.propose_update(&mut world.at(&petra.client.clone())).unwrap();
    world.pass(60);
    everybody_agrees(&mut world, &[0, 1], &mut [&mut petra]);
    assert!(!petra.has_pending_proposals().unwrap(), "nobody committed it");
}
