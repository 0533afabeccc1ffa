//! Welcomes that do not come from the hub.

use matrix_adapter::mapping::{key_package as one_time_key, notice};
use mls_core::wire::claim_key_packages::ClaimOutcome;
use mls_core::wire::{GroupId, Notice};
use serde_json::json;
use tests::bot::Bot;
use tests::error::RigError;
use tests::matrix_session::MatrixSession;
use tests::rig::shared;
use tests::xmpp_session::XmppSession;
use xmpp_adapter::mapping::{self as xmpp, key_package};

use crate::insider::Insider;
use crate::party::{Party, client_of, wait_logged};
use crate::stranger::Stranger;

/// The group that is held, and one that nobody has heard of.
fn targets(party: &Party) -> Result<[GroupId; 2], RigError> {
    Ok([party.group_id()?, GroupId(vec![7; 16])])
}

/// A group that was not left, and no other.
fn has_only_its_group(party: &Party, bot: &Bot) -> Result<(), RigError> {
    let answer = bot.command(json!({"command": "groups"}))?;
    assert_eq!(answer["groups"].as_array().map(Vec::len), Some(1), "{answer}");
    party.unmoved_goes_on()
}

#[test]
fn a_strangers_welcome_to_a_matrix_device_is_ignored() -> Result<(), RigError> {
    shared(|rig| {
        let party = Party::of_two(rig)?;
        let insider = Insider::of(&party.bob, &party.group_id()?)?;
        let victim = client_of(&party.alice)?;
        let (user, device) = (&party.alice.account.address, victim.device());
        let account = rig.matrix_user("mallory")?;
        let mallory = Stranger::new(&account, "MALLORY");
        let session = MatrixSession::login(rig.synapse.port, &account)?;
        for (number, id) in targets(&party)?.iter().enumerate() {
            let algorithm = one_time_key::algorithm(1).unwrap();
            let wanted = json!({"one_time_keys": {user: {&device: algorithm}}});
            let claimed = session.call("POST", "/_matrix/client/v3/keys/claim", &wanted)?;
            let key = claimed["one_time_keys"][user][&device].clone();
            let ClaimOutcome::OneTime(package) = one_time_key::claimed(key) else {
                return Err(RigError::Answer(format!("no key package: {claimed}")));
            };
            let welcome = mallory.welcome(&insider, id, &victim, &package);
            let (kind, content) = notice::encode(&Notice::Welcome(welcome));
            let path = format!("/_matrix/client/v3/sendToDevice/{kind}/{number}");
            let body = json!({"messages": {user: {&device: content}}});
            session.call("PUT", &path, &body)?;
        }
        wait_logged(&party.alice, "only the hub may send dev.mls_bridge.welcome")?;
        has_only_its_group(&party, &party.alice)
    })
}

#[test]
fn a_strangers_welcome_to_an_xmpp_device_is_ignored() -> Result<(), RigError> {
    shared(|rig| {
        let party = Party::of_two(rig)?;
        let insider = Insider::of(&party.alice, &party.group_id()?)?;
        let victim = client_of(&party.bob)?;
        let account = rig.xmpp_user("mallory")?;
        let mallory = Stranger::new(&account, "00000000000000ff");
        let mut session = XmppSession::login(rig.prosody.ports.client, &account)?;
        // The last resort, whose private part stays: a Welcome by it can always be opened.
        let user = &party.bob.account.address;
        let items = session.iq("get", Some(user), &String::from(&key_package::items()))?;
        let items = items.replacen("<iq", "<iq xmlns='jabber:client'", 1).parse().unwrap();
        let packages = key_package::from_items(&items);
        let (_, package) = packages.first().unwrap();
        for (number, id) in targets(&party)?.iter().enumerate() {
            let welcome = mallory.welcome(&insider, id, &victim, package);
            let notice = Notice::Welcome(welcome);
            let message = xmpp::notice_message(user, &format!("attack-{number}"), &notice);
            session.send(&String::from(&message))?;
        }
        wait_logged(&party.bob, "only the hub may send a notice")?;
        has_only_its_group(&party, &party.bob)
    })
}
