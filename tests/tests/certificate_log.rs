//! Devices follow their authority's log of certificates on the real servers.

use std::cell::RefCell;

use serde_json::{Value, json};
use tests::bot::Bot;
use tests::deadline;
use tests::error::RigError;
use tests::group::Group;
use tests::rig::shared;

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
