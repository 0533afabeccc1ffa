//! What is read: one object a line, with its kind under `command`.

use std::collections::BTreeSet;

use mls_core::address::Network;
use mls_core::content;
use mls_core::limits::{NAME_BYTES_MAX, USERS_PER_CLAIM_MAX};
use mls_core::member::{Command, CommandId, CreateGroupWith, MembersCommand, SendCommand};
use mls_core::wire::GroupId;
use mls_core::wire::create_room::CreateRoom;
use serde::Deserialize;
use serde_json::{Map, Value};
use thiserror::Error;

use super::group_request::{self, GroupRequest};
use super::identity_request::{self, IdentityJson};
use crate::branching;
use crate::identities::IdentityWish;
use crate::runner::OWN_COMMAND;
use crate::user;

/// The longest `id` of a command, in bytes.
const ID_BYTES_MAX: usize = 128;

/// One understood line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonRequest {
    /// Chosen by the caller; the answer carries it. The same id again is the same command.
    pub id: CommandId,
    /// What is wanted.
    pub wish: Wish,
}

/// What can be wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// A command of the member.
    Command(Command),
    /// The groups of this device.
    Groups,
    /// The authorities that this device goes by.
    Authorities,
    /// What the authority's log holds in this user's name.
    Certificates,
    /// Something about identity keys.
    Identity(IdentityWish),
    /// To end.
    Quit,
}

/// A line that is not taken; the caller's fault.
#[derive(Debug, Error)]
#[error("{mistake}")]
pub struct MalformedLine {
    /// The id of the command, which has failed; none where the line has none that can be used.
    pub id: Option<CommandId>,
    /// What is wrong.
    pub mistake: Mistake,
}

/// What is wrong with a line.
#[derive(Debug, Error)]
pub enum Mistake {
    /// A field does not say what it must.
    #[error("`{field}` must be {expected}")]
    Field {
        /// The field.
        field: &'static str,
        /// What it must be.
        expected: String,
    },
    /// Not JSON, a field that no command has, or one of another type.
    #[error("not a command: {0}")]
    Json(#[from] serde_json::Error),
    /// A field is missing.
    #[error("`{command}` needs `{field}`")]
    Needs {
        /// The command.
        command: String,
        /// The field.
        field: &'static str,
    },
    /// A field is there that this command does not take.
    #[error("`{command}` takes no `{field}`")]
    Takes {
        /// The command.
        command: String,
        /// The field.
        field: &'static str,
    },
    /// No such command.
    #[error("no command is named {0:?}")]
    Unknown(String),
}

/// Every field that any command has.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    id: String,
    command: String,
    name: Option<String>,
    networks: Option<Vec<String>>,
    group: Option<String>,
    users: Option<Vec<String>>,
    text: Option<String>,
    suite: Option<u16>,
}

impl JsonRequest {
    /// Reads one line. `salt` must be fresh and random (it goes into a message's content).
    pub fn read(line: &str, salt: [u8; content::SALT_BYTES]) -> Result<Self, MalformedLine> {
        if let Some(request) = group_request(line)? {
            return Ok(request);
        }
        let raw: Raw = serde_json::from_str(line)
            .map_err(|error| MalformedLine { id: id_of(line), mistake: error.into() })?;
        check_id(&raw.id).map_err(|mistake| MalformedLine { id: None, mistake })?;
        let id = raw.id.clone();
        match raw.into_wish(salt) {
            Ok(wish) => Ok(Self { id, wish }),
            Err(mistake) => Err(MalformedLine { id: Some(id), mistake }),
        }
    }
}

/// A line that is one of those in [`group_request`] or [`identity_request`]; nothing for another.
fn group_request(line: &str) -> Result<Option<JsonRequest>, MalformedLine> {
    let fields: Option<Map<String, Value>> = serde_json::from_str(line).ok();
    let named = fields.as_ref().and_then(|fields| fields.get("command")?.as_str());
    let is = |names: &[&str]| named.is_some_and(|name| names.contains(&name));
    let about_identity = is(&identity_request::NAMES);
    if !about_identity && !is(&group_request::NAMES) {
        return Ok(None);
    }
    let mistake = |mistake| MalformedLine { id: id_of(line), mistake };
    let wish = match about_identity {
        true => serde_json::from_str(line).and_then(IdentityJson::into_wish).map(Wish::Identity),
        false => serde_json::from_str(line)
            .map(|request: GroupRequest| Wish::Command(request.into_command())),
    };
    let wish = wish.map_err(|e| mistake(e.into()))?;
    let id = fields.as_ref().and_then(|fields| fields.get("id")?.as_str()).unwrap_or_default();
    check_id(id).map_err(|mistake| MalformedLine { id: None, mistake })?;
    Ok(Some(JsonRequest { id: id.to_owned(), wish }))
}

/// Whether this can be the id of a command.
fn check_id(id: &str) -> Result<(), Mistake> {
    let expected = if id.is_empty() || id.len() > ID_BYTES_MAX {
        format!("1 to {ID_BYTES_MAX} bytes long")
    } else if id.starts_with(OWN_COMMAND) {
        format!("without {OWN_COMMAND} at its beginning")
    } else {
        return Ok(());
    };
    Err(Mistake::Field { field: "id", expected })
}

/// The id of a line that is no command but has one.
fn id_of(line: &str) -> Option<CommandId> {
    let fields: Map<String, Value> = serde_json::from_str(line).ok()?;
    let id = fields.get("id")?.as_str()?;
    check_id(id).is_ok().then(|| id.to_owned())
}

impl Raw {
    fn into_wish(mut self, salt: [u8; content::SALT_BYTES]) -> Result<Wish, Mistake> {
        let wish = self.wish(salt)?;
        self.nothing_left()?;
        Ok(wish)
    }

    fn wish(&mut self, salt: [u8; content::SALT_BYTES]) -> Result<Wish, Mistake> {
        let command = match self.command.as_str() {
            "create" => self.create()?,
            "branch" => self.branch()?,
            "invite" => Command::Invite(self.members()?),
            "remove" => Command::Remove(self.members()?),
            "send" => self.send(salt)?,
            "leave" => Command::Leave(self.group()?),
            "rotate" => Command::Rotate(self.group()?),
            "change_key" => Command::ChangeKey(self.group()?),
            "rejoin" => Command::Rejoin(self.group()?),
            "rotate_everywhere" => Command::RotateEverywhere,
            "publish" => Command::PublishKeyPackages,
            "groups" => return Ok(Wish::Groups),
            "authorities" => return Ok(Wish::Authorities),
            "certificates" => return Ok(Wish::Certificates),
            "quit" => return Ok(Wish::Quit),
            other => return Err(Mistake::Unknown(other.chars().take(50).collect())),
        };
        Ok(Wish::Command(command))
    }

    fn branch(&mut self) -> Result<Command, Mistake> {
        let MembersCommand { group, users } = self.members()?;
        Ok(branching::branch(group, users, self.rooms()?))
    }

    fn create(&mut self) -> Result<Command, Mistake> {
        let rooms = self.rooms()?;
        Ok(match self.suite.take() {
            Some(suite) => Command::CreateGroupWith(CreateGroupWith { rooms, suite }),
            None => Command::CreateGroup(rooms),
        })
    }

    fn rooms(&mut self) -> Result<CreateRoom, Mistake> {
        let name = self.name.take();
        let name = name.ok_or_else(|| self.needs("name"))?;
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            return Err(Self::field("name", format!("1 to {NAME_BYTES_MAX} bytes long")));
        }
        let networks = self.networks.take();
        let networks: BTreeSet<String> =
            networks.ok_or_else(|| self.needs("networks"))?.into_iter().collect();
        let known = [Network::Matrix, Network::Xmpp].map(Network::name);
        if networks.is_empty() || !networks.iter().all(|name| known.contains(&name.as_str())) {
            return Err(Self::field(
                "networks",
                "a list of \"matrix\", \"xmpp\" or both".to_owned(),
            ));
        }
        let [matrix, xmpp] = known.map(|name| networks.contains(name));
        Ok(CreateRoom { matrix, xmpp, name })
    }

    fn members(&mut self) -> Result<MembersCommand, Mistake> {
        let group = self.group()?;
        let users = self.users.take();
        let users = users.ok_or_else(|| self.needs("users"))?;
        if users.is_empty() || users.len() > USERS_PER_CLAIM_MAX {
            return Err(Self::field(
                "users",
                format!("a list of 1 to {USERS_PER_CLAIM_MAX} users"),
            ));
        }
        let users = users.iter().map(|typed| user::from_human(typed)).collect::<Result<_, _>>();
        Ok(MembersCommand {
            group,
            users: users.map_err(|e| Self::field("users", e.expected.into()))?,
        })
    }

    fn send(&mut self, salt: [u8; content::SALT_BYTES]) -> Result<Command, Mistake> {
        let group = self.group()?;
        let text = self.text.take();
        let text = text.ok_or_else(|| self.needs("text"))?;
        let content = content::encode_text(&text, salt);
        let content = content.map_err(|e| Self::field("text", format!("shorter: {e}")))?;
        Ok(Command::Send(SendCommand { group, content }))
    }

    fn group(&mut self) -> Result<GroupId, Mistake> {
        let group = self.group.take();
        let group = group.ok_or_else(|| self.needs("group"))?;
        let bytes = hex::decode(&group).ok().filter(|b| !b.is_empty() && b.len() <= NAME_BYTES_MAX);
        bytes.map(GroupId).ok_or_else(|| Self::field("group", "a group id in hex".to_owned()))
    }

    /// What is left was not asked for, and is not ignored: a caller would think that it counts.
    fn nothing_left(&self) -> Result<(), Mistake> {
        let fields = [
            ("name", self.name.is_some()),
            ("networks", self.networks.is_some()),
            ("group", self.group.is_some()),
            ("users", self.users.is_some()),
            ("text", self.text.is_some()),
            ("suite", self.suite.is_some()),
        ];
        match fields.into_iter().find(|(_, there)| *there) {
            Some((field, _)) => Err(Mistake::Takes { command: self.command.clone(), field }),
            None => Ok(()),
        }
    }

    fn field(field: &'static str, expected: String) -> Mistake {
        Mistake::Field { field, expected }
    }

    fn needs(&self, field: &'static str) -> Mistake {
        Mistake::Needs { command: self.command.clone(), field }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<JsonRequest, MalformedLine> {
        JsonRequest::read(line, [7; 16])
    }

    #[test]
    fn every_command_is_understood_in_its_pinned_form() {
        let lines = [
            r#"{"id":"1","command":"create","name":"Tea","networks":["matrix","xmpp"]}"#,
            r#"{"id":"2","command":"create","name":"Tea","networks":["xmpp"]}"#,
            r#"{"id":"3","command":"invite","group":"00ff","users":["bob@x.example","@c:m.example"]}"#,
            r#"{"id":"4","command":"remove","group":"00FF","users":["xmpp:bob@x.example"]}"#,
            r#"{"id":"5","command":"send","group":"00ff","text":"héllo"}"#,
            r#"{"id":"6","command":"leave","group":"00ff"}"#,
            r#"{"id":"7","command":"rotate","group":"00ff"}"#,
            r#"{"id":"8","command":"rejoin","group":"00ff"}"#,
            r#"{"id":"32","command":"rotate_everywhere"}"#,
            r#"{"id":"9","command":"publish"}"#,
            r#"{"id":"10","command":"groups"}"#,
            r#"{"id":"11","command":"quit"}"#,
            r#"{"id":"12","command":"create","name":"Tea","networks":["xmpp"],"suite":3}"#,
            r#"{"id":"13","command":"settings","group":"00ff","admins_add":["@c:m"],"open_join":true}"#,
            r#"{"id":"14","command":"settings","group":"00ff","join_psk":"","members_may_add":false}"#,
            r#"{"id":"18","command":"settings","group":"00ff","order":"room"}"#,
            r#"{"id":"27","command":"settings","group":"00ff","anchors_add":[{"domain":"d","certificate":"00"}]}"#,
            r#"{"id":"28","command":"trust","domain":"d","certificates":["00ff"]}"#,
            r#"{"id":"29","command":"authorities"}"#,
            r#"{"id":"36","command":"ask_authorities","domain":"d","hub":"mls.d"}"#,
            r#"{"id":"31","command":"certificates"}"#,
            r#"{"id":"35","command":"accept_log","root":"abababababababababababababababababababababababababababababababab"}"#,
            r#"{"id":"30","command":"revoke","client":"matrix:u/a:m/PHONE"}"#,
            r#"{"id":"32","command":"identity_create","replace":true}"#,
            r#"{"id":"33","command":"verify","user":"b@d","digits":"12345"}"#,
            r#"{"id":"34","command":"verify","user":"b@d"}"#,
            r#"{"id":"15","command":"hold_psk","group":"00ff","psk":"summer","secret":"00112233445566778899aabbccddeeff"}"#,
            r#"{"id":"16","command":"use_psk","group":"00ff","psk":"summer"}"#,
            r#"{"id":"17","command":"use_psk","group":"00ff","psk":"summer","anyway":true}"#,
            r#"{"id":"18","command":"use_past_epoch","group":"00ff","epoch":7}"#,
            r#"{"id":"19","command":"propose","group":"00ff","proposal":"update"}"#,
            r#"{"id":"20","command":"propose","group":"00ff","proposal":"remove","users":["b@d"]}"#,
            r#"{"id":"21","command":"join","room":"!r:m.example"}"#,
            r#"{"id":"22","command":"reinit","group":"00ff","suite":2}"#,
            r#"{"id":"23","command":"restart","group":"00ff"}"#,
            r#"{"id":"24","command":"knock","room":"tea@rooms.d"}"#,
            r#"{"id":"25","command":"accept","group":"00ff","user":"b@d"}"#,
            r#"{"id":"26","command":"deny","group":"00ff","user":"@c:m"}"#,
            r#"{"id":"27","command":"branch","group":"00ff","users":["b@d"],"name":"Tea","networks":["xmpp"]}"#,
        ];
        let understood = lines.map(|line| format!("{line}\n  {:?}", read(line).unwrap()));
        insta::assert_snapshot!(understood.join("\n"));
    }

    #[test]
    fn a_malformed_line_is_refused_with_a_sentence_that_helps() {
        let long = format!(
            r#"{{"id":"1","command":"send","group":"00","text":"{}"}}"#,
            "x".repeat(25_000)
        );
        let many = format!(
            r#"{{"id":"1","command":"invite","group":"00","users":[{}"b@d"]}}"#,
            "\"a@d\",".repeat(50)
        );
        let lines = [
            "",
            "hello",
            "[]",
            r#"{"command":"groups"}"#,
            r#"{"id":7,"command":"groups"}"#,
            r#"{"id":"1"}"#,
            r#"{"id":"1","command":"send","group":"00ff","text":7}"#,
            r#"{"id":"mls-bot-1","command":"groups","colour":"red"}"#,
            r#"{"id":"","command":"groups"}"#,
            r#"{"id":"mls-bot-1","command":"groups"}"#,
            r#"{"id":"1","command":"dance"}"#,
            r#"{"id":"1","command":"send","group":"00ff"}"#,
            r#"{"id":"1","command":"send","text":"hi"}"#,
            r#"{"id":"1","command":"send","group":"xyz","text":"hi"}"#,
            r#"{"id":"1","command":"groups","group":"00ff"}"#,
            r#"{"id":"1","command":"groups","colour":"red"}"#,
            r#"{"id":"1","command":"create","name":"Tea","networks":["irc"]}"#,
            r#"{"id":"1","command":"create","name":"Tea","networks":[]}"#,
            r#"{"id":"1","command":"create","name":"","networks":["xmpp"]}"#,
            r#"{"id":"1","command":"invite","group":"00ff","users":[]}"#,
            r#"{"id":"1","command":"invite","group":"00ff","users":["bob"]}"#,
            r#"{"id":"1","command":"settings","group":"00ff","colour":"red"}"#,
            r#"{"id":"1","command":"settings","group":"xyz"}"#,
            r#"{"id":"1","command":"reinit","group":"00ff"}"#,
            r#"{"id":"1","command":"hold_psk","group":"00ff","psk":"a","secret":"my word"}"#,
            r#"{"id":"1","command":"propose","group":"00ff","proposal":"dance"}"#,
            r#"{"id":"1","command":"identity_sign","request":"mls-verify:0:AA"}"#,
            r#"{"id":"","command":"reinit","group":"00ff","suite":3}"#,
            &long,
            &many,
        ];
        let answers = lines.map(|line| {
            let shown: String = line.chars().take(70).collect();
            let error = read(line).unwrap_err();
            format!("{shown}\n  {}: {error}", error.id.as_deref().unwrap_or("no id"))
        });
        insta::assert_snapshot!(answers.join("\n"));
    }
}
