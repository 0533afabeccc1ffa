//! Submissions that are changed on the way to the hub.

use serde_json::{Value, json};
use tests::bot::Bot;
use tests::error::RigError;
use tests::group::Group;
use tests::rig::{Rig, shared};
use tests::tamper::{Aim, Proxy, Rule, Way};

use crate::{matrix_bot_behind, secrets, xmpp_bot_behind};

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
        proxy.change_once(Rule { way: Way::Up, needles: needles.clone(), aim: Aim::SOMEWHERE });
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

/// While the submission of a commit is changed on the way at each place of `fields`, the hub
/// refuses it, for the submission's signature covers all of it; then the same command succeeds.
fn no_changed_tag_counts(
    committer: &Bot,
    witness: &Bot,
    proxy: &Proxy,
    command: impl Fn(&str) -> Value,
    fields: &[(Vec<String>, Aim)],
) -> Result<(), RigError> {
    let group = Group::form(committer, &[witness])?;
    let all = [committer, witness];
    for (needles, aim) in fields {
        let (before, changed) = (group.converge(&all)?, proxy.changed());
        proxy.change_once(Rule { way: Way::Up, needles: needles.clone(), aim: *aim });
        let refused = committer.command(command(&group.id));
        let Err(RigError::Refused { why, .. }) = refused else {
            return Err(RigError::Answer(format!("with {needles:?} hit at {aim:?}: {refused:?}")));
        };
        assert!(why.contains("not allowed: the submission is not signed"), "{aim:?}: {why}");
        assert_eq!(proxy.changed(), changed + 1, "nothing was changed at {aim:?}");
        assert_eq!(group.converge(&all)?, before, "a commit changed at {aim:?} counted");
        for (from, to) in [(committer, witness), (witness, committer)] {
            group.say(from, &[to], &format!("{} goes on after {aim:?}", from.name))?;
        }
    }
    committer.command(command(&group.id))?;
    witness.command(json!({"command": "rotate", "group": group.id}))?;
    group.say(witness, &[committer], "and now it counts")?;
    group.assert_one_winner_an_epoch(&all).map(drop)
}

/// Where the tags of a commit are, and the signature of the GroupInfo that comes with it.
fn tags(commit: &[String], group_info: &[String]) -> Vec<(Vec<String>, Aim)> {
    [Aim::COMMIT_SIGNATURE, Aim::CONFIRMATION_TAG, Aim::MEMBERSHIP_TAG]
        .map(|aim| (commit.to_vec(), aim))
        .into_iter()
        .chain([(group_info.to_vec(), Aim::GROUP_INFO_SIGNATURE)])
        .collect()
}

fn rotate(group: &str) -> Value {
    json!({"command": "rotate", "group": group})
}

fn in_json(field: &str) -> Vec<String> {
    vec!["\"submit_commit\"".to_owned(), format!("\"{field}\":\"")]
}

fn in_xml(field: &str) -> Vec<String> {
    ["<submit-commit", &format!("<{field}"), ">"].map(str::to_owned).to_vec()
}

#[test]
fn a_bit_flipped_in_each_tag_of_a_commit_from_matrix_is_refused() -> Result<(), RigError> {
    shared(|rig| {
        let (alice, proxy) = matrix_bot_behind(rig, "alice")?;
        let bob = rig.xmpp_bot("bob")?;
        let fields = tags(&in_json("commit"), &in_json("group_info"));
        no_changed_tag_counts(&alice, &bob, &proxy, rotate, &fields)
    })
}

#[test]
fn a_bit_flipped_in_each_tag_of_a_commit_from_xmpp_is_refused() -> Result<(), RigError> {
    shared(|rig| {
        let (bob, proxy) = xmpp_bot_behind(rig, "bob")?;
        let alice = rig.matrix_bot("alice")?;
        let fields = tags(&in_xml("commit"), &in_xml("group-info"));
        no_changed_tag_counts(&bob, &alice, &proxy, rotate, &fields)
    })
}

#[test]
fn a_bit_flipped_in_the_secrets_of_a_welcome_from_matrix_is_refused() -> Result<(), RigError> {
    shared(|rig| {
        let (alice, proxy) = matrix_bot_behind(rig, "alice")?;
        let (bob, carol) = (rig.xmpp_bot("bob")?, rig.matrix_bot("carol")?);
        let users = [&carol.account.address];
        let invite = |group: &str| json!({"command": "invite", "group": group, "users": users});
        no_changed_tag_counts(&alice, &bob, &proxy, invite, &secrets(&in_json("welcome")))
    })
}

#[test]
fn a_bit_flipped_in_the_secrets_of_a_welcome_from_xmpp_is_refused() -> Result<(), RigError> {
    shared(|rig| {
        let (bob, proxy) = xmpp_bot_behind(rig, "bob")?;
        let (alice, carol) = (rig.matrix_bot("alice")?, rig.xmpp_bot("carol")?);
        let users = [&carol.account.address];
        let invite = |group: &str| json!({"command": "invite", "group": group, "users": users});
        no_changed_tag_counts(&bob, &alice, &proxy, invite, &secrets(&in_xml("welcome")))
    })
}
