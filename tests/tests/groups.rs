//! A group forms over both networks, whoever makes it.

use tests::error::RigError;
use tests::group::Group;
use tests::rig::shared;

#[test]
fn a_matrix_creator_and_an_xmpp_member_form_a_group_over_both_networks() -> Result<(), RigError> {
    shared(|rig| {
        let (alice, bob) = rig.pair("alice", "bob")?;
        let group = Group::form(&alice, &[&bob])?;
        let view = group.converge_to(&[&alice, &bob], 2)?;
        assert_eq!(view.epoch, 1, "one commit added the other member");
        group.say(&alice, &[&bob, &alice], "good morning from Matrix")?;
        group.say(&bob, &[&alice, &bob], "good morning from XMPP")
    })
}

#[test]
fn an_xmpp_creator_and_a_matrix_member_form_a_group_over_both_networks() -> Result<(), RigError> {
    shared(|rig| {
        let (carol, dave) = rig.pair("carol", "dave")?;
        let group = Group::form(&dave, &[&carol])?;
        group.converge_to(&[&carol, &dave], 2)?;
        group.say(&dave, &[&carol, &dave], "the kettle is on, says XMPP")?;
        group.say(&carol, &[&dave, &carol], "two cups please, says Matrix")
    })
}

#[test]
fn every_member_sees_the_same_room_and_the_same_chat() -> Result<(), RigError> {
    shared(|rig| {
        let (erin, frank) = rig.pair("erin", "frank")?;
        let group = Group::form(&erin, &[&frank])?;
        let room = group.room(&erin, "matrix")?;
        let chat = group.room(&erin, "xmpp")?;
        assert!(room.starts_with('!'), "not a Matrix room id: {room}");
        assert!(chat.ends_with("@rooms.xmpp.localhost"), "not a chat of the service: {chat}");
        assert_eq!((group.room(&frank, "matrix")?, group.room(&frank, "xmpp")?), (room, chat));
        Ok(())
    })
}

#[test]
fn members_of_two_groups_hear_only_what_is_said_in_each() -> Result<(), RigError> {
    shared(|rig| {
        let (grace, heidi) = rig.pair("grace", "heidi")?;
        let (ivan, judy) = rig.pair("ivan", "judy")?;
        let first = Group::form(&grace, &[&heidi, &ivan])?;
        let second = Group::form(&grace, &[&judy])?;
        first.say(&grace, &[&heidi, &ivan], "this is for the first group")?;
        second.say(&grace, &[&judy], "this is for the second group")?;
        second.say(&judy, &[&grace], "and this comes from the second group")?;
        first.assert_exactly(&heidi, &["this is for the first group".to_owned()])?;
        second.assert_exactly(&heidi, &[])?;
        second.assert_exactly(&ivan, &[])?;
        first.assert_exactly(&judy, &[])
    })
}

#[test]
fn an_account_that_does_not_exist_cannot_be_invited_and_the_group_goes_on() -> Result<(), RigError>
{
    shared(|rig| {
        let (kim, leo) = rig.pair("kim", "leo")?;
        let group = Group::form(&kim, &[&leo])?;
        for stranger in ["nobody@xmpp.localhost", "@nobody:matrix.localhost"] {
            let invite = serde_json::json!({
                "command": "invite", "group": group.id, "users": [stranger],
            });
            match kim.command(invite) {
                Err(RigError::Refused { why, .. }) => assert!(!why.is_empty()),
                other => assert!(other.is_err(), "{stranger} was invited: {other:?}"),
            }
        }
        group.converge_to(&[&kim, &leo], 2)?;
        group.say(&leo, &[&kim], "we are still only two of us")
    })
}
