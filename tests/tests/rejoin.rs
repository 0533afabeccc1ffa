//! Keys are renewed, and a device that lost its group state comes back with the same key.

use std::fs;
use std::path::Path;

use serde_json::json;
use tests::bot::Bot;
use tests::error::RigError;
use tests::group::Group;
use tests::rig::shared;

fn copy(from: &Path, to: &Path) -> Result<(), RigError> {
    fs::create_dir_all(to).map_err(RigError::file("make", to))?;
    for entry in fs::read_dir(from).map_err(RigError::file("list", from))?.flatten() {
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy(&source, &target)?;
        } else {
            fs::copy(&source, &target).map_err(RigError::file("copy", &source))?;
        }
    }
    Ok(())
}

/// Puts the profile back to what it was when `old` was made, as a restored backup would.
fn restore(bot: &Bot, old: &Path) -> Result<(), RigError> {
    let profile = bot.profile();
    fs::remove_dir_all(&profile).map_err(RigError::file("remove", &profile))?;
    copy(old, &profile)?;
    // The restored profile counts its events from an older number again.
    bot.events.forget();
    Ok(())
}

#[test]
fn a_rotation_on_either_network_makes_a_new_epoch_that_all_follow() -> Result<(), RigError> {
    shared(|rig| {
        let (alice, bob) = rig.pair("alice", "bob")?;
        let group = Group::form(&alice, &[&bob])?;
        let all = [&alice, &bob];
        for bot in all {
            let before = group.converge(&all)?.epoch;
            bot.command(json!({"command": "rotate", "group": group.id}))?;
            let after = group.converge(&all)?.epoch;
            assert!(after > before, "no new epoch after {before}");
            group.say(bot, &all, &format!("fresh keys, says {}", bot.name))?;
        }
        Ok(())
    })
}

#[test]
fn a_member_on_either_network_rejoins_by_external_commit_and_keeps_one_leaf() -> Result<(), RigError>
{
    shared(|rig| {
        let (alice, bob) = rig.pair("alice", "bob")?;
        let group = Group::form(&alice, &[&bob])?;
        let all = [&alice, &bob];
        let members = group.converge(&all)?.members;
        for bot in all {
            bot.command(json!({"command": "rejoin", "group": group.id}))?;
            assert_eq!(group.converge_to(&all, 2)?.members, members);
            group.say(&alice, &all, &format!("{} came back, Matrix sees", bot.name))?;
            group.say(&bob, &all, &format!("{} came back, XMPP sees", bot.name))?;
        }
        Ok(())
    })
}

fn comes_back_after_lost_state(lost: &Bot, other: &Bot) -> Result<(), RigError> {
    let group = Group::form(other, &[lost])?;
    let all = [lost, other];
    lost.quit()?;
    let old = lost.profile().with_extension("backup");
    copy(&lost.profile(), &old)?;
    lost.start()?;
    lost.command(json!({"command": "rotate", "group": group.id}))?;
    other.command(json!({"command": "rotate", "group": group.id}))?;
    group.say(lost, &all, &format!("lost by the backup of {}", lost.name))?;
    lost.quit()?;
    restore(lost, &old)?;
    lost.launch(&[])?;
    lost.command(json!({"command": "rejoin", "group": group.id}))?;
    group.converge_to(&all, 2)?;
    group.say(lost, &all, &format!("{} is here again", lost.name))?;
    group.say(other, &all, &format!("{} is heard again", lost.name))
}

#[test]
fn a_matrix_device_restored_from_an_old_backup_rejoins_and_talks() -> Result<(), RigError> {
    shared(|rig| {
        let (alice, bob) = rig.pair("alice", "bob")?;
        comes_back_after_lost_state(&alice, &bob)
    })
}

#[test]
fn an_xmpp_device_restored_from_an_old_backup_rejoins_and_talks() -> Result<(), RigError> {
    shared(|rig| {
        let (alice, bob) = rig.pair("alice", "bob")?;
        comes_back_after_lost_state(&bob, &alice)
    })
}

#[test]
fn a_stranger_cannot_rejoin_a_group_that_it_was_removed_from() -> Result<(), RigError> {
    shared(|rig| {
        let (alice, bob) = rig.pair("alice", "bob")?;
        let carol = rig.matrix_bot("carol")?;
        let group = Group::form(&alice, &[&bob, &carol])?;
        group.remove(&alice, &[&bob])?;
        let refused = bob.command(json!({"command": "rejoin", "group": group.id}));
        assert!(matches!(refused, Err(RigError::Refused { .. })), "{refused:?}");
        group.converge_to(&[&alice, &carol], 2)?;
        group.say(&alice, &[&carol], "bob stays outside the door")
    })
}
