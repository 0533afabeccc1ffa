//! Neither the bridge nor either server ever holds a plaintext, and neither server a handshake.
//!
//! Every other flow looks for its own plaintexts at its end, too (`tests::rig::shared`).

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by a panic")]

use mls_core::receipt::Receipt;
use mls_rs_codec::MlsDecode;
use serde_json::{Value, json};
use tests::blindness::{search_bytes, values_of};
use tests::error::RigError;
use tests::group::Group;
use tests::rig::{Rig, shared};

#[test]
fn no_server_and_no_log_of_the_bridge_holds_what_was_said() -> Result<(), RigError> {
    shared(|rig| {
        let (alice, bob) = rig.pair("alice", "bob")?;
        let group = Group::form(&alice, &[&bob])?;
        for number in 0..10 {
            group.say(&alice, &[&bob], &format!("secret {number} whispered on Matrix"))?;
            group.say(&bob, &[&alice], &format!("secret {number} whispered on XMPP"))?;
        }
        assert!(rig.plaintexts() >= 20, "what was said was not noted down");
        let search = rig.search_plaintexts()?;
        assert!(search.hits.is_empty(), "{:#?}", search.hits);
        Ok(())
    })
}

#[test]
fn the_search_finds_in_all_three_places_what_is_really_there() -> Result<(), RigError> {
    shared(|rig| {
        let (carol, dave) = rig.pair("carol", "dave")?;
        let group = Group::form(&carol, &[&dave])?;
        group.say(&carol, &[&dave], "so that both archives hold a message")?;
        let search = rig.search(&[group.room(&carol, "xmpp")?, group.room(&carol, "matrix")?])?;
        for folder in [rig.synapse.folder(), rig.prosody.folder(), rig.bridge.folder()] {
            let found = search.hits.iter().any(|hit| hit.file.starts_with(folder));
            assert!(found, "the search is blind itself in {}", folder.display());
        }
        Ok(())
    })
}

/// Bytes of each handshake that the hub has accepted, and that stand nowhere else: the ends of its
/// tags and of its receipt's signature.
fn handshakes(rig: &Rig) -> Result<Vec<(String, Vec<u8>)>, RigError> {
    let mut wanted = Vec::new();
    for entry in values_of(rig.bridge.folder(), "handshake")? {
        let Ok(receipt) = Receipt::mls_decode(&mut entry.as_slice()) else { continue };
        let signed = receipt.to_bytes().unwrap();
        let name = format!("handshake {} of {}", receipt.tbs.seq, receipt.tbs.group);
        wanted.push((format!("receipt of {name}"), signed[signed.len() - 24..].to_vec()));
        if entry.len() > signed.len() + 100 {
            let end = entry.len();
            wanted.push((format!("membership tag of {name}"), entry[end - 24..].to_vec()));
            wanted
                .push((format!("confirmation tag of {name}"), entry[end - 60..end - 36].to_vec()));
        }
    }
    Ok(wanted)
}

/// The names of the fields in the content of each event of a kind of ours.
fn fields(events: &[Value], kind: &str) -> Vec<Vec<String>> {
    let ours = events.iter().filter(|event| event["type"] == kind);
    let names = |event: &Value| event["content"].as_object().unwrap().keys().cloned().collect();
    ours.map(names).collect()
}

#[test]
fn no_server_holds_a_handshake_or_says_who_commits() -> Result<(), RigError> {
    shared(|rig| {
        let (alice, bob) = rig.pair("alice", "bob")?;
        let group = Group::form(&alice, &[&bob])?;
        for bot in [&alice, &bob] {
            bot.command(json!({"command": "rotate", "group": group.id}))?;
        }
        group.say(&alice, &[&bob], "after handshakes of both")?;
        group.say(&bob, &[&alice], "and of both read")?;
        let wanted = handshakes(rig)?;
        assert!(wanted.len() > 10, "only {} pieces of handshakes", wanted.len());
        let found = search_bytes(&[rig.synapse.folder(), rig.prosody.folder()], &wanted)?;
        assert!(found.hits.is_empty(), "{:#?}", found.hits);
        let own = search_bytes(&[rig.bridge.folder()], &wanted)?;
        assert!(!own.hits.is_empty(), "the search is blind itself");
        let events = values_of(rig.synapse.folder(), "event_json")?;
        let events: Vec<Value> =
            events.iter().filter_map(|json| serde_json::from_slice(json).ok()).collect();
        for (kind, shown) in [
            ("dev.mls_bridge.handshake", &[&["epoch", "group", "sealed", "seq", "v"][..]][..]),
            ("dev.mls_bridge.request", &[&["id", "sealed", "v"], &["hub_info", "id", "v"]]),
            ("dev.mls_bridge.answer", &[&["id", "sealed", "v"], &["id", "ok", "v"]]),
        ] {
            let found = fields(&events, kind);
            assert!(!found.is_empty(), "no {kind} at all");
            for names in found {
                assert!(shown.iter().any(|shown| names == *shown), "{kind} shows {names:?}");
            }
        }
        Ok(())
    })
}
