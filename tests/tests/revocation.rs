//! Who is revoked by the administrator's word, on real servers.

use serde_json::json;
use tests::bot::Bot;
use tests::error::RigError;
use tests::group::Group;
use tests::rig::{Rig, shared};

/// What the administrator commands must be done; what was printed.
fn revoke(rig: &Rig, arguments: &[&str]) -> Result<String, RigError> {
    match rig.bridge.revoke(arguments)? {
        (true, said) => Ok(said),
        (false, said) => Err(RigError::Answer(format!("revoke {arguments:?}: {said}"))),
    }
}

fn client(bot: &Bot) -> Result<String, RigError> {
    let ready = bot.wait_for("ready", |event| event["event"] == "ready")?;
    Ok(ready["client"].as_str().unwrap_or_default().to_owned())
}

fn warned(bot: &Bot, words: &str) -> Result<(), RigError> {
    let said = |event: &serde_json::Value| {
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
            let lost_client = client(lost)?;
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
