//! `chat`: lines that a person types are sent, what happens in the group is shown.

use mls_core::address::UserId;
use mls_core::member::{Command, EventRecord, MembersCommand};
use mls_core::wire::GroupId;

use crate::exit::Exit;
use crate::handle::{Bot, BotError, random_id};
use crate::interrupt::Interrupt;
use crate::json::{GroupLine, Line};
use crate::one_shot::find_group;
use crate::screen::Screen;
use crate::stdin;
use crate::text;
use crate::user;

const HELP: &str = "\
Type a line to send it. Lines that begin with / are commands:
  /members          who is in the group
  /invite USER…     add all devices of users
  /remove USER…     remove all devices of users
  /rotate           renew this device's keys
  /quit             end (Ctrl-D too)
  //…               send a line that begins with /";

/// What a typed line means.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Typed {
    Nothing,
    Text(String),
    Members,
    Invite(Vec<UserId>),
    Remove(Vec<UserId>),
    Rotate,
    Help,
    Quit,
    /// Not understood, and why.
    Wrong(String),
}

/// Talks in the group that the digits `group` name, until the person quits, standard input ends, or a signal comes.
pub async fn chat(
    mut bot: Bot,
    group: &str,
    screen: Screen,
    interrupt: &mut Interrupt,
) -> Result<(), Exit> {
    let talked = match find_group(&bot, group).await {
        Ok(group) => talk(&mut bot, &group, screen, interrupt).await,
        Err(error) => Err(error),
    };
    let stopped = bot.stop().await;
    // Where it had ended by itself, that is the reason of everything else.
    stopped?;
    talked
}

async fn talk(
    bot: &mut Bot,
    group: &GroupId,
    screen: Screen,
    interrupt: &mut Interrupt,
) -> Result<(), Exit> {
    let mut lines = stdin::lines();
    if !screen.json {
        screen.print(&format!("talking in group {group}; /help shows what can be typed"))?;
    }
    loop {
        tokio::select! {
            event = bot.next_event() => match event {
                Some(record) => show(&record, screen)?,
                None => return Ok(()), // stopping says why
            },
            line = lines.recv() => match line {
                Some(Ok(line)) => {
                    let typed = understand(&line);
                    if typed == Typed::Quit {
                        return Ok(());
                    }
                    act(bot, group, screen, typed).await?;
                }
                Some(Err(error)) => complain(screen, error.to_string())?,
                None => return Ok(()),
            },
            () = interrupt.wait() => return Ok(()),
        }
    }
}

/// The ends of commands that worked are seen by their effect.
fn show(record: &EventRecord, screen: Screen) -> Result<(), Exit> {
    let line = Line::from(record);
    if screen.json || !matches!(line, Line::CommandDone { .. }) {
        screen.show(&line)?;
    }
    Ok(())
}

async fn act(bot: &Bot, group: &GroupId, screen: Screen, typed: Typed) -> Result<(), Exit> {
    let members = |users| MembersCommand { group: group.clone(), users };
    let command = match typed {
        Typed::Nothing | Typed::Quit => return Ok(()),
        Typed::Text(text) => {
            return match bot.send_text(random_id()?, group, &text).await {
                Err(BotError::Content(error)) => complain(screen, error.to_string()),
                sent => Ok(sent?),
            };
        }
        Typed::Members => return show_members(bot, group, screen).await,
        Typed::Help => return Ok(screen.print(HELP)?),
        Typed::Wrong(why) => return complain(screen, why),
        Typed::Invite(users) => Command::Invite(members(users)),
        Typed::Remove(users) => Command::Remove(members(users)),
        Typed::Rotate => Command::Rotate(group.clone()),
    };
    Ok(bot.command(random_id()?, command).await?)
}

async fn show_members(bot: &Bot, group: &GroupId, screen: Screen) -> Result<(), Exit> {
    let groups = bot.groups().await?;
    match groups.iter().find(|summary| summary.group == *group) {
        Some(summary) => Ok(screen.print(&text::members(&GroupLine::from(summary)))?),
        None => complain(screen, "this device is not in the group".to_owned()),
    }
}

fn complain(screen: Screen, why: String) -> Result<(), Exit> {
    Ok(screen.show(&Line::Error { why, line: None })?)
}

fn understand(line: &str) -> Typed {
    let Some(command) = line.strip_prefix('/') else {
        return if line.trim().is_empty() { Typed::Nothing } else { Typed::Text(line.to_owned()) };
    };
    if command.starts_with('/') {
        return Typed::Text(command.to_owned());
    }
    let mut words = command.split_whitespace();
    let name = words.next().unwrap_or_default();
    let users: Result<Vec<UserId>, _> = words.map(user::from_human).collect();
    match (name, users) {
        ("invite" | "remove", Err(error)) => Typed::Wrong(error.to_string()),
        ("invite" | "remove", Ok(users)) if users.is_empty() => {
            Typed::Wrong(format!("/{name} needs users, such as @carol:example.org"))
        }
        ("invite", Ok(users)) => Typed::Invite(users),
        ("remove", Ok(users)) => Typed::Remove(users),
        ("members", _) => Typed::Members,
        ("rotate", _) => Typed::Rotate,
        ("help", _) => Typed::Help,
        ("quit", _) => Typed::Quit,
        _ => Typed::Wrong(format!("there is no /{name}; /help shows what can be typed")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typed_lines_are_texts_or_commands_and_never_both() {
        let user = |text| user::from_human(text).unwrap();
        let text = |text: &str| Typed::Text(text.to_owned());
        for (line, typed) in [
            ("", Typed::Nothing),
            ("  ", Typed::Nothing),
            ("hello /quit", text("hello /quit")),
            ("  spaces stay ", text("  spaces stay ")),
            ("//etc", text("/etc")),
            ("/quit", Typed::Quit),
            ("/help", Typed::Help),
            ("/members", Typed::Members),
            ("/rotate", Typed::Rotate),
            ("/invite b@d @c:s", Typed::Invite(vec![user("b@d"), user("@c:s")])),
            ("/remove b@d", Typed::Remove(vec![user("b@d")])),
        ] {
            assert_eq!(understand(line), typed, "{line:?}");
        }
        for line in ["/", "/dance", "/invite", "/invite bob", "/remove"] {
            assert!(matches!(understand(line), Typed::Wrong(_)), "{line:?} was taken");
        }
    }
}
