//! A room that is gone, or closed to the hub, stops nobody but those who sat in it.

use tests::bot::Bot;
use tests::error::RigError;
use tests::group::Group;
use tests::prosody::HUB;
use tests::rig::{Options, Rig, own, shared};
use tests::xmpp_session::XmppSession;

/// Bob and Dave on XMPP, Alice and Carol on Matrix, in a group that Bob made: he owns its chat. And
/// another group of Alice and Bob.
struct Two {
    alice: Bot,
    bob: Bot,
    carol: Bot,
    dave: Bot,
    group: Group,
    other: Group,
}

fn two(rig: &Rig) -> Result<Two, RigError> {
    let (alice, bob) = rig.pair("alice", "bob")?;
    let (carol, dave) = rig.pair("carol", "dave")?;
    let group = Group::form(&bob, &[&alice, &carol, &dave])?;
    let other = Group::form(&alice, &[&bob])?;
    group.say(&alice, &[&alice, &bob, &carol, &dave], "all four of us are here")?;
    Ok(Two { alice, bob, carol, dave, group, other })
}

impl Two {
    fn owner(&self, rig: &Rig) -> Result<(XmppSession, String), RigError> {
        let session = XmppSession::login(rig.prosody.ports.client, &self.bob.account)?;
        Ok((session, self.group.room(&self.bob, "xmpp")?))
    }

    /// Those on Matrix are among themselves and talk on; the other group does not notice.
    fn matrix_goes_on_alone(&self) -> Result<(), RigError> {
        self.group.say(&self.alice, &[&self.carol], "said while the chat goes")?;
        self.group.converge_to(&[&self.alice, &self.carol], 2)?;
        let told = |event: &serde_json::Value| self.group.is(event, "warning");
        self.alice.wait_for("a warning", told)?;
        self.group.say(&self.carol, &[&self.alice], "only the two of us are left here")?;
        self.the_other_group_talks()
    }

    fn the_other_group_talks(&self) -> Result<(), RigError> {
        let both = [&self.alice, &self.bob];
        self.other.say(&self.alice, &both, "does the other group notice anything?")?;
        self.other.say(&self.bob, &both, "all is well in the other group")
    }
}

#[test]
fn members_on_matrix_go_on_when_the_owner_of_the_chat_destroys_it() -> Result<(), RigError> {
    shared(|rig| {
        let two = two(rig)?;
        let (mut owner, chat) = two.owner(rig)?;
        owner.destroy(&chat)?;
        two.matrix_goes_on_alone()?;
        two.group.wait_removed(&two.bob)?;
        two.group.wait_removed(&two.dave)
    })
}

#[test]
fn members_on_matrix_go_on_when_the_hub_is_put_off_the_list_of_the_chat() -> Result<(), RigError> {
    shared(|rig| {
        let two = two(rig)?;
        let (mut owner, chat) = two.owner(rig)?;
        owner.affiliate(&chat, &format!("hub@{HUB}"), "none")?;
        two.matrix_goes_on_alone()
    })
}

#[test]
fn members_on_xmpp_go_on_when_the_matrix_room_is_deleted() -> Result<(), RigError> {
    shared(|rig| {
        let two = two(rig)?;
        let room = two.group.room(&two.alice, "matrix")?;
        rig.synapse.operator("operator")?.delete_room(&room)?;
        two.group.converge_to(&[&two.bob, &two.dave], 2)?;
        two.group.wait_removed(&two.alice)?;
        two.bob.wait_for("a warning", |event| two.group.is(event, "warning"))?;
        two.group.say(&two.dave, &[&two.bob], "only the two of us are left here")?;
        two.the_other_group_talks()
    })
}

#[test]
fn who_is_put_out_of_the_chat_while_the_bridge_is_down_is_out_of_the_group() -> Result<(), RigError>
{
    own(Options::default(), |rig| {
        let two = two(rig)?;
        let (mut owner, chat) = two.owner(rig)?;
        let members = owner.affiliated(&chat, "member")?;
        let is_carol = |jid: &&String| jid.contains(two.carol.account.localpart());
        let carol = members.iter().find(is_carol).expect("carol's ghost is on the list");
        rig.bridge.stop()?;
        owner.affiliate(&chat, carol, "none")?;
        rig.bridge.start()?;
        let rest = [&two.alice, &two.bob, &two.dave];
        two.group.converge_to(&rest, 3)?;
        two.group.wait_removed(&two.carol)?;
        two.group.say(&two.alice, &rest, "said without carol in the group")?;
        let members = owner.affiliated(&chat, "member")?;
        assert!(!members.contains(carol), "carol's ghost was let in again: {members:?}");
        Ok(())
    })
}
