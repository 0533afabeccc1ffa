//! Word of a Welcome that does not come from the hub.

use matrix_adapter::mapping::notice;
use mls_core::wire::Notice;
use mls_core::wire::welcome_waiting::WelcomeWaiting;
use serde_json::json;
use tests::bot::Bot;
use tests::error::RigError;
use tests::matrix_session::MatrixSession;
use tests::rig::shared;
use tests::xmpp_session::XmppSession;
use xmpp_adapter::mapping as xmpp;

use crate::party::{Party, client_of, wait_logged};

/// A group that was not left, and no other.
fn has_only_its_group(party: &Party, bot: &Bot) -> Result<(), RigError> {
    let answer = bot.command(json!({"command": "groups"}))?;
    assert_eq!(answer["groups"].as_array().map(Vec::len), Some(1), "{answer}");
    party.unmoved_goes_on()
}

#[test]
fn a_strangers_word_to_a_matrix_device_is_ignored() -> Result<(), RigError> {
    shared(|rig| {
        let party = Party::of_two(rig)?;
        let (user, device) = (&party.alice.account.address, client_of(&party.alice)?.device());
        let account = rig.matrix_user("mallory")?;
        let session = MatrixSession::login(rig.synapse.port, &account)?;
        let waiting = WelcomeWaiting { device: device.clone() };
        let (kind, content) = notice::encode(&Notice::WelcomeWaiting(waiting));
        let path = format!("/_matrix/client/v3/sendToDevice/{kind}/1");
        session.call("PUT", &path, &json!({"messages": {user: {&device: content}}}))?;
        wait_logged(&party.alice, "only the hub may send dev.mls_bridge.welcome")?;
        has_only_its_group(&party, &party.alice)
    })
}

#[test]
fn a_strangers_word_to_an_xmpp_device_is_ignored() -> Result<(), RigError> {
    shared(|rig| {
        let party = Party::of_two(rig)?;
        let account = rig.xmpp_user("mallory")?;
        let mut session = XmppSession::login(rig.prosody.ports.client, &account)?;
        let waiting = WelcomeWaiting { device: client_of(&party.bob)?.device() };
        let notice = Notice::WelcomeWaiting(waiting);
        let message = xmpp::notice_message(&party.bob.account.address, "attack", &notice);
        session.send(&String::from(&message))?;
        wait_logged(&party.bob, "only the hub may send a notice")?;
        has_only_its_group(&party, &party.bob)
    })
}
