//! Certificates that end while people talk, on real servers whose clocks the test moves.

#![expect(clippy::indexing_slicing, reason = "a test fails by a panic")]

use std::cell::Cell;

use serde_json::json;
use tests::bot::Bot;
use tests::clock::Clock;
use tests::deadline::{STEP, until};
use tests::error::RigError;
use tests::group::Group;
use tests::rig::{Options, own};

/// Until when the leaf of a bot is certified, in milliseconds since 1970, as another sees it.
fn certified_until(group: &Group, seen_by: &Bot, of: &Bot) -> Result<Option<u64>, RigError> {
    Ok(group.leaf(seen_by, of)?["certified_until"].as_u64())
}

/// Lets some days pass until each sees that the other is certified for longer than `first`: who has a new
/// certificate shows it with the next renewal of the leaf, of which there is one in 7 days.
fn wait_renewed(
    group: &Group,
    clock: &Clock,
    day: u32,
    pairs: [(&Bot, &Bot); 2],
    first: [Option<u64>; 2],
) -> Result<(), RigError> {
    let hour = Cell::new(day * 24);
    let seen = || pairs.map(|(by, of)| certified_until(group, by, of).ok().flatten());
    let renewed = || {
        hour.set((hour.get() + 3).min((day + 8) * 24));
        clock.go_to(hour.get())?;
        let now = seen();
        Ok((now[0] > first[0] && now[1] > first[1]).then_some(()))
    };
    until(&format!("both are certified anew from day {day} on"), STEP, renewed, || {
        format!("first {first:?}, now {:?}", seen())
    })
}

#[test]
fn certificates_are_renewed_before_they_end_and_the_conversation_goes_on() -> Result<(), RigError> {
    own(Options { moving_clock: true, ..Options::default() }, |rig| {
        let (alice, bob) = rig.pair("lastingalice", "lastingbob")?;
        let group = Group::form(&alice, &[&bob])?;
        group.converge_to(&[&alice, &bob], 2)?;
        // A leaf whose certificate has ended has no place in it.
        let strict = json!({"command": "settings", "group": group.id, "basic_allowed": false});
        alice.command(strict)?;
        let pairs = [(&alice, &bob), (&bob, &alice)];
        let [first, second] = pairs.map(|(by, of)| certified_until(&group, by, of));
        let first = [first?, second?];
        let mut texts = Vec::new();
        // Ninety days is a certificate's life, sixty the age at which it is renewed.
        for day in [0, 20, 40, 61, 81, 101] {
            let clock = rig.keeper().clock()?;
            clock.go_to(day * 24)?;
            if day == 61 {
                wait_renewed(&group, clock, day, pairs, first)?;
            }
            for (by, to) in pairs {
                let text = format!("{} on day {day}", by.name);
                group.say(by, &[to], &text)?;
                texts.push(text);
            }
        }
        group.converge_to(&[&alice, &bob], 2)?;
        group.assert_exactly(&alice, &texts)?;
        group.assert_exactly(&bob, &texts)
    })
}
