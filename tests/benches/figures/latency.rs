//! How long a message takes from one member's command to the other's event, with real servers,
//! within one network and across both: the difference is what the hub adds.

use std::cell::Cell;
use std::time::{Duration, Instant};

use serde_json::json;
use tests::bot::Bot;
use tests::deadline::until_each;
use tests::error::RigError;
use tests::group::Group;
use tests::rig::{Options, Rig};

use crate::spread::Spread;
use crate::step;

/// Messages of each sender that are measured.
const MESSAGES: usize = 50;
/// Messages before those.
const WARM_UP: usize = 5;
const DEADLINE: Duration = Duration::from_secs(60);
/// How often it is looked whether a message is there.
const LOOK: Duration = Duration::from_micros(500);

pub(crate) fn run() {
    if let Err(error) = measure() {
        panic!("latency cannot be measured: {error}");
    }
}

fn measure() -> Result<(), RigError> {
    step("latency: starting Synapse, Prosody and mls-bridge");
    let rig = Rig::start(Options::default())?;
    let (alice, bob) = rig.pair("alice", "bob")?;
    let (carol, dave) = rig.pair("carol", "dave")?;
    let group = Group::form(&alice, &[&carol, &bob, &dave])?;
    step("latency: alice on Matrix talks, then bob on XMPP");
    let matrix = talk(&group, &alice, &carol, &bob)?;
    let xmpp = talk(&group, &bob, &dave, &alice)?;
    println!(
        "\nLatency: from a member's command to the other's decrypted event, {MESSAGES} messages one \
         after the other, in milliseconds (median, 95 %, longest)"
    );
    print("Matrix to Matrix", "Matrix to XMPP", &matrix);
    print("XMPP to XMPP", "XMPP to Matrix", &xmpp);
    Ok(())
}

/// Times to the same network and to the other.
fn talk(group: &Group, from: &Bot, near: &Bot, far: &Bot) -> Result<(Spread, Spread), RigError> {
    let mut times = (Vec::new(), Vec::new());
    for number in 0..WARM_UP + MESSAGES {
        let text = format!("message {number} of {}", from.name);
        let events = [near.events.count(), far.events.count()];
        let begin = Instant::now();
        from.post(json!({"command": "send", "group": group.id, "text": text}))?;
        let [near, far] = arrivals(group, [near, far], events, &text, begin)?;
        if number >= WARM_UP {
            times.0.push(near);
            times.1.push(far);
        }
    }
    Ok((Spread::of(times.0), Spread::of(times.1)))
}

/// When each of two members showed a text.
fn arrivals(
    group: &Group,
    to: [&Bot; 2],
    events: [usize; 2],
    text: &str,
    begin: Instant,
) -> Result<[Duration; 2], RigError> {
    let times = Cell::new([None, None]);
    let look = || {
        let mut now = times.get();
        for ((bot, from), time) in to.iter().zip(events).zip(&mut now) {
            let is_it =
                |event: &serde_json::Value| group.is(event, "message") && event["text"] == text;
            if time.is_none() && bot.events.find(from, is_it).is_some() {
                *time = Some(begin.elapsed());
            }
        }
        times.set(now);
        Ok(match now {
            [Some(near), Some(far)] => Some([near, far]),
            _ => None,
        })
    };
    let missing = || {
        let missing = to.iter().zip(times.get()).filter(|(_, time)| time.is_none());
        let names: Vec<_> = missing.map(|(bot, _)| bot.name.as_str()).collect();
        format!("it did not reach {}", names.join(" and "))
    };
    until_each(LOOK, &format!("{text:?} is with both"), DEADLINE, look, missing)
}

fn print(near: &str, far: &str, (to_near, to_far): &(Spread, Spread)) {
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    let line = |name: &str, spread: &Spread| {
        let [median, p95, longest] = [spread.median, spread.p95, spread.longest].map(millis);
        println!("{name:20} {median:8.1} {p95:8.1} {longest:8.1}");
    };
    line(near, to_near);
    line(far, to_far);
    let added = millis(to_far.median) - millis(to_near.median);
    println!("{:20} {added:8.1}", "crossing adds");
}
