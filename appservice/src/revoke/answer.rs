//! What an order changed, for people and for programs.

use std::fmt::Display;

use mls_core::hub::{OperatorAnswer, OperatorOrder, OrderDone, RevokedBy, RevokedEntry, Whom};
use mls_core::limits::REVOKED_LISTED_MAX;
use serde_json::{Value, json};

use crate::authority::date;

const NOT_RUNNING: &str = "mls-bridge does not run: members hear of it when it is started.";
const HOW_BACK: &str = "What was certified before stays revoked: the device asks for another certificate every 6 \
                        hours and whenever it starts. Into groups that have removed it somebody has to invite it.";

/// What is printed of an answer that is no refusal; `runs`: a running server gave it.
pub(super) fn show(
    order: &OperatorOrder,
    answer: &OperatorAnswer,
    runs: bool,
    json: bool,
) -> String {
    match answer {
        OperatorAnswer::Listed(entries) if json => entries.iter().map(line_of).map(line).collect(),
        OperatorAnswer::Listed(entries) => list(entries),
        OperatorAnswer::Done(done) if json => line(json!({
            "devices": done.devices.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "groups": done.groups,
            "running": runs,
        })),
        OperatorAnswer::Done(done) => told(order, done, runs),
        OperatorAnswer::Refused(why) => line(why),
    }
}

fn told(order: &OperatorOrder, done: &OrderDone, runs: bool) -> String {
    let OrderDone { devices, groups } = done;
    let mut text: String = devices.iter().map(line).collect();
    let said = match order {
        OperatorOrder::Revoke(Whom::Client(_)) if devices.is_empty() => {
            line("It was revoked already.")
        }
        OperatorOrder::Revoke(Whom::Client(_)) => {
            line(format!("It is revoked; its removal is proposed in {groups} groups."))
        }
        OperatorOrder::Revoke(Whom::User(_)) => line(format!(
            "The account is revoked, with all devices that it gets until `revoke --undo`. Of those that it \
             has, {} were not revoked before; their removal is proposed in {groups} groups.",
            devices.len()
        )),
        OperatorOrder::LookAt(_) => line(
            "The homeserver is asked. What is gone is revoked in a few minutes: see `revoke --list`.",
        ),
        OperatorOrder::Undo(_) | OperatorOrder::List => {
            line(format!("It may ask again. {HOW_BACK}"))
        }
    };
    text.push_str(&said);
    if !runs {
        text.push_str(&line(NOT_RUNNING));
    }
    text
}

fn list(entries: &[RevokedEntry]) -> String {
    let mut text: String = entries.iter().map(|entry| line(sentence(entry))).collect();
    if entries.is_empty() {
        text.push_str(&line("Nobody is revoked."));
    } else if entries.len() >= REVOKED_LISTED_MAX {
        text.push_str(&line(format!("These are the first {REVOKED_LISTED_MAX}.")));
    }
    text
}

fn sentence(entry: &RevokedEntry) -> String {
    let by = match &entry.by {
        RevokedBy::Device(device) => format!("by its user, from {device}"),
        RevokedBy::Operator => "by the administrator".to_owned(),
        RevokedBy::OperatorOfUser => "with its account".to_owned(),
        RevokedBy::Gone => "because the homeserver does not list it any more".to_owned(),
    };
    format!("{}  since {}, {by}", name(&entry.whom), date(entry.at_ms))
}

fn line_of(entry: &RevokedEntry) -> Value {
    let (by, device) = match &entry.by {
        RevokedBy::Device(device) => ("user", Some(device.to_string())),
        RevokedBy::Operator => ("administrator", None),
        RevokedBy::OperatorOfUser => ("account", None),
        RevokedBy::Gone => ("gone", None),
    };
    let mut value = json!({ "by": by, "since_ms": entry.at_ms });
    if let Value::Object(fields) = &mut value {
        let kind = if matches!(entry.whom, Whom::Client(_)) { "client" } else { "user" };
        fields.insert(kind.to_owned(), name(&entry.whom).into());
        fields.extend(device.map(|device| ("device".to_owned(), device.into())));
    }
    value
}

fn name(whom: &Whom) -> String {
    match whom {
        Whom::Client(client) => client.to_string(),
        Whom::User(user) => user.to_string(),
    }
}

fn line(text: impl Display) -> String {
    format!("{text}\n")
}

#[cfg(test)]
mod tests {
    use mls_core::address::UserId;

    use super::*;

    #[test]
    fn who_is_revoked_reads_alike_for_people_and_programs() {
        let user = UserId::xmpp("bob@example.net").unwrap();
        let [phone, laptop] =
            ["00000000000000b0", "00000000000000b1"].map(|device| user.device(device).unwrap());
        let entries = vec![
            RevokedEntry { whom: Whom::User(user), by: RevokedBy::Operator, at_ms: 0 },
            RevokedEntry { whom: Whom::Client(laptop), by: RevokedBy::Device(phone), at_ms: 1000 },
        ];
        let answer = OperatorAnswer::Listed(entries);
        assert_eq!(
            show(&OperatorOrder::List, &answer, true, false),
            "xmpp:bob@example.net  since 1970-01-01, by the administrator\n\
             xmpp:bob@example.net/00000000000000b1  since 1970-01-01, by its user, \
             from xmpp:bob@example.net/00000000000000b0\n"
        );
        let lines = show(&OperatorOrder::List, &answer, true, true);
        let lines: Vec<Value> =
            lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let bob = "xmpp:bob@example.net";
        assert_eq!(lines[0], json!({"user": bob, "by": "administrator", "since_ms": 0}));
        assert_eq!(lines[1]["client"], format!("{bob}/00000000000000b1"));
        assert_eq!(lines[1]["device"], format!("{bob}/00000000000000b0"));
    }
}
