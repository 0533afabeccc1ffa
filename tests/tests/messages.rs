//! Messages cross in both directions, once, in order, under the leaf's identity.

use serde_json::json;
use tests::bot::{Bot, Message};
use tests::deadline::{STEP, until};
use tests::error::RigError;
use tests::group::Group;
use tests::matrix_session::MatrixSession;
use tests::rig::shared;
use tests::xmpp_session::XmppSession;

fn heard(group: &Group, bot: &Bot, count: usize) -> Result<Vec<Message>, RigError> {
    let look = || {
        let messages = bot.events.messages(&group.id)?;
        Ok((messages.len() >= count).then_some(messages))
    };
    until(&format!("{} hears {count} messages", bot.name), STEP, look, || bot.events.last(5))
}

#[test]
fn messages_in_both_directions_arrive_once_under_the_leafs_identity() -> Result<(), RigError> {
    shared(|rig| {
        let (alice, bob) = rig.pair("alice", "bob")?;
        let dave = rig.xmpp_bot("dave")?;
        let group = Group::form(&alice, &[&bob, &dave])?;
        let all = [&alice, &bob, &dave];
        let mut texts = Vec::new();
        for round in 0..3 {
            for from in all {
                let text = format!("round {round} is opened by {}", from.name);
                group.say(from, &all, &text)?;
                texts.push(text);
            }
        }
        all.iter().try_for_each(|bot| group.assert_exactly(bot, &texts))?;
        let view = group.converge(&all)?;
        for message in all.iter().flat_map(|bot| bot.events.messages(&group.id)).flatten() {
            assert!(view.members.contains(&message.sender), "not a leaf: {message:?}");
        }
        Ok(())
    })
}

#[test]
fn fifty_messages_from_each_side_arrive_once_and_in_their_senders_order() -> Result<(), RigError> {
    shared(|rig| {
        let (alice, bob) = rig.pair("alice", "bob")?;
        let group = Group::form(&alice, &[&bob])?;
        let mut texts = Vec::new();
        for number in 0..50 {
            for bot in [&alice, &bob] {
                let text = format!("number {number} in a row of {}", bot.name);
                bot.post(json!({"command": "send", "group": group.id, "text": text}))?;
                texts.push(text);
            }
        }
        for bot in [&alice, &bob] {
            let messages = heard(&group, bot, texts.len())?;
            group.assert_exactly(bot, &texts)?;
            for from in [&alice, &bob] {
                let prefix = from.account.identity_prefix();
                let sent = texts.iter().filter(|text| text.ends_with(&from.name));
                let got = messages.iter().filter(|m| m.sender.starts_with(&prefix));
                assert!(sent.eq(got.map(|m| &m.text)), "{} got them out of order", bot.name);
            }
        }
        Ok(())
    })
}

#[test]
fn a_long_text_and_every_kind_of_character_arrive_unchanged() -> Result<(), RigError> {
    shared(|rig| {
        let (alice, bob) = rig.pair("alice", "bob")?;
        let group = Group::form(&alice, &[&bob])?;
        let long: String = (0..2_000).map(|number| format!("{number:08} ")).collect();
        let odd = "<body>&amp; ]]> \u{0}\u{1f}\u{fffd} \"'\\ \r\n\t ÄÖ 茶 🫖</body> {\"a\":1}";
        for text in [long.as_str(), odd] {
            group.say(&alice, &[&bob], text)?;
            group.say(&bob, &[&alice], &format!("{text} back"))?;
        }
        Ok(())
    })
}

#[test]
fn a_text_that_is_too_long_is_refused_and_the_next_one_arrives() -> Result<(), RigError> {
    shared(|rig| {
        let (alice, bob) = rig.pair("alice", "bob")?;
        let group = Group::form(&alice, &[&bob])?;
        let text = "too long for one message. ".repeat(4_000);
        for bot in [&alice, &bob] {
            let send = json!({"command": "send", "group": group.id, "text": text});
            let refused = bot.command(send);
            assert!(matches!(refused, Err(RigError::Refused { .. })), "{refused:.500?}");
        }
        group.say(&alice, &[&bob], "a short one then, from Matrix")?;
        group.say(&bob, &[&alice], "a short one then, from XMPP")
    })
}

#[test]
fn a_message_in_clear_into_the_matrix_room_is_shown_to_nobody_as_a_message() -> Result<(), RigError>
{
    shared(|rig| {
        let (alice, bob) = rig.pair("alice", "bob")?;
        let group = Group::form(&alice, &[&bob])?;
        let session = MatrixSession::login(rig.synapse.port, &alice.account)?;
        let content = json!({"msgtype": "m.text", "body": "sent without encryption"});
        session.send(&group.room(&alice, "matrix")?, "m.room.message", "clear", &content)?;
        alice.wait_for("a warning", |event| group.is(event, "warning"))?;
        group.say(&alice, &[&bob], "sent with encryption, from Matrix")?;
        let texts = ["sent with encryption, from Matrix".to_owned()];
        group.assert_exactly(&alice, &texts)?;
        group.assert_exactly(&bob, &texts)
    })
}

#[test]
fn a_message_in_clear_into_the_chat_is_shown_to_nobody_as_a_message() -> Result<(), RigError> {
    shared(|rig| {
        let (alice, bob) = rig.pair("alice", "bob")?;
        let group = Group::form(&bob, &[&alice])?;
        let chat = group.room(&bob, "xmpp")?;
        let mut session = XmppSession::login(rig.prosody.ports.client, &bob.account)?;
        session.enter(&chat, "by-hand")?;
        session.send(&format!(
            "<message type='groupchat' to='{chat}'><body>sent without encryption</body></message>"
        ))?;
        bob.wait_for("a warning", |event| group.is(event, "warning"))?;
        group.say(&bob, &[&alice], "sent with encryption, from XMPP")?;
        let texts = ["sent with encryption, from XMPP".to_owned()];
        group.assert_exactly(&alice, &texts)?;
        group.assert_exactly(&bob, &texts)
    })
}

#[test]
fn an_echo_bot_answers_in_the_group_on_the_other_network() -> Result<(), RigError> {
    shared(|rig| {
        let (alice, parrot) = rig.pair("alice", "parrot")?;
        parrot.quit()?;
        parrot.launch(&["--echo"])?;
        let group = Group::form(&alice, &[&parrot])?;
        group.say(&alice, &[&parrot], "who is a pretty bird")?;
        group.wait_heard(&alice, &parrot, "echo: who is a pretty bird")
    })
}
