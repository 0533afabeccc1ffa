//! Restarts and kill -9 of the bridge and of either server lose nothing and double nothing.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tests::bot::Bot;
use tests::deadline::{STEP, until};
use tests::error::RigError;
use tests::group::Group;
use tests::matrix_session::MatrixSession;
use tests::rig::{Options, Rig, own};
use tests::synapse::RateLimits;

/// How long a sender waits for a sentence to come back before it says the next: so that some are sent
/// before, some during and some after each disturbance.
const PACE: Duration = Duration::from_millis(200);
/// Sentences of both senders together before the next disturbance.
const A_WHILE: usize = 20;
/// A hub takes 60 commits of one user an hour.
const ROTATIONS: usize = 20;
/// For all that was delayed by servers that were away: clients come back within a minute.
const CATCH_UP: Duration = Duration::from_secs(240);
const AFTER: usize = 5;

/// What those who talk have done, and whether they are to go on.
#[derive(Default)]
struct Storm {
    said: AtomicUsize,
    over: AtomicBool,
}

impl Storm {
    /// Waits until so much was said that messages flow before the next disturbance, and fail during it.
    fn a_while(&self) -> Result<(), RigError> {
        let enough = self.said.load(Ordering::Relaxed) + A_WHILE;
        let look = || Ok((self.said.load(Ordering::Relaxed) >= enough).then_some(()));
        until("some more sentences", STEP, look, String::new)
    }
}

/// `from` talks, and renews its keys now and then, until the storm is over; returns its texts.
fn talk(group: &Group, from: &Bot, storm: &Storm) -> Result<Vec<String>, RigError> {
    let (mut texts, mut rest) = (Vec::new(), AFTER);
    while rest > 0 {
        let text = format!("sentence {} in the storm by {}", texts.len(), from.name);
        let before = from.events.count();
        from.post(json!({"command": "send", "group": group.id, "text": text}))?;
        if texts.len() % 10 == 5 && texts.len() < 10 * ROTATIONS {
            from.post(json!({"command": "rotate", "group": group.id}))?;
        }
        storm.said.fetch_add(1, Ordering::Relaxed);
        rest -= usize::from(storm.over.load(Ordering::Relaxed));
        comes_back(group, from, before, &text)?;
        texts.push(text);
    }
    Ok(texts)
}

/// Waits until its sender sees a sentence in the room, or [`PACE`] is over, as when a server is away.
fn comes_back(group: &Group, from: &Bot, before: usize, text: &str) -> Result<(), RigError> {
    let back = |event: &Value| group.is(event, "message") && event["text"] == text;
    let look = || Ok(from.events.find(before, back).map(drop));
    match until("a sentence comes back", PACE, look, String::new) {
        Err(RigError::Deadline { .. }) => Ok(()),
        other => other,
    }
}

/// Alice (Matrix) and Bob (XMPP) talk while `disturb` runs; Carol and Dave listen. In the end all
/// four have every message exactly once and agree on the group.
fn survives(
    disturb: impl FnOnce(&mut Rig, &[&Bot], &Storm) -> Result<(), RigError>,
) -> Result<(), RigError> {
    own(Options::default(), |rig| {
        let (alice, bob) = rig.pair("alice", "bob")?;
        let (carol, dave) = rig.pair("carol", "dave")?;
        let group = Group::form(&alice, &[&bob, &carol, &dave])?;
        let all = [&alice, &bob, &carol, &dave];
        let storm = Storm::default();
        let texts = thread::scope(|scope| {
            let talkers = [&alice, &bob].map(|bot| scope.spawn(|| talk(&group, bot, &storm)));
            let disturbed = disturb(rig, &all, &storm);
            storm.over.store(true, Ordering::Relaxed);
            let mut texts = Vec::new();
            for talker in talkers {
                let panicked = |_| RigError::Answer("a thread panicked".to_owned());
                texts.extend(talker.join().map_err(panicked)??);
            }
            disturbed.map(|()| texts)
        })?;
        all.iter().try_for_each(|bot| wait_for_all(&group, bot, &texts))?;
        group.converge_to(&all, 4)?;
        group.assert_one_winner_an_epoch(&all)?;
        group.say(&carol, &all, "the storm is over, says Matrix")?;
        group.say(&dave, &all, "the storm is over, says XMPP")?;
        let over = ["Matrix", "XMPP"].map(|network| format!("the storm is over, says {network}"));
        let texts = [texts, over.to_vec()].concat();
        all.iter().try_for_each(|bot| group.assert_exactly(bot, &texts))
    })
}

fn wait_for_all(group: &Group, bot: &Bot, texts: &[String]) -> Result<(), RigError> {
    let what = format!("{} has {} messages", bot.name, texts.len());
    let look = || Ok((bot.events.messages(&group.id)?.len() >= texts.len()).then_some(()));
    let reached = until(&what, CATCH_UP, look, || bot.events.last(5));
    // Says which are missing or double, also when not all came.
    group.assert_exactly(bot, texts).and(reached)
}

#[test]
fn kill_9_of_the_bridge_three_times_loses_and_doubles_nothing() -> Result<(), RigError> {
    survives(|rig, _, storm| {
        for _ in 0..3 {
            storm.a_while()?;
            rig.bridge.kill()?;
            rig.bridge.start()?;
        }
        Ok(())
    })
}

#[test]
fn sigterm_ends_the_bridge_cleanly_and_a_new_start_goes_on() -> Result<(), RigError> {
    survives(|rig, _, storm| {
        storm.a_while()?;
        rig.bridge.stop()?;
        storm.a_while()?;
        rig.bridge.start()
    })
}

#[test]
fn kill_9_of_synapse_twice_loses_and_doubles_nothing() -> Result<(), RigError> {
    survives(|rig, _, storm| {
        for _ in 0..2 {
            storm.a_while()?;
            rig.synapse.kill()?;
            storm.a_while()?;
            rig.synapse.start()?;
        }
        rig.bridge.assert_running()
    })
}

/// Synapse keeps what comes for the bridge in memory as long as the bridge has not answered what
/// came before, and forgets it when it stops.
#[test]
fn what_synapse_held_in_memory_when_it_was_killed_is_read_back_from_the_room()
-> Result<(), RigError> {
    own(Options::default(), |rig| {
        let (alice, bob) = rig.pair("alice", "bob")?;
        let group = Group::form(&alice, &[&bob])?;
        group.say(&alice, &[&bob], "before the fall")?;
        let texts = ["one", "two", "three", "four"].map(|n| format!("held in memory: {n}"));
        rig.bridge.freeze();
        for text in &texts {
            // Done when Synapse has it.
            alice.command(json!({"command": "send", "group": group.id, "text": text}))?;
        }
        rig.synapse.kill()?;
        rig.bridge.thaw();
        rig.synapse.start()?;
        let all = [&["before the fall".to_owned()], &texts[..]].concat();
        wait_for_all(&group, &bob, &all)?;
        group.say(&bob, &[&alice], "all of it has come")?;
        let all = [&all[..], &["all of it has come".to_owned()]].concat();
        [&alice, &bob].iter().try_for_each(|bot| group.assert_exactly(bot, &all))
    })
}

#[test]
fn a_kick_that_synapse_held_in_memory_when_it_was_killed_still_removes_the_leaf()
-> Result<(), RigError> {
    own(Options::default(), |rig| {
        let (alice, bob) = rig.pair("alice", "bob")?;
        let carol = rig.matrix_bot("carol")?;
        let group = Group::form(&alice, &[&bob, &carol])?;
        let room = group.room(&alice, "matrix")?;
        let moderator = MatrixSession::login(rig.synapse.port, &alice.account)?;
        rig.bridge.freeze();
        alice.command(
            json!({"command": "send", "group": group.id, "text": "this one is on its way"}),
        )?;
        moderator.moderate(&room, "kick", &carol.account.address)?;
        rig.synapse.kill()?;
        rig.bridge.thaw();
        // A homeserver that is back before anybody looked is found out a minute later only.
        rig.bridge.wait_logged("the homeserver is away")?;
        rig.synapse.start()?;
        group.wait_removed(&carol)?;
        group.converge_to(&[&alice, &bob], 2)?;
        group.say(&bob, &[&alice], "only two are left")
    })
}

/// Synapse tells what happened meanwhile late, and again, when the list of the room says otherwise
/// long since.
#[test]
fn who_left_the_room_and_came_back_while_the_bridge_was_away_keeps_the_leaf() -> Result<(), RigError>
{
    own(Options::default(), |rig| {
        let (alice, bob) = rig.pair("alice", "bob")?;
        let carol = rig.matrix_bot("carol")?;
        let group = Group::form(&alice, &[&bob, &carol])?;
        let room = group.room(&alice, "matrix")?;
        let moderator = MatrixSession::login(rig.synapse.port, &alice.account)?;
        let walker = MatrixSession::login(rig.synapse.port, &carol.account)?;
        carol.quit()?;
        rig.bridge.stop()?;
        walker.leave(&room)?;
        moderator.moderate(&room, "invite", &carol.account.address)?;
        walker.join(&room)?;
        alice
            .command(json!({"command": "send", "group": group.id, "text": "nobody is missing"}))?;
        rig.bridge.start()?;
        group.wait_heard(&bob, &alice, "nobody is missing")?;
        // As Synapse repeats what was not acknowledged; the bridge has not seen this event yet.
        let left = json!({
            "type": "m.room.member", "room_id": room, "event_id": "$of-the-past",
            "sender": carol.account.address, "state_key": carol.account.address,
            "content": {"membership": "leave"}, "origin_server_ts": 1,
        });
        let body = json!({ "events": [left] }).to_string();
        let token = rig.bridge.homeserver_token()?;
        let path = "/_matrix/app/v1/transactions/of-the-past";
        let answer = rig.ask_bridge("PUT", path, Some(&token), body.as_bytes())?;
        assert_eq!(answer.status, 200, "{answer:?}");
        carol.start()?;
        group.say(&bob, &[&alice, &carol], "carol is still here")?;
        group.converge_to(&[&alice, &bob, &carol], 3).map(drop)
    })
}

#[test]
fn kill_9_of_prosody_twice_loses_and_doubles_nothing() -> Result<(), RigError> {
    survives(|rig, _, storm| {
        for _ in 0..2 {
            storm.a_while()?;
            rig.prosody.kill()?;
            storm.a_while()?;
            rig.prosody.start()?;
        }
        rig.bridge.assert_running()
    })
}

#[test]
fn an_orderly_restart_of_both_servers_loses_and_doubles_nothing() -> Result<(), RigError> {
    survives(|rig, _, storm| {
        storm.a_while()?;
        rig.prosody.stop()?;
        rig.synapse.stop()?;
        rig.synapse.start()?;
        rig.prosody.start()?;
        rig.bridge.assert_running()
    })
}

#[test]
fn kill_9_of_listening_members_loses_and_doubles_nothing() -> Result<(), RigError> {
    survives(|_, bots, storm| {
        let listeners = bots.get(2..).unwrap_or_default();
        for _ in 0..3 {
            storm.a_while()?;
            for bot in listeners {
                bot.kill()?;
                bot.start()?;
            }
        }
        Ok(())
    })
}

#[test]
fn the_bridge_starts_before_both_servers_and_waits_for_them() -> Result<(), RigError> {
    let mut rig = Rig::prepare(Options::default())?;
    rig.bridge.launch()?;
    rig.bridge.wait_logged("waiting for the homeserver")?;
    rig.bridge.wait_logged("the component is not connected")?;
    rig.prosody.start()?;
    rig.bridge.wait_logged("component connected")?;
    rig.bridge.assert_running()?;
    rig.synapse.start()?;
    rig.bridge.wait_ready()?;
    let (alice, bob) = rig.pair("alice", "bob")?;
    let group = Group::form(&alice, &[&bob])?;
    group.say(&bob, &[&alice], "whoever comes first makes the tea")
}

#[test]
fn with_synapses_default_rate_limits_a_small_group_forms_and_talks() -> Result<(), RigError> {
    own(Options { limits: RateLimits::Default, ..Options::default() }, |rig| {
        let (alice, bob) = rig.pair("alice", "bob")?;
        let (carol, dave) = rig.pair("carol", "dave")?;
        let group = Group::form(&alice, &[&bob, &carol, &dave])?;
        let all = [&alice, &bob, &carol, &dave];
        for from in all {
            group.say(from, &all, &format!("slowly but surely, says {}", from.name))?;
        }
        group.converge_to(&all, 4).map(drop)
    })
}
