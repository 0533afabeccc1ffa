//! The delivery service and the authority as two processes, on real servers.

use serde_json::{Value, json};
use tests::bot::Bot;
use tests::bridge::Bridge;
use tests::error::RigError;
use tests::group::Group;
use tests::rig::{Options, Rig, own};

fn apart(flow: impl FnOnce(&mut Rig, &Bridge) -> Result<(), RigError>) -> Result<(), RigError> {
    own(Options { apart: true, ..Options::default() }, |rig| {
        let Some(authority) = rig.authority.take() else {
            return Err(RigError::Answer("the rig has no authority".to_owned()));
        };
        let done = flow(rig, &authority);
        rig.authority = Some(authority);
        done
    })
}

fn assert_certified(group: &Group, all: &[&Bot]) -> Result<(), RigError> {
    for seen_by in all {
        for of in all {
            let leaf = group.leaf(seen_by, of)?;
            let certified = leaf.get("certified_until").is_some_and(Value::is_u64);
            assert!(certified, "{} as {} sees it: {leaf}", of.name, seen_by.name);
        }
    }
    Ok(())
}

#[test]
fn devices_of_both_networks_are_certified_by_one_process_and_talk_through_the_other()
-> Result<(), RigError> {
    apart(|rig, authority| {
        let (alice, bob) = rig.pair("alice", "bob")?;
        let (phone, tablet) =
            (rig.device(&alice.account, "phone")?, rig.device(&bob.account, "tablet")?);
        let group = Group::form(&alice, &[&phone, &bob, &tablet])?;
        group.converge_to(&[&alice, &phone, &bob, &tablet], 4)?;
        let strict = json!({"command": "settings", "group": group.id, "basic_allowed": false});
        alice.command(strict)?;
        assert_certified(&group, &[&alice, &phone, &bob, &tablet])?;
        group.say(&bob, &[&alice, &phone], "my papers are from elsewhere")?;
        let log = bob.command(json!({"command": "certificates"}))?;
        assert!(log["log"]["size"].as_u64().is_some_and(|size| size >= 2), "{log}");

        // By the administrator, at the authority; the hub's has no such word.
        let (phone_client, tablet_client) = (phone.client()?, tablet.client()?);
        let (done, said) = rig.bridge.revoke(&[&phone_client])?;
        assert!(!done && said.contains("another process"), "{said}");
        let (done, said) = authority.revoke(&[&phone_client])?;
        assert!(done, "{said}");
        group.wait_removed(&phone)?;
        group.converge_to(&[&alice, &bob, &tablet], 3)?;
        // By its user.
        bob.command(json!({"command": "revoke", "client": tablet_client}))?;
        group.wait_removed(&tablet)?;
        group.converge_to(&[&alice, &bob], 2)?;
        group.say(&alice, &[&bob], "the two of us are left")?;
        let (_, listed) = rig.bridge.revoke(&["--list"])?;
        assert!(listed.contains(&phone_client) && listed.contains(&tablet_client), "{listed}");

        for (process, words) in [(&rig.bridge, "is known: 2 entries"), (authority, "lie in")] {
            let (good, said) = process.check()?;
            assert!(good && said.contains(words), "{said}");
        }

        // They are given back, and come in as other devices do.
        let (done, said) = authority.revoke(&["--undo", &tablet_client])?;
        assert!(done, "{said}");
        let fresh = rig.device(&bob.account, "fresh")?;
        group.invite(&alice, &[&fresh])?;
        assert_certified(&group, &[&alice, &bob, &fresh])
    })
}
