//! The Matrix connection of a device against a real Synapse: what it asks, reads back and passes on.

#[path = "matrix_client/matrix_device.rs"]
mod matrix_device;

use matrix_adapter::mapping::namespace::{ANSWER, CONTROL_ROOM_TYPE, REQUEST, ROOM_ENCRYPTED};
use matrix_adapter::mapping::{answer, application_message, namespace};
use mls_core::address::RoomAddress;
use mls_core::member::Input;
use mls_core::service::Service;
use mls_core::wire::refusal::Refusal;
use mls_core::wire::{Reply, Request};
use serde_json::{Value, json};
use tests::error::RigError;
use tests::matrix_session::MatrixSession;
use tests::rig::{Rig, shared};

use matrix_device::Device;

const HUB: Service = Service::Delivery;

/// More than a limited /sync and three pages of /messages hold.
const MANY: usize = 520;

fn algorithm() -> String {
    namespace::algorithm(1).unwrap_or_default()
}

/// A room that is marked as the hub marks a group's.
fn our_room(invite: &[&str]) -> Value {
    json!({
        "preset": "private_chat", "invite": invite,
        "creation_content": {namespace::CREATE_ALGORITHM: algorithm()},
        "initial_state": [{
            "type": "m.room.encryption", "state_key": "", "content": {"algorithm": algorithm()},
        }],
    })
}

fn say(session: &MatrixSession, room: &str, text: &str) -> Result<(), RigError> {
    let content = application_message::encode(&algorithm(), text.as_bytes(), None);
    session.send(room, ROOM_ENCRYPTED, text, &content).map(drop)
}

fn heard(inputs: &[Input]) -> Vec<String> {
    let text = |input: &Input| match input {
        Input::Message(message) => Some(String::from_utf8_lossy(&message.message).into_owned()),
        _ => None,
    };
    inputs.iter().filter_map(text).collect()
}

fn count(session: &MatrixSession, room: &str, wanted: impl Fn(&Value) -> bool) -> usize {
    session.newest(room).unwrap_or_default().iter().filter(|event| wanted(event)).count()
}

/// A control room whose hub is an account that this test plays.
fn control_room(rig: &Rig) -> Result<(Device, MatrixSession, MatrixSession, String), RigError> {
    let (alice, hub) = (rig.matrix_user("alice")?, rig.matrix_user("hub")?);
    let port = rig.synapse.port;
    let device = Device::log_in(rig, &alice, &hub.address)?;
    let (alice, session) = (MatrixSession::login(port, &alice)?, MatrixSession::login(port, &hub)?);
    let room = alice.create_room(&json!({
        "preset": "private_chat", "invite": [hub.address],
        "creation_content": {"type": CONTROL_ROOM_TYPE},
    }))?;
    Ok((device, alice, session, room))
}

#[test]
fn a_request_that_was_told_not_now_is_put_as_a_new_event_after_a_restart() -> Result<(), RigError> {
    shared(|rig| {
        let (mut device, alice, hub, room) = control_room(rig)?;
        hub.join(&room)?;
        let id = "told-later".to_owned();
        let put = || count(&alice, &room, |event| event["type"] == REQUEST);
        device.setup.control_room = Some(room.clone());
        device.connect()?;
        device.request(HUB, &id, &Request::HubInfo)?;
        device.request(HUB, &id, &Request::HubInfo)?;
        assert_eq!(put(), 1, "the same request was put twice");
        let later = answer::encode(&id, &Reply::Refused(Refusal::RateLimited(1)));
        hub.send(&room, ANSWER, "later", &later)?;
        device
            .read_until(|inputs| inputs.iter().any(|input| matches!(input, Input::Answer(..))))?;
        device.request(HUB, &id, &Request::HubInfo)?;
        assert_eq!(put(), 2, "an answered request was not put again");
        device.stop()?;
        device.connect()?;
        device.request(HUB, &id, &Request::HubInfo)?;
        assert_eq!(put(), 3, "the hub never sees the request that a restarted device puts");
        Ok(())
    })
}

#[test]
fn a_hub_that_lost_several_invitations_is_invited_again() -> Result<(), RigError> {
    shared(|rig| {
        let (mut device, alice, hub, room) = control_room(rig)?;
        let invited = |event: &Value| event["content"]["membership"] == "invite";
        device.setup.control_room = Some(room.clone());
        device.connect()?;
        for invitations in 2..=3 {
            let asked = device.request(HUB, &"lost".to_owned(), &Request::HubInfo);
            assert!(asked.is_err(), "the hub was not there and took a request");
            assert_eq!(count(&alice, &room, invited), invitations);
        }
        hub.join(&room)?;
        device.request(HUB, &"lost".to_owned(), &Request::HubInfo)
    })
}

#[test]
fn only_rooms_that_are_marked_as_ours_are_told_to_the_member() -> Result<(), RigError> {
    shared(|rig| {
        let account = rig.matrix_user("alice")?;
        let session = MatrixSession::login(rig.synapse.port, &account)?;
        let megolm = json!({"algorithm": "m.megolm.v1.aes-sha2"});
        let plain = session.create_room(&json!({"name": "Family"}))?;
        let encrypted = session.create_room(&json!({
            "initial_state": [{"type": "m.room.encryption", "state_key": "", "content": megolm}],
        }))?;
        let ours = session.create_room(&our_room(&[]))?;
        let mut device = Device::log_in(rig, &account, "@mls:matrix.localhost")?;
        device.connect()?;
        let mut inputs =
            device.read_until(|inputs| inputs.iter().any(|i| matches!(i, Input::Connected)))?;
        for turn in ["before", "after"] {
            // Active rooms, a new name, a new room: all of it comes with the next answers.
            session.rename(&account.address, &format!("Alice {turn}"))?;
            let new = session.create_room(&json!({"name": turn}))?;
            for room in [&plain, &encrypted, &new] {
                let content = json!({"msgtype": "m.text", "body": turn});
                session.send(room, "m.room.message", turn, &content)?;
            }
            say(&session, &ours, turn)?;
            inputs.extend(device.read_until(|inputs| !heard(inputs).is_empty())?);
            device.stop()?;
            device.connect()?;
        }
        let joined = |input: &Input| match input {
            Input::RoomJoined(room) => Some(room.clone()),
            _ => None,
        };
        let mut joined: Vec<_> = inputs.iter().filter_map(joined).collect();
        joined.dedup();
        assert_eq!(
            joined,
            [RoomAddress::matrix(ours)],
            "rooms that are none of the hub's business"
        );
        Ok(())
    })
}

#[test]
fn a_device_that_was_away_gets_each_of_many_messages_once_though_another_device_spoke()
-> Result<(), RigError> {
    shared(|rig| {
        let (alice, bob) = (rig.matrix_user("alice")?, rig.matrix_user("bob")?);
        let port = rig.synapse.port;
        let (talker, phone) =
            (MatrixSession::login(port, &alice)?, MatrixSession::login(port, &bob)?);
        let room = talker.create_room(&our_room(&[&bob.address]))?;
        phone.join(&room)?;
        let mut device = Device::log_in(rig, &bob, "@mls:matrix.localhost")?;
        device.connect()?;
        device.read_until(|inputs| inputs.iter().any(|i| matches!(i, Input::Connected)))?;
        device.stop()?;
        let new_room = talker.create_room(&our_room(&[&bob.address]))?;
        say(&talker, &new_room, "before bob came in")?;
        phone.join(&new_room)?;
        let mut texts = vec!["before bob came in".to_owned()];
        for number in 0..MANY {
            if number == MANY / 2 {
                // Synapse then shows bob's own membership, as it does where he spoke and its
                // memory of what it showed to this device has run out.
                phone.rename(&bob.address, "Robert")?;
            }
            let text = format!("number {number}");
            say(if number % 20 == 19 { &phone } else { &talker }, &room, &text)?;
            texts.push(text);
        }
        device.connect()?;
        let inputs =
            device.read_until(|inputs| inputs.iter().any(|i| matches!(i, Input::Message(_))))?;
        let mut got = heard(&inputs);
        got.sort();
        texts.sort();
        let missing = texts.iter().filter(|text| !got.contains(text)).count();
        assert_eq!(missing, 0, "messages are lost");
        assert_eq!(got.len(), texts.len(), "messages came twice");
        Ok(())
    })
}
