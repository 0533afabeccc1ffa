//! Two domains on real servers: two homeservers that speak to each other, two hosts of one XMPP server, two bridges.

#![expect(clippy::indexing_slicing, reason = "a test fails by a panic")]

use std::fs;

use serde_json::{Value, json};
use tests::bot::Bot;
use tests::deadline::{STEP, until};
use tests::elsewhere::Elsewhere;
use tests::error::RigError;
use tests::group::Group;
use tests::matrix_session::MatrixSession;
use tests::rig::{Options, Rig, own};

/// Runs a flow on a rig of its own that has another domain.
fn two_domains(
    flow: impl FnOnce(&Rig, &Elsewhere) -> Result<(), RigError>,
) -> Result<(), RigError> {
    own(Options { other_domain: true, ..Options::default() }, |rig| match &rig.elsewhere {
        Some(elsewhere) => flow(rig, elsewhere),
        None => Err(RigError::Answer("there is no other domain".to_owned())),
    })
}

/// What a bot knows of a domain.
fn known(bot: &Bot, domain: &str) -> Result<Value, RigError> {
    let answer = bot.command(json!({"command": "authorities"}))?;
    let all = answer["authorities"].as_array().cloned().unwrap_or_default();
    Ok(all.into_iter().find(|one| one["domain"] == domain).unwrap_or_default())
}

/// A fingerprint as people see it.
fn readable(fingerprint: &Value) -> String {
    let digits = fingerprint.as_str().unwrap_or_default().as_bytes();
    let groups = digits.get(..32).unwrap_or_default().chunks(4);
    groups.map(String::from_utf8_lossy).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_authorities_of_another_domain_are_asked_of_its_own_hub() -> Result<(), RigError> {
    two_domains(|rig, elsewhere| {
        let (alice, bob) = rig.pair("alice", "bob")?;
        let domain = elsewhere.domain();
        let log = elsewhere.bridge.log();
        let operator = fs::read_to_string(&log).map_err(RigError::file("read", &log))?;
        let session = MatrixSession::login(rig.synapse.port, &alice.account)?;
        let rooms = session.joined_rooms()?;
        for (bot, domain, hub) in
            [(&alice, &domain.matrix, domain.hub_matrix()), (&bob, &domain.xmpp, domain.hub_xmpp())]
        {
            assert_eq!(known(bot, domain)?, Value::Null);
            bot.command(json!({"command": "ask_authorities", "domain": domain, "hub": hub}))?;
            let pinned = known(bot, domain)?;
            assert_eq!((&pinned["source"], &pinned["offered"]), (&json!("hub"), &json!([])));
            let shown = readable(&pinned["known"][0]["fingerprint"]);
            assert!(
                operator.contains(&shown),
                "{shown} is not what its operator shows: {operator}"
            );
        }
        let left = || Ok((session.joined_rooms()? == rooms).then_some(()));
        until("the room with the other hub is left", STEP, left, String::new)
    })
}

#[test]
fn who_is_of_another_domain_takes_part_in_a_group_as_its_policy_says() -> Result<(), RigError> {
    two_domains(|rig, elsewhere| {
        let (alice, bob) = rig.pair("alice", "bob")?;
        // Carol goes by Alice's hub, which certifies nobody of her domain.
        let account = elsewhere.matrix_user("carol", &rig.synapse.domain.hub_matrix())?;
        let carol = rig.device(&account, "carol")?;
        let group = Group::form(&alice, &[&bob, &carol])?;
        group.converge_to(&[&alice, &bob, &carol], 3)?;
        group.say(&carol, &[&alice, &bob], "from another homeserver")?;
        group.say(&bob, &[&alice, &carol], "from another network")?;
        let leaf = group.leaf(&alice, &carol)?;
        assert!(leaf["certified_until"].is_null(), "{leaf}");
        let strict = json!({"command": "settings", "group": group.id, "basic_allowed": false});
        let refused = |said: Result<Value, RigError>| {
            said.is_err_and(|why| why.to_string().contains("certificate"))
        };
        assert!(refused(alice.command(strict.clone())), "with a member who has no certificate");
        group.remove(&alice, &[&carol])?;
        group.wait_removed(&carol)?;
        alice.command(strict)?;
        let invite = json!({"command": "invite", "group": group.id, "users": [account.address]});
        assert!(refused(alice.command(invite)), "into a group that takes certified leaves only");
        group.converge_to(&[&alice, &bob], 2)?;
        group.say(&alice, &[&bob], "certified only")
    })
}

#[test]
fn who_is_certified_by_another_domain_takes_part_where_the_group_names_its_authority()
-> Result<(), RigError> {
    two_domains(|rig, elsewhere| {
        let (alice, bob) = rig.pair("alice", "bob")?;
        let hub = rig.synapse.domain.hub_matrix();
        let account = elsewhere.certified_matrix_user("carol", &hub)?;
        let carol = rig.device(&account, "carol")?;
        let domain = elsewhere.domain();
        let ask = json!({
            "command": "ask_authorities", "domain": domain.matrix, "hub": domain.hub_matrix(),
        });
        alice.command(ask)?;
        let named = known(&alice, &domain.matrix)?["known"][0]["certificate"].clone();
        let group = Group::form(&alice, &[&bob])?;
        alice.command(json!({
            "command": "settings", "group": group.id, "basic_allowed": false,
            "anchors_add": [{"domain": domain.matrix, "certificate": named}],
        }))?;
        group.invite(&alice, &[&carol])?;
        group.converge_to(&[&alice, &bob, &carol], 3)?;
        for (seen_by, of) in [(&alice, &carol), (&bob, &carol), (&carol, &alice)] {
            let leaf = group.leaf(seen_by, of)?;
            assert!(leaf["certified_until"].is_u64(), "{leaf}");
        }
        group.say(&carol, &[&alice, &bob], "my papers are from home")?;
        group.say(&bob, &[&alice, &carol], "papers from home are good here")
    })
}
