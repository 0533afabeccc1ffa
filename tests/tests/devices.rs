//! All devices of an account come and go together.

use std::fs;

use serde_json::json;
use tests::bot::Bot;
use tests::error::RigError;
use tests::group::Group;
use tests::rig::shared;

#[test]
fn all_devices_of_an_invited_account_join_and_are_removed_together() -> Result<(), RigError> {
    shared(|rig| {
        let (alice, bob) = rig.pair("alice", "bob")?;
        let tablet = rig.device(&bob.account, "tablet")?;
        let carol = rig.matrix_bot("carol")?;
        let phone = rig.device(&carol.account, "phone")?;
        let group = Group::form(&alice, &[&bob, &tablet, &carol, &phone])?;
        let all = [&alice, &bob, &tablet, &carol, &phone];
        group.converge_to(&all, 5)?;
        for from in all {
            group.say(from, &all, &format!("spoken on the device {}", from.name))?;
        }
        group.remove(&alice, &[&bob, &tablet])?;
        let rest = [&alice, &carol, &phone];
        group.converge_to(&rest, 3)?;
        group.remove(&alice, &[&carol, &phone])?;
        group.converge_to(&[&alice], 1)?;
        Ok(())
    })
}

#[test]
fn a_second_device_of_the_creator_joins_the_group_that_the_first_makes() -> Result<(), RigError> {
    shared(|rig| {
        let (alice, bob) = rig.pair("alice", "bob")?;
        let phone = rig.device(&alice.account, "phone")?;
        let group = Group::create(&alice)?;
        group.invite(&alice, &[&phone])?;
        group.invite(&alice, &[&bob])?;
        let all = [&alice, &phone, &bob];
        group.converge_to(&all, 3)?;
        group.say(&phone, &all, "spoken on the second device of the creator")
    })
}

#[test]
fn a_new_device_of_a_member_is_added_by_inviting_its_account_again() -> Result<(), RigError> {
    shared(|rig| {
        let (alice, bob) = rig.pair("alice", "bob")?;
        let group = Group::form(&alice, &[&bob])?;
        let tablet = rig.device(&bob.account, "tablet")?;
        group.invite(&alice, &[&tablet])?;
        let all = [&alice, &bob, &tablet];
        group.converge_to(&all, 3)?;
        group.say(&tablet, &all, "the tablet is on the table now")?;
        group.say(&alice, &all, "and everybody can hear it there")
    })
}

#[test]
fn one_device_that_leaves_the_room_takes_the_others_of_its_account_along() -> Result<(), RigError> {
    shared(|rig| {
        let (alice, bob) = rig.pair("alice", "bob")?;
        let tablet = rig.device(&bob.account, "tablet")?;
        let carol = rig.matrix_bot("carol")?;
        let group = Group::form(&alice, &[&bob, &tablet, &carol])?;
        tablet.command(serde_json::json!({"command": "leave", "group": group.id}))?;
        group.converge_to(&[&alice, &carol], 2)?;
        group.wait_removed(&bob)?;
        group.wait_removed(&tablet)
    })
}

#[test]
fn a_new_device_asks_and_its_users_other_device_adds_it_though_no_admin() -> Result<(), RigError> {
    shared(|rig| {
        let (alice, bob) = rig.pair("alice", "bob")?;
        let carol = rig.matrix_bot("carol")?;
        let group = Group::form(&alice, &[&bob, &carol])?;
        for old in [&bob, &carol] {
            let new = rig.device(&old.account, "new")?;
            for asked in [old, &alice] {
                asked.wait_for("the question of the new device", |event| {
                    group.is(event, "device_waiting")
                        && event["client"].as_str().is_some_and(|client| {
                            client.starts_with(&old.account.identity_prefix())
                        })
                })?;
            }
            group.invite(old, &[&new])?;
            let text = format!("spoken on the device of {} that asked", old.name);
            group.say(&new, &[old, &alice, &new], &text)?;
        }
        group.converge_to(&[&alice, &bob, &carol], 5).map(|_| ())
    })
}

#[test]
fn a_lost_device_that_its_user_revokes_is_put_out_of_the_group_and_cannot_come_back()
-> Result<(), RigError> {
    shared(|rig| {
        let (alice, bob) = rig.pair("revokealice", "revokebob")?;
        let tablet = rig.device(&bob.account, "tablet")?;
        let phone = rig.device(&alice.account, "phone")?;
        let group = Group::form(&alice, &[&phone, &bob, &tablet])?;
        group.converge_to(&[&alice, &phone, &bob, &tablet], 4)?;
        for (by, lost) in [(&bob, &tablet), (&alice, &phone)] {
            by.command(json!({"command": "revoke", "client": lost.client()?}))?;
            group.wait_removed(lost)?;
        }
        group.converge_to(&[&alice, &bob], 2)?;
        group.say(&alice, &[&bob], "only the two of us are left")?;
        // Invited again, as all devices of its user are, the revoked one stays out.
        let again = json!({"command": "invite", "group": group.id, "users": [bob.account.address]});
        alice.command(again)?;
        group.converge_to(&[&alice, &bob], 2)?;
        Ok(())
    })
}

/// What a device has logged in all its runs.
fn logged(bot: &Bot) -> Result<String, RigError> {
    fs::read_to_string(bot.log()).map_err(RigError::file("read", &bot.log()))
}

#[test]
fn who_comes_back_is_not_warned_of_what_its_other_device_and_its_own_last_run_asked()
-> Result<(), RigError> {
    shared(|rig| {
        let (alice, bob) = rig.pair("quietalice", "quietbob")?;
        let phone = rig.device(&alice.account, "phone")?;
        let tablet = rig.device(&bob.account, "tablet")?;
        let group = Group::form(&alice, &[&phone, &bob, &tablet])?;
        for (away, other) in [(&alice, &phone), (&bob, &tablet)] {
            // The answer to this comes when nobody is there any more.
            away.post(json!({"command": "rotate", "group": group.id}))?;
            away.kill()?;
            let before = logged(away)?.len();
            other.command(json!({"command": "rotate", "group": group.id}))?;
            away.start()?;
            group.say(other, &[away], &format!("{} is back", away.name))?;
            group.say(away, &[other], &format!("{} was not gone for long", away.name))?;
            let log = logged(away)?;
            let since = log.get(before..).unwrap_or_default();
            assert!(!since.contains("WARN"), "{}: {since}", away.name);
        }
        Ok(())
    })
}
