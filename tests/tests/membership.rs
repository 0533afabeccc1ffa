//! Who leaves, is removed, kicked or banned on either network loses the leaf and can read no more.

use serde_json::json;
use tests::bot::Bot;
use tests::error::RigError;
use tests::group::Group;
use tests::matrix_session::MatrixSession;
use tests::rig::{Rig, shared};
use tests::xmpp_session::XmppSession;

/// Alice and Carol on Matrix, Bob and Dave on XMPP, in a group that Alice made.
struct Four {
    alice: Bot,
    bob: Bot,
    carol: Bot,
    dave: Bot,
    group: Group,
}

fn four(rig: &Rig) -> Result<Four, RigError> {
    let (alice, bob) = rig.pair("alice", "bob")?;
    let (carol, dave) = rig.pair("carol", "dave")?;
    let group = Group::form(&alice, &[&bob, &carol, &dave])?;
    Ok(Four { alice, bob, carol, dave, group })
}

impl Four {
    /// The gone one hears of it, the others agree without it and talk, and it reads nothing more,
    /// neither now nor when it comes back on.
    fn goes_on_without(&self, gone: &Bot) -> Result<(), RigError> {
        let everybody = [&self.alice, &self.bob, &self.carol, &self.dave];
        let rest: Vec<&Bot> = everybody.into_iter().filter(|bot| bot.name != gone.name).collect();
        self.group.converge_to(&rest, 3)?;
        self.group.wait_removed(gone)?;
        for from in &rest {
            self.group.say(from, &rest, &format!("without {}, by {}", gone.name, from.name))?;
        }
        gone.quit()?;
        gone.start()?;
        self.group.say(&self.alice, &rest, &format!("{} is back on, outside", gone.name))?;
        assert_eq!(self.group.view(gone)?, None, "{} still lists the group", gone.name);
        self.group.assert_exactly(gone, &[])
    }

    fn matrix_moderator(&self, rig: &Rig) -> Result<(MatrixSession, String), RigError> {
        let room = self.group.room(&self.alice, "matrix")?;
        Ok((MatrixSession::login(rig.synapse.port, &self.alice.account)?, room))
    }
}

#[test]
fn a_member_that_an_admin_removed_reads_no_more_on_xmpp() -> Result<(), RigError> {
    shared(|rig| {
        let four = four(rig)?;
        four.group.remove(&four.alice, &[&four.dave])?;
        four.goes_on_without(&four.dave)
    })
}

#[test]
fn a_member_that_an_admin_removed_reads_no_more_on_matrix() -> Result<(), RigError> {
    shared(|rig| {
        let four = four(rig)?;
        four.group.remove(&four.alice, &[&four.carol])?;
        four.goes_on_without(&four.carol)
    })
}

#[test]
fn a_removed_member_is_out_of_the_rooms_too() -> Result<(), RigError> {
    shared(|rig| {
        let four = four(rig)?;
        four.group.remove(&four.alice, &[&four.carol, &four.dave])?;
        let (moderator, room) = four.matrix_moderator(rig)?;
        let gone = |users: &[String]| {
            let local = four.dave.account.localpart();
            !users.iter().any(|u| *u == four.carol.account.address || u.contains(local))
        };
        tests::deadline::until(
            "carol and dave's ghost are out of the Matrix room",
            tests::deadline::STEP,
            || Ok(gone(&moderator.joined_members(&room)?).then_some(())),
            || format!("{:?}", moderator.joined_members(&room)),
        )?;
        let mut session = XmppSession::login(rig.prosody.ports.client, &four.dave.account)?;
        let entered = session.enter(&four.group.room(&four.alice, "xmpp")?, "by-hand");
        assert!(entered.is_err(), "dave can still enter the chat");
        Ok(())
    })
}

#[test]
fn a_member_that_leaves_by_command_loses_its_leaf_on_matrix() -> Result<(), RigError> {
    shared(|rig| {
        let four = four(rig)?;
        four.carol.command(json!({"command": "leave", "group": four.group.id}))?;
        four.goes_on_without(&four.carol)
    })
}

#[test]
fn a_member_that_leaves_by_command_loses_its_leaf_on_xmpp() -> Result<(), RigError> {
    shared(|rig| {
        let four = four(rig)?;
        four.dave.command(json!({"command": "leave", "group": four.group.id}))?;
        four.goes_on_without(&four.dave)
    })
}

#[test]
fn leaving_the_matrix_room_with_any_client_removes_the_leaf() -> Result<(), RigError> {
    shared(|rig| {
        let four = four(rig)?;
        let room = four.group.room(&four.carol, "matrix")?;
        MatrixSession::login(rig.synapse.port, &four.carol.account)?.leave(&room)?;
        four.goes_on_without(&four.carol)
    })
}

#[test]
fn a_kick_from_the_matrix_room_removes_the_leaf() -> Result<(), RigError> {
    shared(|rig| {
        let four = four(rig)?;
        let (moderator, room) = four.matrix_moderator(rig)?;
        moderator.moderate(&room, "kick", &four.carol.account.address)?;
        four.goes_on_without(&four.carol)
    })
}

#[test]
fn a_ban_from_the_matrix_room_removes_the_leaf() -> Result<(), RigError> {
    shared(|rig| {
        let four = four(rig)?;
        let (moderator, room) = four.matrix_moderator(rig)?;
        moderator.moderate(&room, "ban", &four.carol.account.address)?;
        four.goes_on_without(&four.carol)
    })
}

#[test]
fn a_kick_of_a_ghost_from_the_matrix_room_removes_the_leaf_of_its_xmpp_member()
-> Result<(), RigError> {
    shared(|rig| {
        let four = four(rig)?;
        let (moderator, room) = four.matrix_moderator(rig)?;
        let local = four.dave.account.localpart();
        let ghost = tests::deadline::until(
            "dave's ghost is in the Matrix room",
            tests::deadline::STEP,
            || {
                let members = moderator.joined_members(&room)?;
                Ok(members
                    .into_iter()
                    .find(|user| user.starts_with("@mls_") && user.contains(local)))
            },
            || format!("{:?}", moderator.joined_members(&room)),
        )?;
        moderator.moderate(&room, "kick", &ghost)?;
        four.goes_on_without(&four.dave)
    })
}

fn changed_affiliation_removes_the_leaf(affiliation: &str) -> Result<(), RigError> {
    shared(|rig| {
        let (alice, bob) = rig.pair("alice", "bob")?;
        let (carol, dave) = rig.pair("carol", "dave")?;
        // Made by Bob, so that Bob owns the chat.
        let group = Group::form(&bob, &[&alice, &carol, &dave])?;
        let mut session = XmppSession::login(rig.prosody.ports.client, &bob.account)?;
        let chat = group.room(&bob, "xmpp")?;
        session.affiliate(&chat, &dave.account.address, affiliation)?;
        let four = Four { alice, bob, carol, dave, group };
        four.goes_on_without(&four.dave)
    })
}

#[test]
fn loss_of_the_membership_of_the_chat_removes_the_leaf() -> Result<(), RigError> {
    changed_affiliation_removes_the_leaf("none")
}

#[test]
fn a_ban_from_the_chat_removes_the_leaf() -> Result<(), RigError> {
    changed_affiliation_removes_the_leaf("outcast")
}

#[test]
fn an_xmpp_member_that_only_goes_offline_keeps_its_leaf_and_reads_what_it_missed()
-> Result<(), RigError> {
    shared(|rig| {
        let four = four(rig)?;
        four.dave.quit()?;
        four.carol.quit()?;
        let on = [&four.alice, &four.bob];
        four.group.say(&four.alice, &on, "said while two are away, on Matrix")?;
        four.bob.command(json!({"command": "rotate", "group": four.group.id}))?;
        four.group.say(&four.bob, &on, "said while two are away, on XMPP")?;
        for away in [&four.dave, &four.carol] {
            away.start()?;
            four.group.wait_heard(away, &four.alice, "said while two are away, on Matrix")?;
            four.group.wait_heard(away, &four.bob, "said while two are away, on XMPP")?;
        }
        four.group.converge_to(&[&four.alice, &four.bob, &four.carol, &four.dave], 4)?;
        Ok(())
    })
}

#[test]
fn a_removed_member_can_be_invited_again_and_reads_only_what_comes_then() -> Result<(), RigError> {
    shared(|rig| {
        let four = four(rig)?;
        let rest = [&four.alice, &four.bob, &four.carol];
        four.group.remove(&four.alice, &[&four.dave])?;
        four.group.say(&four.alice, &rest, "said while dave is out")?;
        four.group.invite(&four.alice, &[&four.dave])?;
        four.group.converge_to(&[&four.alice, &four.bob, &four.carol, &four.dave], 4)?;
        four.group.say(&four.carol, &[&four.dave], "welcome back to the table")?;
        four.group.assert_exactly(&four.dave, &["welcome back to the table".to_owned()])
    })
}

#[test]
fn a_member_that_is_no_admin_can_remove_nobody() -> Result<(), RigError> {
    shared(|rig| {
        let four = four(rig)?;
        let users = [&four.carol.account.address];
        let remove = json!({"command": "remove", "group": four.group.id, "users": users});
        let refused = four.bob.command(remove);
        assert!(matches!(refused, Err(RigError::Refused { .. })), "{refused:?}");
        let all = [&four.alice, &four.bob, &four.carol, &four.dave];
        four.group.converge_to(&all, 4)?;
        four.group.say(&four.carol, &all, "still here, all four of us")
    })
}
