//! Bad input on every door: a clear error, nothing lost, no group stalled, the process lives.

use serde_json::{Value, json};
use tests::bot::Bot;
use tests::error::RigError;
use tests::group::Group;
use tests::matrix_session::MatrixSession;
use tests::prosody::HUB;
use tests::rig::{Rig, shared};
use tests::xmpp_session::XmppSession;

/// A group of two that talked before; afterwards it still can.
struct Witness {
    alice: Bot,
    bob: Bot,
    group: Group,
}

impl Witness {
    fn new(rig: &Rig) -> Result<Self, RigError> {
        let (alice, bob) = rig.pair("alice", "bob")?;
        let group = Group::form(&alice, &[&bob])?;
        Ok(Self { alice, bob, group })
    }

    fn still_talks(&self) -> Result<(), RigError> {
        let (alice, bob) = (&self.alice, &self.bob);
        let texts = ["from Matrix", "from XMPP"]
            .map(|from| format!("{} and {} still talk, {from}", alice.name, bob.name));
        self.group.say(alice, &[alice, bob], &texts[0])?;
        alice.command(json!({"command": "rotate", "group": self.group.id}))?;
        self.group.say(bob, &[alice, bob], &texts[1])?;
        self.group.converge_to(&[alice, bob], 2)?;
        [alice, bob].iter().try_for_each(|bot| self.group.assert_exactly(bot, &texts))
    }
}

#[test]
fn a_wrong_or_missing_homeserver_token_is_refused() -> Result<(), RigError> {
    shared(|rig| {
        let path = "/_matrix/app/v1/transactions/1";
        let good = rig.bridge.homeserver_token()?;
        let almost = format!("{}x", &good[..good.len() - 1]);
        let body = br#"{"events": []}"#;
        let ask = |token| rig.ask_bridge("PUT", path, token, body);
        assert_eq!(ask(Some(&almost))?.status, 403);
        assert_eq!(ask(Some(&almost))?.json["errcode"], "M_FORBIDDEN");
        assert_eq!(ask(Some(""))?.status / 100, 4);
        assert_eq!(ask(None)?.status, 401);
        let in_query = format!("{path}?access_token={almost}");
        assert_eq!(rig.ask_bridge("PUT", &in_query, None, body)?.status / 100, 4);
        assert_eq!(ask(Some(&good))?.status, 200);
        Ok(())
    })
}

#[test]
fn malformed_transactions_are_refused_and_odd_events_are_passed_over() -> Result<(), RigError> {
    shared(|rig| {
        let witness = Witness::new(rig)?;
        let room = witness.group.room(&witness.alice, "matrix")?;
        let token = rig.bridge.homeserver_token()?;
        let put = |id: &str, body: &[u8]| {
            let path = format!("/_matrix/app/v1/transactions/{id}");
            rig.ask_bridge("PUT", &path, Some(&token), body)
        };
        for (number, body) in
            [&b"{"[..], b"", b"[]", b"{\"events\": 7}", b"\xff\xfe", b"{}"].iter().enumerate()
        {
            let answer = put(&format!("malformed-{number}"), body)?;
            assert_eq!(answer.status, 400, "{:?}: {answer:?}", String::from_utf8_lossy(body));
            assert!(answer.json["errcode"].is_string(), "no errcode: {answer:?}");
        }
        let odd: Vec<Value> = vec![
            Value::Null,
            json!("text"),
            json!({}),
            json!({"type": 7, "room_id": room}),
            json!({"type": "m.room.member", "room_id": room, "state_key": null, "content": 3}),
            json!({"type": "dev.mls_bridge.request", "room_id": room, "sender": "nobody",
                   "event_id": "$1", "content": {"v": 1, "id": [], "x": {}}}),
            json!({"type": "m.room.encrypted", "room_id": room, "sender": "@a:b",
                   "event_id": "$2", "content": {"algorithm": {}, "ciphertext": 1}}),
        ];
        let body = json!({"events": odd}).to_string();
        assert_eq!(put("odd", body.as_bytes())?.status, 200);
        assert_eq!(put("odd", body.as_bytes())?.status, 200, "the same transaction again");
        witness.still_talks()
    })
}

#[test]
fn a_transaction_that_is_pushed_again_changes_nothing() -> Result<(), RigError> {
    shared(|rig| {
        let witness = Witness::new(rig)?;
        let (alice, bob) = (&witness.alice, &witness.bob);
        let room = witness.group.room(alice, "matrix")?;
        witness.group.say(alice, &[bob], "pushed once and then again")?;
        let session = MatrixSession::login(rig.synapse.port, &alice.account)?;
        let mut events = session.newest(&room)?;
        events.retain(|event| event["type"] == "m.room.encrypted");
        assert!(!events.is_empty(), "no message in the room");
        let token = rig.bridge.homeserver_token()?;
        let body = json!({"events": events}).to_string();
        for id in ["again-1", "again-2"] {
            let path = format!("/_matrix/app/v1/transactions/{id}");
            assert_eq!(rig.ask_bridge("PUT", &path, Some(&token), body.as_bytes())?.status, 200);
        }
        witness.group.say(alice, &[bob], "and nothing was doubled")?;
        let texts = ["pushed once and then again", "and nothing was doubled"].map(str::to_owned);
        witness.group.assert_exactly(bob, &texts)
    })
}

#[test]
fn an_unknown_path_of_the_bridge_is_answered_by_the_specification() -> Result<(), RigError> {
    shared(|rig| {
        let token = rig.bridge.homeserver_token()?;
        let unknown = rig.ask_bridge("GET", "/_matrix/app/v1/dance", Some(&token), b"")?;
        assert_eq!((unknown.status, &unknown.json["errcode"]), (404, &json!("M_UNRECOGNIZED")));
        let path = "/_matrix/app/v1/transactions/1";
        let method = rig.ask_bridge("DELETE", path, Some(&token), b"")?;
        assert_eq!((method.status, &method.json["errcode"]), (405, &json!("M_UNRECOGNIZED")));
        let user = "/_matrix/app/v1/users/%40stranger%3Amatrix.localhost";
        assert_eq!(rig.ask_bridge("GET", user, Some(&token), b"")?.status, 404);
        Ok(())
    })
}

#[test]
fn malformed_stanzas_never_end_the_component() -> Result<(), RigError> {
    shared(|rig| {
        let witness = Witness::new(rig)?;
        let mallory = rig.xmpp_user("mallory")?;
        let mut session = XmppSession::login(rig.prosody.ports.client, &mallory)?;
        let deep = format!("{}{}", "<a>".repeat(200), "</a>".repeat(200));
        let wide = "x".repeat(200_000);
        let attribute = "y".repeat(9_000);
        for stanza in [
            format!("<message to='{HUB}' type='bogus'><body>x</body></message>"),
            format!("<message to='{HUB}'><thread>1</thread><thread>2</thread></message>"),
            format!("<message to='{HUB}'>loose text<body/></message>"),
            format!("<message to='{HUB}'><x xmlns='urn:x' long='{attribute}'/></message>"),
            format!("<message to='{HUB}'><x xmlns='urn:x'>{wide}</x></message>"),
            format!("<message to='{HUB}'><x xmlns='urn:x'>{deep}</x></message>"),
            format!("<presence to='{HUB}'><show>zzz</show></presence>"),
            format!("<presence to='{HUB}'><priority>9999</priority></presence>"),
            format!("<presence to='hub@{HUB}/hub' type='bogus'/>"),
            format!("<message to='hub@{HUB}/hub' type='groupchat'><body>x</body></message>"),
            format!("<message to='nobody@{HUB}' type='error'><error/></message>"),
            format!("<iq to='{HUB}' type='result' id='never-asked'/>"),
            format!("<iq to='{HUB}' type='error' id='never-asked'><error/></iq>"),
        ] {
            session.send(&stanza)?;
            let pong = session.iq("get", Some(HUB), "<ping xmlns='urn:xmpp:ping'/>")?;
            assert!(pong.contains("type='result'"), "after {stanza:.80}: {pong}");
        }
        witness.still_talks()
    })
}

#[test]
fn every_iq_to_the_hub_is_answered() -> Result<(), RigError> {
    shared(|rig| {
        let mallory = rig.xmpp_user("mallory")?;
        let mut session = XmppSession::login(rig.prosody.ports.client, &mallory)?;
        for (kind, inner, expected) in [
            ("get", "<ping xmlns='urn:xmpp:ping'/>", "type='result'"),
            ("get", "<query xmlns='jabber:iq:version'/>", "<name>"),
            ("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>", "urn:mls-bridge:0"),
            ("get", "<query xmlns='http://jabber.org/protocol/disco#items'/>", "type='result'"),
            ("get", "<query xmlns='jabber:iq:time'/>", "service-unavailable"),
            ("set", "<query xmlns='urn:unheard-of'/>", "service-unavailable"),
            ("get", "<dance xmlns='urn:mls-bridge:0'/>", "type='error'"),
            ("set", "<submit-commit xmlns='urn:mls-bridge:0'/>", "type='error'"),
            ("set", "<submit-commit xmlns='urn:mls-bridge:0' group='zz'/>", "type='error'"),
            ("set", "<fetch-handshakes xmlns='urn:mls-bridge:0' group='00'/>", "type='error'"),
        ] {
            let answer = session.iq(kind, Some(HUB), inner)?;
            assert!(answer.contains(expected), "{inner}: {answer}");
        }
        Ok(())
    })
}

#[test]
fn a_request_in_a_control_room_that_cannot_be_taken_is_answered_with_the_reason()
-> Result<(), RigError> {
    shared(|rig| {
        let mallory = rig.matrix_user("mallory")?;
        let session = MatrixSession::login(rig.synapse.port, &mallory)?;
        let room = session.control_room()?;
        for (request, code) in [
            (json!({"v": 1, "id": "dance", "dance": {}}), "unsupported"),
            (json!({"v": 99, "id": "later", "hub_info": {}}), "unsupported"),
            (json!({"v": 1, "id": "clear", "fetch_handshakes": {"group": "00"}}), "unsupported"),
            (json!({"v": 1, "id": "shape", "sealed": {"kem_output": 7}}), "invalid"),
            (
                json!({"v": 1, "id": "junk", "sealed": {"kem_output": "AAAA", "ciphertext": "AAAA"}}),
                "not_opened",
            ),
            (json!({"v": 1, "id": "empty"}), "invalid"),
        ] {
            let answer = session.ask(&room, &request)?;
            assert_eq!(answer["error"]["code"], code, "{answer}");
        }
        Ok(())
    })
}

#[test]
fn rubbish_that_a_member_puts_into_the_matrix_room_stalls_nothing() -> Result<(), RigError> {
    shared(|rig| {
        let witness = Witness::new(rig)?;
        let room = witness.group.room(&witness.alice, "matrix")?;
        let session = MatrixSession::login(rig.synapse.port, &witness.alice.account)?;
        let algorithm = "dev.mls_bridge.v1.MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519";
        for (number, content) in [
            json!({"algorithm": algorithm, "ciphertext": "AAEAAg"}),
            json!({"algorithm": algorithm, "ciphertext": "%%%"}),
            json!({"algorithm": algorithm, "ciphertext": "A".repeat(40_000)}),
            json!({"algorithm": algorithm}),
            json!({"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "AAAA"}),
        ]
        .iter()
        .enumerate()
        {
            session.send(&room, "m.room.encrypted", &format!("rubbish-{number}"), content)?;
        }
        witness.still_talks()
    })
}

#[test]
fn a_handshake_that_a_member_puts_straight_into_a_room_changes_nothing() -> Result<(), RigError> {
    shared(|rig| {
        let witness = Witness::new(rig)?;
        let (alice, bob, group) = (&witness.alice, &witness.bob, &witness.group);
        let epoch = group.converge(&[alice, bob])?.epoch;
        let session = MatrixSession::login(rig.synapse.port, &bob_on_matrix(rig)?)?;
        let content = json!({
            "v": 1, "group": group.id, "seq": epoch + 1, "epoch": epoch,
            "message": "AAEAAg", "receipt": "AAAA",
        });
        let room = group.room(alice, "matrix")?;
        let sent = session.send(&room, "dev.mls_bridge.handshake", "forged", &content);
        assert!(sent.is_err(), "somebody outside the room sent a handshake into it");
        let chat = group.room(bob, "xmpp")?;
        let mut session = XmppSession::login(rig.prosody.ports.client, &bob.account)?;
        session.enter(&chat, "by-hand")?;
        session.send(&format!(
            "<message type='groupchat' to='{chat}'>\
             <handshake xmlns='urn:mls-bridge:0' group='{}' epoch='{epoch}' seq='{}'>\
             <message>AAEAAg==</message><receipt>AAAA</receipt></handshake>\
             <store xmlns='urn:xmpp:hints'/></message>",
            group.id,
            epoch + 1
        ))?;
        assert_eq!(group.converge(&[alice, bob])?.epoch, epoch, "a forged handshake counted");
        witness.still_talks()
    })
}

fn bob_on_matrix(rig: &Rig) -> Result<tests::bot::Account, RigError> {
    rig.matrix_user("outsider")
}
