//! Certificates of the authentication service, on real servers.

#![expect(clippy::indexing_slicing, reason = "a test fails by a panic")]

use mls_core::authority::Authority;
use mls_core::crypto::Crypto;
use serde_json::{Value, json};
use tests::bot::Bot;
use tests::error::RigError;
use tests::group::Group;
use tests::rig::shared;

fn is_certified(group: &Group, seen_by: &Bot, of: &Bot) -> Result<bool, RigError> {
    let leaf = group.leaf(seen_by, of)?;
    Ok(leaf.get("certified_until").is_some_and(Value::is_u64))
}

#[test]
fn devices_of_both_networks_are_certified_and_seen_so_by_the_other() -> Result<(), RigError> {
    shared(|rig| {
        let (alice, bob) = rig.pair("certalice", "certbob")?;
        let group = Group::form(&alice, &[&bob])?;
        group.converge_to(&[&alice, &bob], 2)?;
        for seen_by in [&alice, &bob] {
            for of in [&alice, &bob] {
                assert!(is_certified(&group, seen_by, of)?, "{} of {}", seen_by.name, of.name);
            }
        }
        group.say(&bob, &[&alice], "I am who I say I am")
    })
}

#[test]
fn a_fresh_key_in_a_group_is_certified_too_and_talk_goes_on() -> Result<(), RigError> {
    shared(|rig| {
        let (alice, bob) = rig.pair("freshalice", "freshbob")?;
        let group = Group::form(&alice, &[&bob])?;
        group.converge_to(&[&alice, &bob], 2)?;
        for (changes, other) in [(&alice, &bob), (&bob, &alice)] {
            let before = group.leaf(other, changes)?["signature_key"].clone();
            changes.command(json!({"command": "change_key", "group": group.id}))?;
            group.converge_to(&[&alice, &bob], 2)?;
            let after = group.leaf(other, changes)?["signature_key"].clone();
            assert_ne!(before, after, "{}", changes.name);
            assert!(is_certified(&group, other, changes)?, "{}", changes.name);
            group.say(
                changes,
                &[other],
                &format!("the same voice of {}, with another key", changes.name),
            )?;
        }
        Ok(())
    })
}

#[test]
fn who_renews_its_keys_everywhere_has_another_in_every_group_and_talk_goes_on()
-> Result<(), RigError> {
    shared(|rig| {
        let (alice, bob) = rig.pair("everyalice", "everybob")?;
        let groups = [Group::form(&alice, &[&bob])?, Group::form(&bob, &[&alice])?];
        for (renews, other) in [(&alice, &bob), (&bob, &alice)] {
            let keys = || {
                let leaves = groups.iter().map(|group| group.leaf(other, renews));
                let keys = leaves.map(|leaf| leaf.map(|leaf| leaf["signature_key"].clone()));
                keys.collect::<Result<Vec<_>, _>>()
            };
            let before = keys()?;
            renews.command(json!({"command": "rotate_everywhere"}))?;
            for group in &groups {
                group.converge_to(&[&alice, &bob], 2)?;
                assert!(is_certified(group, other, renews)?, "{}", renews.name);
            }
            for (before, after) in before.iter().zip(keys()?) {
                assert_ne!(*before, after, "{}", renews.name);
            }
            for (number, group) in groups.iter().enumerate() {
                let text = format!("{} with new keys in group {number}", renews.name);
                group.say(renews, &[other], &text)?;
            }
        }
        // Fresh key packages bring both into one more.
        let third = Group::form(&alice, &[&bob])?;
        third.say(&bob, &[&alice], "in by a fresh key package")
    })
}

#[test]
fn a_group_that_takes_only_certificates_takes_those_of_both_networks() -> Result<(), RigError> {
    shared(|rig| {
        let (alice, bob) = rig.pair("strictalice", "strictbob")?;
        let carol = rig.xmpp_bot("strictcarol")?;
        let group = Group::form(&alice, &[&bob])?;
        group.converge_to(&[&alice, &bob], 2)?;
        let settings = json!({"command": "settings", "group": group.id, "basic_allowed": false});
        alice.command(settings)?;
        group.invite(&alice, &[&carol])?;
        group.converge_to(&[&alice, &bob, &carol], 3)?;
        group.say(&carol, &[&alice, &bob], "my papers were in order")
    })
}

fn authority_of(bot: &Bot, domain: &str) -> Result<Value, RigError> {
    let answer = bot.command(json!({"command": "authorities"}))?;
    let mut all = answer["authorities"].as_array().into_iter().flatten();
    let found = all.find(|authority| authority["domain"] == domain).cloned();
    found.ok_or_else(|| RigError::Answer(format!("{domain} has no authority: {answer}")))
}

fn trust(bot: &Bot, domain: &str, certificates: &[Value]) -> Result<(), RigError> {
    let command = json!({"command": "trust", "domain": domain, "certificates": certificates});
    bot.command(command).map(drop)
}

#[test]
fn who_goes_by_another_authority_of_a_domain_sees_its_accounts_unvouched() -> Result<(), RigError> {
    shared(|rig| {
        let (alice, bob) = rig.pair("trustalice", "trustbob")?;
        let group = Group::form(&alice, &[&bob])?;
        group.converge_to(&[&alice, &bob], 2)?;
        let address = &bob.account.address;
        let domain = address.split_once('@').map_or(address.as_str(), |(_, domain)| domain);
        let known = authority_of(&alice, domain)?;
        assert_eq!(known["known"], authority_of(&bob, domain)?["known"], "both were told the same");
        assert_eq!(known["offered"], json!([]));

        let (stranger, _) = Authority::make(&Crypto::system(), "a stranger")
            .map_err(|e| RigError::Answer(e.to_string()))?;
        trust(&alice, domain, &[json!(hex::encode(stranger.anchor()))])?;
        assert_eq!(authority_of(&alice, domain)?["source"], "person");
        assert!(!is_certified(&group, &alice, &bob)?);
        assert!(is_certified(&group, &bob, &bob)?, "the others go by what they know");
        group.say(&bob, &[&alice], "who do you take me for?")?;

        trust(&alice, domain, &[known["known"][0]["certificate"].clone()])?;
        assert!(is_certified(&group, &alice, &bob)?);
        Ok(())
    })
}
