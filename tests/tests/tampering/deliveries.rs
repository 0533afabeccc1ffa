//! Handshakes that are changed on the way to a member.

use serde_json::json;
use tests::bot::Bot;
use tests::deadline::{STEP, until};
use tests::error::RigError;
use tests::group::Group;
use tests::rig::shared;
use tests::tamper::{Aim, Proxy, Rule, Way};

use crate::{matrix_bot_behind, xmpp_bot_behind};

/// A handshake comes changed to `reader`, who warns; after the next one it agrees with all others
/// again.
fn a_changed_handshake_is_fetched_again(
    reader: &Bot,
    other: &Bot,
    proxy: &Proxy,
    needles: fn(u64) -> Vec<String>,
) -> Result<(), RigError> {
    let group = Group::form(other, &[reader])?;
    // Who has just joined fetches handshakes: not what is to be changed.
    other.command(json!({"command": "rotate", "group": group.id}))?;
    group.converge_to(&[reader, other], 2)?;
    group.say(reader, &[other], "all is settled before the test")?;
    for (number, aim) in
        [Aim::FromStart(4), Aim::SOMEWHERE, Aim::FromEnd(8)].into_iter().enumerate()
    {
        // Older handshakes may still be on their way, out of the room's history.
        let epoch = group.converge(&[reader, other])?.epoch;
        let from = reader.events.count();
        proxy.change_once(Rule { way: Way::Down, needles: needles(epoch), aim });
        other.command(json!({"command": "rotate", "group": group.id}))?;
        let changed = || Ok((proxy.changed() > number).then_some(()));
        until(&format!("something is changed at {aim:?}"), STEP, changed, String::new)?;
        reader.wait_for_after(from, "a warning", |event| {
            let text = event["text"].as_str().unwrap_or_default();
            group.is(event, "warning") && text.contains("do not open under its key")
        })?;
        other.command(json!({"command": "rotate", "group": group.id}))?;
        group.converge_to(&[reader, other], 2)?;
        group.say(reader, &[other], &format!("read on, though it came changed at {aim:?}"))?;
    }
    group.assert_one_winner_an_epoch(&[reader, other]).map(drop)
}

#[test]
fn a_handshake_changed_on_the_way_to_a_matrix_member_is_fetched_again() -> Result<(), RigError> {
    shared(|rig| {
        let (alice, proxy) = matrix_bot_behind(rig, "alice")?;
        let bob = rig.xmpp_bot("bob")?;
        a_changed_handshake_is_fetched_again(&alice, &bob, &proxy, |epoch| {
            vec![format!("\"epoch\":{epoch},"), "\"sealed\":\"".to_owned()]
        })
    })
}

#[test]
fn a_handshake_changed_on_the_way_to_an_xmpp_member_is_fetched_again() -> Result<(), RigError> {
    shared(|rig| {
        let (bob, proxy) = xmpp_bot_behind(rig, "bob")?;
        let alice = rig.matrix_bot("alice")?;
        a_changed_handshake_is_fetched_again(&bob, &alice, &proxy, |epoch| {
            let epoch = format!("epoch='{epoch}'");
            ["<handshake".to_owned(), epoch, "<sealed".to_owned(), ">".to_owned()].to_vec()
        })
    })
}
