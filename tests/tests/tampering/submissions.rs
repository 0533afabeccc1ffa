//! Requests that are changed on the way to the hub, and answers on the way back.

use serde_json::json;
use tests::bot::Bot;
use tests::deadline::{STEP, until};
use tests::error::RigError;
use tests::group::Group;
use tests::rig::shared;
use tests::tamper::{Aim, Proxy, Rule, Way};

use crate::{matrix_bot_behind, xmpp_bot_behind};

/// While something sealed is changed on its way, the hub does not open it, or the member does not;
/// the request is put again by itself, and the commit counts once.
fn what_is_changed_is_asked_again(
    committer: &Bot,
    witness: &Bot,
    proxy: &Proxy,
    places: &[(Way, Vec<String>, Aim)],
) -> Result<(), RigError> {
    let group = Group::form(committer, &[witness])?;
    let all = [committer, witness];
    for (number, (way, needles, aim)) in places.iter().enumerate() {
        group.converge(&all)?;
        proxy.change_once(Rule { way: *way, needles: needles.clone(), aim: *aim });
        committer.command(json!({"command": "rotate", "group": group.id}))?;
        let changed = || Ok((proxy.changed() > number).then_some(()));
        until(&format!("something is changed at {needles:?}"), STEP, changed, String::new)?;
        for (from, to) in [(committer, witness), (witness, committer)] {
            group.say(from, &[to], &format!("{} goes on after {number}", from.name))?;
        }
    }
    group.assert_one_winner_an_epoch(&all).map(drop)
}

#[test]
fn what_is_changed_on_the_way_of_a_matrix_member_is_asked_again() -> Result<(), RigError> {
    shared(|rig| {
        let (alice, proxy) = matrix_bot_behind(rig, "alice")?;
        let bob = rig.xmpp_bot("bob")?;
        let request = |field: &str| vec!["\"sealed\"".to_owned(), format!("\"{field}\":\"")];
        let places = [
            (Way::Up, request("kem_output"), Aim::FromStart(20)),
            (Way::Up, request("ciphertext"), Aim::SOMEWHERE),
            (Way::Up, request("ciphertext"), Aim::FromEnd(8)),
        ];
        what_is_changed_is_asked_again(&alice, &bob, &proxy, &places)
    })
}

#[test]
fn what_is_changed_on_the_way_of_an_xmpp_member_is_asked_again() -> Result<(), RigError> {
    shared(|rig| {
        let (bob, proxy) = xmpp_bot_behind(rig, "bob")?;
        let alice = rig.matrix_bot("alice")?;
        let request = |field: &str| ["<sealed", &format!("<{field}"), ">"].map(str::to_owned);
        let answer = ["type='result'", "<sealed", ">"].map(str::to_owned);
        let places = [
            (Way::Up, request("kem-output").to_vec(), Aim::FromStart(20)),
            (Way::Up, request("ciphertext").to_vec(), Aim::SOMEWHERE),
            (Way::Up, request("ciphertext").to_vec(), Aim::FromEnd(8)),
            (Way::Down, answer.to_vec(), Aim::SOMEWHERE),
        ];
        what_is_changed_is_asked_again(&bob, &alice, &proxy, &places)
    })
}
