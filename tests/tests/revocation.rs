//! Who is revoked by the administrator's word, on real servers.

use std::time::Duration;

use serde_json::{Value, json};
use tests::bot::Bot;
use tests::deadline::until_each;
use tests::error::RigError;
use tests::group::Group;
use tests::matrix_session::MatrixSession;
use tests::rig::{Rig, shared};

/// What the administrator commands must be done; what was printed.
fn revoke(rig: &Rig, arguments: &[&str]) -> Result<String, RigError> {
    match rig.bridge.revoke(arguments)? {
        (true, said) => Ok(said),
        (false, said) => Err(RigError::Answer(format!("revoke {arguments:?}: {said}"))),
    }
}

fn warned(bot: &Bot, words: &str) -> Result<(), RigError> {
    let said = |event: &Value| {
        event["event"] == "warning" && event["text"].as_str().is_some_and(|t| t.contains(words))
    };
    bot.wait_for(words, said).map(drop)
}

#[test]
fn a_device_that_the_administrator_revokes_goes_from_the_group_on_either_network()
-> Result<(), RigError> {
    shared(|rig| {
        let (alice, bob) = rig.pair("admalice", "admbob")?;
        let phone = rig.device(&alice.account, "phone")?;
        let tablet = rig.device(&bob.account, "tablet")?;
        let group = Group::form(&alice, &[&phone, &bob, &tablet])?;
        group.converge_to(&[&alice, &phone, &bob, &tablet], 4)?;
        for lost in [&phone, &tablet] {
            let lost_client = lost.client()?;
            let said = revoke(rig, &[&lost_client])?;
            assert!(said.contains("removal is proposed in 1 groups"), "{said}");
            group.wait_removed(lost)?;
            let listed = revoke(rig, &["--list", "--json"])?;
            assert!(listed.contains(&lost_client) && listed.contains("administrator"), "{listed}");
        }
        group.converge_to(&[&alice, &bob], 2)?;
        group.say(&bob, &[&alice], "the two of us are left, says the administrator")
    })
}

#[test]
fn devices_of_a_revoked_account_stay_out_until_the_administrator_undoes_it() -> Result<(), RigError>
{
    shared(|rig| {
        let (alice, bob) = rig.pair("undoalice", "undobob")?;
        let carol = rig.matrix_bot("undocarol")?;
        let group = Group::form(&alice, &[&bob, &carol])?;
        group.converge_to(&[&alice, &bob, &carol], 3)?;
        for revoked in [&bob, &carol] {
            let address = revoked.account.address.as_str();
            revoke(rig, &[address])?;
            group.wait_removed(revoked)?;
            let new = rig.device(&revoked.account, "new")?;
            warned(&new, "is revoked by the administrator")?;
            let invite = json!({"command": "invite", "group": group.id, "users": [address]});
            let refused = alice.command(invite);
            assert!(refused.is_err(), "a revoked account came in: {refused:?}");
            revoke(rig, &["--undo", address])?;
            let fresh = rig.device(&revoked.account, "fresh")?;
            group.invite(&alice, &[&fresh])?;
            group.say(&fresh, &[&alice], &format!("{address} is here again"))?;
            let leaf = group.leaf(&alice, &fresh)?;
            assert!(leaf.get("certified_until").is_some(), "{leaf}");
        }
        Ok(())
    })
}

#[test]
fn a_revoked_device_learns_of_it_and_goes_on_by_itself_when_that_is_undone() -> Result<(), RigError>
{
    shared(|rig| {
        let (alice, bob) = rig.pair("backalice", "backbob")?;
        let carol = rig.matrix_bot("backcarol")?;
        let group = Group::form(&alice, &[&bob, &carol])?;
        group.converge_to(&[&alice, &bob, &carol], 3)?;
        for revoked in [&bob, &carol] {
            let client = revoked.client()?;
            revoke(rig, &[&client])?;
            group.wait_removed(revoked)?;
            // Lists are asked for when a device connects.
            revoked.quit()?;
            revoked.start()?;
            warned(revoked, "this device was revoked")?;
            revoke(rig, &["--undo", &client])?;
            revoked.quit()?;
            revoked.start()?;
            warned(revoked, "this device counts again")?;
            group.invite(&alice, &[revoked])?;
            group.say(revoked, &[&alice], &format!("{client} is here again"))?;
            let leaf = group.leaf(&alice, revoked)?;
            assert!(leaf["certified_until"].is_u64() && leaf["revoked"] == false, "{leaf}");
        }
        Ok(())
    })
}

/// Two looks of the hub at an account, a minute apart, each with a tick of a minute.
const TWO_LOOKS: Duration = Duration::from_secs(300);

#[test]
fn devices_that_synapse_lists_no_more_are_revoked_and_go_from_the_group() -> Result<(), RigError> {
    shared(|rig| {
        let (alice, bob) = rig.pair("gonealice", "gonebob")?;
        let phone = rig.device(&alice.account, "phone")?;
        let carol = rig.matrix_bot("gonecarol")?;
        let group = Group::form(&alice, &[&phone, &bob, &carol])?;
        group.converge_to(&[&alice, &phone, &bob, &carol], 4)?;
        let (phone_client, carol_client) = (phone.client()?, carol.client()?);
        let session = |bot: &Bot| MatrixSession::login(rig.synapse.port, &bot.account);
        let password = |bot: &Bot| {
            json!({
                "type": "m.login.password", "password": bot.account.password,
                "identifier": {"type": "m.id.user", "user": bot.account.address},
            })
        };
        let device = phone_client.rsplit('/').next().unwrap_or_default();
        let logs_out = json!({"devices": [device], "auth": password(&phone)});
        session(&phone)?.call("POST", "/_matrix/client/v3/delete_devices", &logs_out)?;
        let ends = json!({"auth": password(&carol), "erase": false});
        session(&carol)?.call("POST", "/_matrix/client/v3/account/deactivate", &ends)?;
        // Synapse takes a deactivated account out of its rooms, which is a reason to look at it.
        group.converge_to(&[&alice, &bob], 3)?;
        revoke(rig, &["--if-gone", &alice.account.address])?;
        let listed = || {
            let listed = revoke(rig, &["--list", "--json"])?;
            let gone = |client: &str| {
                listed.lines().any(|line| line.contains(client) && line.contains("\"gone\""))
            };
            Ok((gone(&phone_client) && gone(&carol_client)).then_some(()))
        };
        until_each(Duration::from_secs(1), "the hub revokes both", TWO_LOOKS, listed, String::new)?;
        group.converge_to(&[&alice, &bob], 2)?;
        let listed = revoke(rig, &["--list"])?;
        assert!(!listed.contains(&alice.client()?), "who is there was revoked: {listed}");
        group.say(&alice, &[&bob], "two of four devices are no more")
    })
}
