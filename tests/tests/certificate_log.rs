//! Devices follow their authority's log of certificates on the real servers.

use std::cell::RefCell;
use std::fs;
use std::path::Path;
use std::process::Command;

use mls_core::identity::readable_fingerprint;
use serde_json::{Value, json};
use tests::bot::Bot;
use tests::deadline;
use tests::error::RigError;
use tests::group::Group;
use tests::rig::{Options, Rig, own, shared};

/// The answer to `certificates`, once it is as wanted.
fn certificates(bot: &Bot, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value, RigError> {
    let last = RefCell::new(Value::Null);
    let look = || {
        let answer = bot.command(json!({"command": "certificates"}))?;
        *last.borrow_mut() = answer.clone();
        Ok(wanted(&answer).then_some(answer))
    };
    deadline::until(what, deadline::STEP, look, || last.borrow().to_string())
}

fn asked<'a>(answer: &'a Value, who: &str) -> Vec<&'a Value> {
    let entries = answer["entries"].as_array().into_iter().flatten();
    entries.filter(|entry| entry["asked"] == who).collect()
}

#[test]
fn everybody_finds_in_the_log_what_was_certified_in_their_name() -> Result<(), RigError> {
    shared(|rig| {
        let (alice, bob) = rig.pair("loggedalice", "loggedbob")?;
        let group = Group::form(&alice, &[&bob])?;
        for bot in [&alice, &bob] {
            let seen = certificates(bot, "its own certificates in the log", |answer| {
                answer["log"]["read"].as_u64() > Some(0) && !asked(answer, "here").is_empty()
            })?;
            assert_eq!(seen["log"]["forked"], false);
            assert_eq!(seen["log"]["read"], seen["log"]["size"], "all was looked through");
            assert!(asked(&seen, "nowhere").is_empty(), "{seen}");
        }
        let phone = rig.device(&alice.account, "phone")?;
        group.invite(&alice, &[&phone])?;
        let seen = certificates(&phone, "the new device's own certificate", |answer| {
            !asked(answer, "here").is_empty() && !asked(answer, "before").is_empty()
        })?;
        let before = asked(&seen, "before");
        assert!(before.iter().all(|entry| entry["client"] != asked(&seen, "here")[0]["client"]));
        group.say(&phone, &[&alice, &bob], "certified, and in the log for all to see")
    })
}

/// Copies a stopped bridge's database, with the files beside it.
fn copy_database(from: &Path, to: &Path) -> Result<(), RigError> {
    fs::create_dir_all(to).map_err(RigError::file("make", to))?;
    for name in ["mls-bridge.db", "mls-bridge.db-wal", "mls-bridge.db-shm"] {
        let (from, to) = (from.join(name), to.join(name));
        let _there_may_be_none = fs::remove_file(&to);
        if from.exists() {
            fs::copy(&from, &to).map_err(RigError::file("copy", &from))?;
        }
    }
    Ok(())
}

#[test]
fn a_hub_that_shows_two_versions_of_its_log_is_found_out_on_both_networks() -> Result<(), RigError>
{
    own(Options::default(), |rig| {
        let (alice, bob) = rig.pair("toldalice", "toldbob")?;
        let both = [&alice, &bob];
        let (bridge, copy) = (rig.bridge.folder().to_owned(), rig.keeper().folder().join("copy"));
        rig.bridge.stop()?;
        copy_database(&bridge, &copy)?;
        rig.bridge.start()?;
        // One more certificate than in the copy, which both see in the log.
        let carol = rig.xmpp_bot("toldcarol")?;
        let with_hers = certificates(&carol, "Carol's certificate in the log", |answer| {
            !asked(answer, "here").is_empty()
        })?;
        let with_hers = with_hers["log"]["size"].as_u64();
        for bot in both {
            certificates(bot, "the log with Carol's certificate", |answer| {
                answer["log"]["size"].as_u64() >= with_hers
            })?;
        }
        carol.quit()?;
        // The hub forgets it, and certifies somebody else in its place.
        rig.bridge.stop()?;
        copy_database(&copy, &bridge)?;
        rig.bridge.start()?;
        let _dave = rig.xmpp_bot("tolddave")?;
        for bot in both {
            let seen = certificates(bot, "a log that has forked", |answer| {
                answer["log"]["forked"] == true
            })?;
            assert!(seen["log"]["size"].as_u64() >= with_hers, "the first is kept: {seen}");
            bot.wait_for("the alarm", |event| event["event"] == "log_forked")?;
            a_third_person_is_convinced(rig, bot, &seen["log"]["forks"][0])?;
            goes_on_by_a_persons_word(bot, &seen["log"]["forks"][0]["second"])?;
        }
        let group = Group::form(&alice, &[&bob])?;
        group.say(&alice, &[&bob], "the log went astray, and we go on")
    })
}

/// What one of them has in hand is checked by the program alone, without a profile.
fn a_third_person_is_convinced(rig: &Rig, bot: &Bot, fork: &Value) -> Result<(), RigError> {
    let file = rig.keeper().folder().join(format!("evidence of {}", bot.account.address));
    fs::write(&file, fork["evidence"].as_str().unwrap_or_default())
        .map_err(RigError::file("write", &file))?;
    let check = |file: &Path| {
        let output =
            Command::new(bot.program()).args(["certificates", "--check"]).arg(file).output();
        output.map_err(RigError::io("cannot start mls-bot"))
    };
    let checked = check(&file)?;
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(checked.status.success() && said.contains("the evidence holds"), "{checked:?}");
    let authorities = bot.command(json!({"command": "authorities"}))?;
    let root = authorities.pointer("/authorities/0/known/0/fingerprint").and_then(Value::as_str);
    let shown = readable_fingerprint(root.unwrap_or_default());
    assert!(said.contains(&shown), "{said} does not name the root {shown}");
    let line = fork["evidence"].as_str().unwrap_or_default();
    fs::write(&file, &line[..line.len() - 8]).map_err(RigError::file("write", &file))?;
    assert!(!check(&file)?.status.success(), "what was cut convinces");
    Ok(())
}

/// The log that came is followed from then on, and read to its end.
fn goes_on_by_a_persons_word(bot: &Bot, second: &Value) -> Result<(), RigError> {
    bot.command(json!({"command": "accept_log", "root": second["root"]}))?;
    bot.wait_for("a loud word", |event| {
        event["event"] == "warning"
            && event["text"].as_str().is_some_and(|text| text.contains("BY A PERSON'S WORD"))
    })?;
    let followed = certificates(bot, "the log that came, read to its end", |answer| {
        let log = &answer["log"];
        log["forked"] == false && log["read"] == log["size"] && !asked(answer, "here").is_empty()
    })?;
    let accepted = followed.pointer("/log/forks/0/accepted");
    assert!(accepted.is_some_and(Value::is_u64), "both heads are kept: {followed}");
    Ok(())
}
