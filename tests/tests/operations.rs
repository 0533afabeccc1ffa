//! What members do with a group beside talking, on real servers: settings, pre-shared keys,
//! proposals, open groups, other suites, a new start.

use serde_json::{Value, json};
use tests::bot::Bot;
use tests::error::RigError;
use tests::group::Group;
use tests::rig::shared;

const SECRET: &str = "000102030405060708090a0b0c0d0e0f";

fn create(creator: &Bot, suite: u16) -> Result<Group, RigError> {
    let done = creator.command(json!({
        "command": "create", "name": "Tea", "networks": ["matrix", "xmpp"], "suite": suite,
    }))?;
    Ok(named(&done))
}

/// The group that the end of a command names.
fn named(done: &Value) -> Group {
    let id = done.get("group").and_then(Value::as_str).unwrap_or_default();
    Group { id: id.to_owned() }
}

fn hold_psk(group: &Group, bots: &[&Bot]) -> Result<(), RigError> {
    for bot in bots {
        let hold =
            json!({"command": "hold_psk", "group": group.id, "psk": "tea", "secret": SECRET});
        bot.command(hold)?;
    }
    Ok(())
}

#[test]
fn groups_of_the_other_suites_talk_over_both_networks() -> Result<(), RigError> {
    shared(|rig| {
        let (alice, bob) = rig.pair("suitealice", "suitebob")?;
        for suite in [2, 3] {
            let group = create(&alice, suite)?;
            group.invite(&alice, &[&bob])?;
            group.converge_to(&[&alice, &bob], 2)?;
            group.say(&alice, &[&bob, &alice], &format!("from Matrix in suite {suite}"))?;
            group.say(&bob, &[&alice, &bob], &format!("from XMPP in suite {suite}"))?;
        }
        Ok(())
    })
}

#[test]
fn a_pre_shared_key_is_used_when_everybody_holds_it() -> Result<(), RigError> {
    shared(|rig| {
        let (alice, bob) = rig.pair("pskalice", "pskbob")?;
        let group = Group::form(&alice, &[&bob])?;
        group.converge_to(&[&alice, &bob], 2)?;
        hold_psk(&group, &[&alice])?;
        let use_psk = json!({"command": "use_psk", "group": group.id, "psk": "tea"});
        match alice.command(use_psk.clone()) {
            Err(RigError::Refused { why, .. }) => assert!(why.contains("pskbob"), "{why}"),
            other => panic!("a key that Bob lacks was used: {other:?}"),
        }
        hold_psk(&group, &[&bob])?;
        group.converge(&[&alice, &bob])?;
        alice.command(use_psk)?;
        group.converge(&[&alice, &bob])?;
        group.say(&bob, &[&alice], "the pre-shared key fits")?;
        group.say(&alice, &[&bob], "it really does fit")
    })
}

#[test]
fn a_second_admin_opens_the_group_and_somebody_in_its_room_enters() -> Result<(), RigError> {
    shared(|rig| {
        let (alice, bob) = rig.pair("openalice", "openbob")?;
        let carol = rig.matrix_bot("opencarol")?;
        let group = Group::form(&alice, &[&bob, &carol])?;
        group.converge_to(&[&alice, &bob, &carol], 3)?;
        alice.command(json!({
            "command": "settings", "group": group.id, "admins_add": [bob.account.address],
        }))?;
        group.converge(&[&alice, &bob, &carol])?;
        bob.command(json!({"command": "settings", "group": group.id, "open_join": true}))?;
        // A new device of Carol's is in the room by its account, and nobody has to add it.
        let laptop = rig.device(&carol.account, "CAROLLAPTOP")?;
        laptop.command(json!({"command": "join", "room": group.room(&carol, "matrix")?}))?;
        group.converge_to(&[&alice, &bob, &carol, &laptop], 4)?;
        group.say(&laptop, &[&alice, &bob, &carol], "I have let myself in")?;
        group.say(&bob, &[&laptop], "be welcome, laptop")
    })
}

#[test]
fn a_proposal_by_one_is_committed_by_another() -> Result<(), RigError> {
    shared(|rig| {
        let (alice, bob) = rig.pair("propalice", "propbob")?;
        let carol = rig.xmpp_bot("propcarol")?;
        let group = Group::form(&alice, &[&bob, &carol])?;
        group.converge_to(&[&alice, &bob, &carol], 3)?;
        bob.command(json!({"command": "propose", "group": group.id, "proposal": "update"}))?;
        alice.command(json!({
            "command": "propose", "group": group.id, "proposal": "remove", "users": [carol.account.address],
        }))?;
        group.wait_removed(&carol)?;
        group.converge_to(&[&alice, &bob], 2)?;
        group.say(&bob, &[&alice], "there are two of us now")
    })
}

#[test]
fn a_group_is_started_anew_with_another_suite_and_nobody_misses_a_word() -> Result<(), RigError> {
    shared(|rig| {
        let (alice, bob) = rig.pair("anewalice", "anewbob")?;
        let carol = rig.matrix_bot("anewcarol")?;
        let group = Group::form(&alice, &[&bob, &carol])?;
        group.converge_to(&[&alice, &bob, &carol], 3)?;
        group.say(&bob, &[&alice, &carol], "said before the new start")?;
        let done = alice.command(json!({"command": "reinit", "group": group.id, "suite": 3}))?;
        let next = named(&done);
        assert_ne!(next.id, group.id);
        next.converge_to(&[&alice, &bob, &carol], 3)?;
        assert!(group.room(&alice, "matrix").is_err(), "the former group is still listed");
        next.say(&alice, &[&bob, &carol, &alice], "from Matrix, anew")?;
        next.say(&bob, &[&alice, &carol, &bob], "from XMPP, anew")
    })
}
