//! A bit that flips on the way to the hub, or back, is noticed, and no group stalls.

use serde_json::json;
use tests::bot::{Account, Bot};
use tests::error::RigError;
use tests::group::Group;
use tests::rig::{Rig, shared};
use tests::tamper::{Proxy, Rule, Way};

/// The account, reached through a proxy in front of its server.
fn behind(proxy: &Proxy, account: &Account, server: u16) -> Account {
    let (server, proxy) = (format!(":{server}"), format!(":{}", proxy.port));
    let login = account.login.iter().map(|word| word.replace(&server, &proxy)).collect();
    Account { login, ..account.clone() }
}

fn matrix_bot_behind(rig: &Rig, name: &str) -> Result<(Bot, Proxy), RigError> {
    let proxy = Proxy::start(rig.synapse.port)?;
    let account = behind(&proxy, &rig.matrix_user(name)?, rig.synapse.port);
    Ok((rig.device(&account, "behind")?, proxy))
}

fn xmpp_bot_behind(rig: &Rig, name: &str) -> Result<(Bot, Proxy), RigError> {
    let proxy = Proxy::start(rig.prosody.ports.client)?;
    let account = behind(&proxy, &rig.xmpp_user(name)?, rig.prosody.ports.client);
    Ok((rig.device(&account, "behind")?, proxy))
}

/// For each of `fields`, `committer` invites somebody while that field of its submission is
/// changed on the way; whatever comes of that, the group then goes on, and the next try succeeds.
fn no_changed_submission_counts(
    rig: &Rig,
    committer: &Bot,
    witness: &Bot,
    proxy: &Proxy,
    fields: &[Vec<String>],
) -> Result<(), RigError> {
    let group = Group::form(committer, &[witness])?;
    let mut all = vec![committer, witness];
    let guests: Vec<Bot> =
        fields.iter().map(|_| rig.xmpp_bot("guest")).collect::<Result<_, _>>()?;
    for (number, (needles, guest)) in fields.iter().zip(&guests).enumerate() {
        proxy.change_once(Rule { way: Way::Up, needles: needles.clone() });
        let users = [&guest.account.address];
        let invite = json!({"command": "invite", "group": group.id, "users": users});
        let first = committer.command(invite);
        assert_eq!(proxy.changed(), number + 1, "nothing was changed at {needles:?}");
        witness.command(json!({"command": "rotate", "group": group.id}))?;
        if first.is_err() {
            group.invite(committer, &[guest])?;
        }
        all.push(guest);
        group.converge_to(&all, all.len())?;
        group.say(guest, &all, &format!("in, though {} was changed", needles.join(" ")))?;
    }
    group.assert_one_winner_an_epoch(&all).map(drop)
}

#[test]
fn no_changed_submission_from_matrix_counts_and_the_group_goes_on() -> Result<(), RigError> {
    shared(|rig| {
        let (alice, proxy) = matrix_bot_behind(rig, "alice")?;
        let bob = rig.xmpp_bot("bob")?;
        let fields = ["commit", "group_info", "signature", "welcome"]
            .map(|field| vec!["\"submit_commit\"".to_owned(), format!("\"{field}\":\"")]);
        no_changed_submission_counts(rig, &alice, &bob, &proxy, &fields)
    })
}

#[test]
fn no_changed_submission_from_xmpp_counts_and_the_group_goes_on() -> Result<(), RigError> {
    shared(|rig| {
        let (bob, proxy) = xmpp_bot_behind(rig, "bob")?;
        let alice = rig.matrix_bot("alice")?;
        let fields = ["commit", "group-info", "signature", "welcome"]
            .map(|field| ["<submit-commit", &format!("<{field}"), ">"].map(str::to_owned).to_vec());
        no_changed_submission_counts(rig, &bob, &alice, &proxy, &fields)
    })
}

/// A handshake comes changed to `reader`; after the next one it agrees with all others again.
fn a_changed_handshake_is_fetched_again(
    reader: &Bot,
    other: &Bot,
    proxy: &Proxy,
    fields: &[Vec<String>],
) -> Result<(), RigError> {
    let group = Group::form(other, &[reader])?;
    for (number, needles) in fields.iter().enumerate() {
        proxy.change_once(Rule { way: Way::Down, needles: needles.clone() });
        for _ in 0..2 {
            other.command(json!({"command": "rotate", "group": group.id}))?;
        }
        group.converge_to(&[reader, other], 2)?;
        assert_eq!(proxy.changed(), number + 1, "nothing was changed at {needles:?}");
        group.say(
            reader,
            &[other],
            &format!("read on, though {} came changed", needles.join(" ")),
        )?;
    }
    group.assert_one_winner_an_epoch(&[reader, other]).map(drop)
}

#[test]
fn a_handshake_changed_on_the_way_to_a_matrix_member_is_fetched_again() -> Result<(), RigError> {
    shared(|rig| {
        let (alice, proxy) = matrix_bot_behind(rig, "alice")?;
        let bob = rig.xmpp_bot("bob")?;
        let fields = ["message", "receipt"].map(|field| vec![format!("\"{field}\":\"")]);
        a_changed_handshake_is_fetched_again(&alice, &bob, &proxy, &fields)
    })
}

#[test]
fn a_handshake_changed_on_the_way_to_an_xmpp_member_is_fetched_again() -> Result<(), RigError> {
    shared(|rig| {
        let (bob, proxy) = xmpp_bot_behind(rig, "bob")?;
        let alice = rig.matrix_bot("alice")?;
        let fields = ["message", "receipt"]
            .map(|field| ["<handshake", &format!("<{field}"), ">"].map(str::to_owned).to_vec());
        a_changed_handshake_is_fetched_again(&bob, &alice, &proxy, &fields)
    })
}
