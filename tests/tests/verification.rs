//! People verify each other's identity keys, over both networks, on real servers.

#![expect(clippy::indexing_slicing, reason = "a test fails by a panic")]

use serde_json::{Value, json};
use tests::bot::Bot;
use tests::deadline;
use tests::error::RigError;
use tests::group::Group;
use tests::rig::shared;

fn member(group: &Group, seen_by: &Bot, client: &str) -> Result<Value, RigError> {
    let answer = seen_by.command(json!({"command": "groups"}))?;
    let groups = answer["groups"].as_array().into_iter().flatten();
    let members = groups
        .filter(|entry| entry["group"] == group.id.as_str())
        .flat_map(|entry| entry["members"].as_array().into_iter().flatten());
    Ok(members.clone().find(|member| member["client"] == client).cloned().unwrap_or_default())
}

/// Waits until a member sees the device so.
fn sees(group: &Group, seen_by: &Bot, of: &Bot, identity: &str) -> Result<(), RigError> {
    let client = of.client()?;
    let what = format!("{} sees {client} as {identity}", seen_by.name);
    let look = || {
        let member = member(group, seen_by, &client)?;
        Ok((member["identity"] == identity).then_some(()))
    };
    deadline::until(&what, deadline::STEP, look, String::new)
}

/// The one key of a user that is to be compared.
fn compared(bot: &Bot, with: &Bot) -> Result<Value, RigError> {
    let answer = bot.command(json!({"command": "verify", "user": with.account.address}))?;
    assert_eq!(answer["keys"].as_array().map(Vec::len), Some(1), "{answer}");
    Ok(answer["keys"][0].clone())
}

fn digits(group: &Group, bot: &Bot) -> Result<Value, RigError> {
    let answer = bot.command(json!({"command": "groups"}))?;
    let mut groups = answer["groups"].as_array().into_iter().flatten();
    let entry = groups.find(|entry| entry["group"] == group.id.as_str()).cloned();
    Ok(entry.unwrap_or_default()["epoch_digits"].clone())
}

fn sign(first: &Bot, device: &Bot) -> Result<(), RigError> {
    let asked = device.command(json!({"command": "identity_request"}))?;
    let signed = first.command(json!({"command": "identity_sign", "request": asked["request"]}))?;
    assert_eq!(signed["device_fingerprint"], asked["device_fingerprint"]);
    let accept = json!({"command": "identity_accept", "statement": signed["statement"]});
    device.command(accept).map(drop)
}

#[test]
fn two_people_verify_each_other_and_a_new_device_is_verified_if_it_was_signed()
-> Result<(), RigError> {
    shared(|rig| {
        let (alice, bob) = rig.pair("verifyalice", "verifybob")?;
        let group = Group::form(&alice, &[&bob])?;
        let wants = json!({"command": "verify", "user": bob.account.address});
        let too_soon = alice.command(wants.clone());
        assert!(matches!(too_soon, Err(RigError::Refused { .. })), "{too_soon:?}");
        for bot in [&alice, &bob] {
            bot.command(json!({"command": "identity_create"}))?;
            assert_eq!(bot.command(json!({"command": "identity"}))?["state"], "made_here");
        }
        sees(&group, &alice, &bob, "signed")?;
        sees(&group, &bob, &alice, "signed")?;

        // Alice types what Bob reads out, Bob scans what Alice shows.
        let (of_bob, of_alice) = (compared(&alice, &bob)?, compared(&bob, &alice)?);
        assert_eq!(of_bob["safety_number"], of_alice["safety_number"]);
        let mut wrong = wants.clone();
        wrong["digits"] = json!("12345 ".repeat(12));
        assert!(matches!(alice.command(wrong), Err(RigError::Refused { .. })));
        let mut right = wants;
        right["digits"] = of_alice["safety_number"].clone();
        alice.command(right)?;
        let scan = json!({
            "command": "verify", "user": alice.account.address, "scanned": of_bob["code"],
        });
        bob.command(scan)?;
        sees(&group, &alice, &bob, "verified")?;
        sees(&group, &bob, &alice, "verified")?;

        let tablet = rig.device(&alice.account, "tablet")?;
        sign(&alice, &tablet)?;
        group.invite(&alice, &[&tablet])?;
        sees(&group, &bob, &tablet, "verified")?;
        sees(&group, &tablet, &alice, "verified")?;

        let lost = rig.device(&alice.account, "unsigned")?;
        group.invite(&alice, &[&lost])?;
        let unsigned = lost.client()?;
        bob.wait_for("the unsigned device is pointed out", |event| {
            group.is(event, "unsigned_device_of_verified_user")
                && event["client"] == unsigned.as_str()
                && event["why"].is_string()
        })?;
        sees(&group, &bob, &lost, "unsigned")?;
        sees(&group, &bob, &alice, "verified")?;

        let all = [&alice, &bob, &tablet, &lost];
        group.converge_to(&all, 4)?;
        group.say(&alice, &[&bob, &tablet, &lost], "we are who we say we are")?;
        group.converge_to(&all, 4)?;
        let shown = digits(&group, &alice)?;
        assert!(shown.as_str().is_some_and(|shown| shown.len() == 35), "{shown}");
        assert_eq!(shown, digits(&group, &bob)?);
        Ok(())
    })
}
