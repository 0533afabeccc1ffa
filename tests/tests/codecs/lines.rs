//! Lines of JSON that people and programs write to `mls-bot` (docs/bot.md).

use bot::json::{JsonRequest, Wish};
use mls_core::content::{self, Content};
use mls_core::member::{Command, MembersCommand};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::json::any_json;
use crate::requests::id;
use crate::values::{group, text, user};

const SALT: [u8; 16] = [7; 16];

fn any_line() -> impl Strategy<Value = String> {
    let command = "create|invite|remove|send|leave|rotate|groups|settings|hold_psk|use_psk\
                   |use_past_epoch|propose|join|reinit|identity_create|identity_sign|identity_accept|verify";
    let field = "id|group|users|text|name|networks|suite|psk|secret|anyway|epoch|proposal|room\
                 |admins_add|members_may_add|open_join|join_psk|user|digits|scanned|forget|request|statement";
    let fields = btree_map(field, any_json(), 0..6);
    let line = (command, fields).prop_map(|(command, mut fields)| {
        fields.insert("command".to_owned(), Value::from(command));
        fields.entry("id".to_owned()).or_insert(Value::from("1"));
        Value::Object(fields.into_iter().collect()).to_string()
    });
    prop_oneof![4 => line, 1 => any::<String>()]
}

proptest! {
    #[test]
    fn what_a_line_wants_said_is_in_the_content(id in id(), group in group(), text in text()) {
        let line = json!({
            "id": id, "command": "send", "group": group.to_hex(), "text": text,
        });
        let read = JsonRequest::read(&line.to_string(), SALT).unwrap();
        let Wish::Command(Command::Send(send)) = read.wish else {
            return Err(TestCaseError::fail("another wish was read"));
        };
        prop_assert_eq!((read.id, send.group), (id, group));
        prop_assert_eq!(content::decode(&send.content), Ok(Content::Text(text)));
    }

    #[test]
    fn users_are_read_in_the_form_in_which_events_show_them(
        id in id(), group in group(), users in vec(user(), 1..4)
    ) {
        let shown: Vec<&str> = users.iter().map(|user| user.as_str()).collect();
        let line = json!({
            "id": id, "command": "invite", "group": group.to_hex(), "users": shown,
        });
        let wish = JsonRequest::read(&line.to_string(), SALT).unwrap().wish;
        let expected = Command::Invite(MembersCommand { group, users });
        prop_assert_eq!(wish, Wish::Command(expected));
    }

    #[test]
    fn no_line_makes_the_reader_panic(line in any_line()) {
        let _ = JsonRequest::read(&line, SALT);
    }
}
