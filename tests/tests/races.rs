//! Members that commit at the same time: one winner an epoch, and nobody is left behind.

use std::thread;

use serde_json::json;
use tests::bot::Bot;
use tests::error::RigError;
use tests::group::Group;
use tests::rig::shared;

const ROUNDS: u64 = 20;

fn at_the_same_time(group: &Group, bots: &[&Bot]) -> Result<(), RigError> {
    let rotate = |bot: &Bot| bot.command(json!({"command": "rotate", "group": group.id})).map(drop);
    thread::scope(|scope| {
        let threads: Vec<_> = bots.iter().map(|bot| scope.spawn(|| rotate(bot))).collect();
        let panicked = |_| RigError::Answer("a thread panicked".to_owned());
        threads.into_iter().try_for_each(|thread| thread.join().map_err(panicked)?)
    })
}

#[test]
fn two_members_commit_at_once_for_twenty_rounds_with_one_winner_each() -> Result<(), RigError> {
    shared(|rig| {
        let (alice, bob) = rig.pair("alice", "bob")?;
        let carol = rig.matrix_bot("carol")?;
        let group = Group::form(&alice, &[&bob, &carol])?;
        let all = [&alice, &bob, &carol];
        let start = group.converge_to(&all, 3)?.epoch;
        for round in 1..=ROUNDS {
            at_the_same_time(&group, &[&alice, &bob])?;
            let view = group.converge(&all)?;
            // Both rotations happened, each in an epoch of its own: the loser rebased.
            assert!(view.epoch >= start + 2 * round, "round {round} ends at epoch {}", view.epoch);
        }
        let epochs = group.assert_one_winner_an_epoch(&all)?;
        assert!(epochs as u64 >= 2 * ROUNDS, "only {epochs} epochs were seen");
        group.say(&alice, &all, "the race is over, says Matrix")?;
        group.say(&bob, &all, "the race is over, says XMPP")
    })
}

#[test]
fn messages_sent_while_others_commit_arrive_once() -> Result<(), RigError> {
    shared(|rig| {
        let (alice, bob) = rig.pair("alice", "bob")?;
        let (carol, dave) = rig.pair("carol", "dave")?;
        let group = Group::form(&alice, &[&bob, &carol, &dave])?;
        let all = [&alice, &bob, &carol, &dave];
        let mut texts = Vec::new();
        for round in 0..5 {
            for bot in [&carol, &dave] {
                let text = format!("round {round}, in between, by {}", bot.name);
                bot.post(json!({"command": "send", "group": group.id, "text": text}))?;
                texts.push(text);
            }
            at_the_same_time(&group, &[&alice, &bob])?;
        }
        for bot in all {
            for text in &texts {
                bot.wait_for(text, |event| group.is(event, "message") && event["text"] == *text)?;
            }
            group.assert_exactly(bot, &texts)?;
        }
        group.converge_to(&all, 4)?;
        group.assert_one_winner_an_epoch(&all).map(drop)
    })
}

#[test]
fn an_invitation_and_a_rotation_at_once_both_happen() -> Result<(), RigError> {
    shared(|rig| {
        let (alice, bob) = rig.pair("alice", "bob")?;
        let (carol, dave) = rig.pair("carol", "dave")?;
        let group = Group::form(&alice, &[&bob])?;
        let rotate = bob.post(json!({"command": "rotate", "group": group.id}))?;
        group.invite(&alice, &[&carol, &dave])?;
        bob.finish(&rotate)?;
        let all = [&alice, &bob, &carol, &dave];
        group.converge_to(&all, 4)?;
        group.say(&dave, &all, "everybody came through the door")
    })
}
