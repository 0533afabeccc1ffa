//! Handshakes and Welcomes that are changed on the way to a member.

use serde_json::json;
use tests::bot::Bot;
use tests::deadline::{STEP, until};
use tests::error::RigError;
use tests::group::Group;
use tests::rig::shared;
use tests::tamper::{Aim, Proxy, Rule, Way};

use crate::{matrix_bot_behind, secrets, xmpp_bot_behind};

/// A handshake comes changed to `reader`, who warns; after the next one it agrees with all others
/// again.
fn a_changed_handshake_is_fetched_again(
    reader: &Bot,
    other: &Bot,
    proxy: &Proxy,
    needles: fn(&str, u64) -> Vec<String>,
) -> Result<(), RigError> {
    let group = Group::form(other, &[reader])?;
    for (number, (field, aim, says)) in [
        ("message", Aim::SOMEWHERE, "the receipt is for another message"),
        ("message", Aim::COMMIT_SIGNATURE, "the receipt is for another message"),
        ("message", Aim::CONFIRMATION_TAG, "the receipt is for another message"),
        ("message", Aim::MEMBERSHIP_TAG, "the receipt is for another message"),
        ("receipt", Aim::SOMEWHERE, "the receipt is not signed by the group's hub"),
    ]
    .into_iter()
    .enumerate()
    {
        // Older handshakes may still be on their way, out of the room's history.
        let epoch = group.converge(&[reader, other])?.epoch;
        let from = reader.events.count();
        proxy.change_once(Rule { way: Way::Down, needles: needles(field, epoch), aim });
        other.command(json!({"command": "rotate", "group": group.id}))?;
        let changed = || Ok((proxy.changed() > number).then_some(()));
        until(&format!("something is changed at {aim:?}"), STEP, changed, String::new)?;
        reader.wait_for_after(from, "a warning", |event| {
            let text = event["text"].as_str().unwrap_or_default();
            group.is(event, "warning") && text.contains(says)
        })?;
        other.command(json!({"command": "rotate", "group": group.id}))?;
        group.converge_to(&[reader, other], 2)?;
        group.say(
            reader,
            &[other],
            &format!("read on, though the {field} came changed at {aim:?}"),
        )?;
    }
    group.assert_one_winner_an_epoch(&[reader, other]).map(drop)
}

#[test]
fn a_handshake_changed_on_the_way_to_a_matrix_member_is_fetched_again() -> Result<(), RigError> {
    shared(|rig| {
        let (alice, proxy) = matrix_bot_behind(rig, "alice")?;
        let bob = rig.xmpp_bot("bob")?;
        a_changed_handshake_is_fetched_again(&alice, &bob, &proxy, |field, epoch| {
            vec![format!("\"epoch\":{epoch},"), format!("\"{field}\":\"")]
        })
    })
}

#[test]
fn a_handshake_changed_on_the_way_to_an_xmpp_member_is_fetched_again() -> Result<(), RigError> {
    shared(|rig| {
        let (bob, proxy) = xmpp_bot_behind(rig, "bob")?;
        let alice = rig.matrix_bot("alice")?;
        a_changed_handshake_is_fetched_again(&bob, &alice, &proxy, |field, epoch| {
            let [epoch, field] = [format!("epoch='{epoch}'"), format!("<{field}")];
            ["<handshake".to_owned(), epoch, field, ">".to_owned()].to_vec()
        })
    })
}

/// A Welcome comes changed to a joiner, at each of its two secrets; the joiner is in all the same.
fn a_changed_welcome_is_fetched_again(
    admin: &Bot,
    joiner: &dyn Fn() -> Result<(Bot, Proxy), RigError>,
    needles: &[String],
) -> Result<(), RigError> {
    for (needles, aim) in secrets(needles) {
        let (joiner, proxy) = joiner()?;
        let group = Group::create(admin)?;
        proxy.change_once(Rule { way: Way::Down, needles, aim });
        group.invite(admin, &[&joiner])?;
        assert_eq!(proxy.changed(), 1, "nothing was changed at {aim:?}");
        let all = [admin, &joiner];
        let epoch = group.converge_to(&all, 2)?.epoch;
        assert_eq!(epoch, 1, "it came in by another way than by its Welcome");
        for from in all {
            group.say(from, &all, &format!("{} is in, in spite of {aim:?}", from.name))?;
        }
    }
    Ok(())
}

#[test]
fn a_welcome_changed_on_the_way_to_a_matrix_device_is_fetched_again() -> Result<(), RigError> {
    shared(|rig| {
        let bob = rig.xmpp_bot("bob")?;
        let needles = ["\"welcome\":\"".to_owned()];
        a_changed_welcome_is_fetched_again(&bob, &|| matrix_bot_behind(rig, "alice"), &needles)
    })
}

#[test]
fn a_welcome_changed_on_the_way_to_an_xmpp_device_is_fetched_again() -> Result<(), RigError> {
    shared(|rig| {
        let alice = rig.matrix_bot("alice")?;
        let needles = ["<welcome", "<message", ">"].map(str::to_owned);
        a_changed_welcome_is_fetched_again(&alice, &|| xmpp_bot_behind(rig, "bob"), &needles)
    })
}
