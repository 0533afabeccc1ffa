//! What members and strangers put straight into the rooms, past the hub.

use matrix_adapter::mapping::notice;
use mls_core::receipt::Receipt;
use mls_core::seal::handshake_key::{HandshakeKey, LENGTH};
use mls_core::wire::fetch_handshakes::FetchHandshakes;
use mls_core::wire::handshake::{Handshake, SealedHandshake};
use mls_core::wire::{Answer, Notice, Request};
use serde_json::json;
use tests::error::RigError;
use tests::matrix_session::MatrixSession;
use tests::rig::{Rig, shared};
use tests::xmpp_session::XmppSession;
use xmpp_adapter::mapping::handshake;

use crate::hub_door::HubDoor;
use crate::insider::Insider;
use crate::party::{Party, wait_logged};
use crate::stranger::Stranger;

/// Alice's account posts what `make` makes of her device's state into the Matrix room, Bob's of
/// his into the chat: everybody in that room is told once, nobody outside, and nobody follows.
fn refused_in_rooms(
    says: &str,
    make: impl Fn(&Rig, &Insider) -> Result<Vec<u8>, RigError>,
) -> Result<(), RigError> {
    shared(|rig| {
        let party = Party::of_four(rig)?;
        let group = party.group_id()?;
        let [alice, bob] = [&party.alice, &party.bob].map(|bot| Insider::of(bot, &group));
        party.post_on_matrix(rig, &make(rig, &alice?)?)?;
        party.post_on_xmpp(rig, &make(rig, &bob?)?)?;
        party.all().iter().try_for_each(|bot| party.wait_warned(bot, says))?;
        party.unmoved_goes_on()?;
        party.all().iter().try_for_each(|bot| party.assert_warnings(bot, "was refused", 1))
    })
}

#[test]
fn an_encrypted_commit_of_a_member_in_a_room_is_refused_with_a_warning() -> Result<(), RigError> {
    let says = "was refused: a room may not bring encrypted handshakes";
    refused_in_rooms(says, |_, insider| Ok(insider.encrypted_commit()))
}

#[test]
fn a_commit_in_clear_of_a_member_in_a_room_is_refused_with_a_warning() -> Result<(), RigError> {
    let says = "was refused: a room may bring only encrypted messages";
    refused_in_rooms(says, |_, insider| Ok(insider.commit()))
}

#[test]
fn a_strangers_add_in_a_room_is_refused_with_a_warning() -> Result<(), RigError> {
    let says = "was refused: a room may bring only encrypted messages";
    refused_in_rooms(says, |rig, insider| {
        let stranger = Stranger::new(&rig.matrix_user("mallory")?, "MALLORY");
        Ok(stranger.new_member_add(insider))
    })
}

#[test]
fn an_add_in_the_hubs_name_in_a_room_is_refused_with_a_warning() -> Result<(), RigError> {
    let says = "was refused: a room may bring only encrypted messages";
    refused_in_rooms(says, |rig, insider| {
        let stranger = Stranger::new(&rig.xmpp_user("mallory")?, "00000000000000ff");
        Ok(stranger.add_in_the_hubs_name(insider))
    })
}

#[test]
fn a_stranger_cannot_put_anything_into_the_rooms() -> Result<(), RigError> {
    shared(|rig| {
        let party = Party::of_two(rig)?;
        let session = MatrixSession::login(rig.synapse.port, &rig.matrix_user("mallory")?)?;
        let room = party.group.room(&party.alice, "matrix")?;
        let sent = session.send(&room, "m.room.encrypted", "attack", &json!({}));
        let refused = sent.unwrap_err().to_string();
        assert!(refused.contains("403") && refused.contains("M_FORBIDDEN"), "{refused}");
        let chat = party.group.room(&party.bob, "xmpp")?;
        let mallory = rig.xmpp_user("mallory")?;
        let mut session = XmppSession::login(rig.prosody.ports.client, &mallory)?;
        let refused = session.enter(&chat, "attack").unwrap_err().to_string();
        assert!(refused.contains("registration-required"), "{refused}");
        session.send(&format!("<message type='groupchat' to='{chat}'><body>x</body></message>"))?;
        let refused = session.read_until("</message>")?;
        assert!(refused.contains("not-acceptable"), "{refused}");
        party.unmoved_goes_on()
    })
}

/// A commit of the insider with the receipt that would be next, had the hub signed it.
fn forged(rig: &Rig, party: &Party, insider: &Insider) -> Result<Handshake, RigError> {
    let (group, epoch) = (party.group_id()?, party.before.epoch);
    let fetch = FetchHandshakes { group: group.clone(), from_seq: 1 };
    let answer = HubDoor::open(rig, &party.bob.account)?.ask(&Request::FetchHandshakes(fetch))?;
    let Ok(Answer::Handshakes(handshakes)) = answer else {
        return Err(RigError::Answer(format!("no handshakes: {answer:?}")));
    };
    let last = handshakes.handshakes.last().map(|handshake| &handshake.receipt);
    let last = Receipt::from_bytes(last.unwrap()).unwrap();
    let mallory = Stranger::new(&party.bob.account, "00000000000000ff");
    let message = insider.commit();
    let receipt = mallory.receipt(Some(&last), &group, epoch, &message);
    Ok(Handshake { group, seq: last.tbs.seq + 1, epoch, message: message.into(), receipt })
}

/// As it would stand in a room.
fn sealed(handshake: &Handshake) -> SealedHandshake {
    HandshakeKey::from_exported(&[7; LENGTH]).unwrap().seal(handshake).unwrap()
}

#[test]
fn on_matrix_the_homeserver_lets_no_member_send_a_handshake() -> Result<(), RigError> {
    shared(|rig| {
        let party = Party::of_four(rig)?;
        let insider = Insider::of(&party.alice, &party.group_id()?)?;
        let (kind, content) =
            notice::encode(&Notice::Handshake(sealed(&forged(rig, &party, &insider)?)));
        let room = party.group.room(&party.alice, "matrix")?;
        // Alice made the room and has a level of 99; Carol has none.
        for bot in [&party.alice, &party.others[0]] {
            let session = MatrixSession::login(rig.synapse.port, &bot.account)?;
            let refused = session.send(&room, kind, "attack", &content).unwrap_err().to_string();
            assert!(refused.contains("403") && refused.contains("M_FORBIDDEN"), "{refused}");
        }
        party.unmoved_goes_on()
    })
}

#[test]
fn on_xmpp_a_handshake_of_another_occupant_with_a_forged_receipt_is_ignored() -> Result<(), RigError>
{
    shared(|rig| {
        let party = Party::of_four(rig)?;
        let insider = Insider::of(&party.bob, &party.group_id()?)?;
        let forged = sealed(&forged(rig, &party, &insider)?);
        let chat = party.group.room(&party.bob, "xmpp")?;
        let mut session = XmppSession::login(rig.prosody.ports.client, &party.bob.account)?;
        session.enter(&chat, "hub")?;
        session.send(&String::from(&handshake::message(&chat, "attack", &forged)))?;
        for bot in [&party.bob, &party.others[1]] {
            wait_logged(bot, "only the hub may send a handshake")?;
        }
        party.unmoved_goes_on()
    })
}
