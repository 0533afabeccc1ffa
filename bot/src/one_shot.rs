//! Commands that connect, do one thing, and end when it is done.
//!
//! What happens meanwhile is shown too: an event that was shown counts as seen, and an event
//! that was left out would be lost to the person.

use std::time::Duration;

use mls_core::address::UserId;
use mls_core::member::{
    Command, CreateGroupWith, Event, MembersCommand, SendCommand, SettingsCommand,
};
use mls_core::wire::GroupId;
use tokio::time::{Instant, timeout, timeout_at};

use crate::authorities::{self, Authorities};
use crate::certificates::{self, Certificates};
use crate::command_line::{Action, Create, Users};
use crate::exit::Exit;
use crate::group_actions;
use crate::handle::{Bot, random_id, random_salt};
use crate::identities::{self, Answer, IdentityWish};
use crate::interrupt::Interrupt;
use crate::json::{GroupLine, Line, MembershipLine};
use crate::knocking;
use crate::screen::Screen;
use crate::text;
use crate::user;

/// How long the server may take to let us in.
const CONNECT_WAIT: Duration = Duration::from_secs(30);
/// How long what follows from a finished command may take before we leave it to the next time.
const SETTLE_WAIT: Duration = Duration::from_secs(5);
/// And how long the reading of the authority's log, where nobody asked for that.
const LOG_WAIT: Duration = Duration::from_secs(1);
/// Digits of a whole group id.
const GROUP_DIGITS: usize = 2 * mls_core::policy::GROUP_ID_BYTES;
/// Entries of the membership log that are read at once.
const LOG_PAGE: usize = 256;

/// One connection for one thing.
pub struct OneShot {
    /// The connection.
    pub bot: Bot,
    /// Where what happens is shown.
    pub screen: Screen,
    /// When to give up waiting.
    pub deadline: Instant,
}

impl OneShot {
    /// Does it, and ends the connection.
    pub async fn perform(mut self, action: Action, interrupt: &mut Interrupt) -> Result<(), Exit> {
        let done = tokio::select! {
            done = self.act(action) => done,
            () = interrupt.wait() => Err(Exit::Failed(
                "interrupted; what was taken goes on when the profile is next connected".to_owned(),
            )),
        };
        let stopped = self.bot.stop().await;
        // Where it had ended by itself, that is the reason of everything else.
        stopped?;
        done
    }

    async fn act(&mut self, action: Action) -> Result<(), Exit> {
        wait_until_connected(&self.bot).await?;
        match action {
            Action::Groups => self.groups().await?,
            Action::Members(group) => self.members(&group.group).await?,
            Action::Authorities(wanted) => self.authorities(wanted).await?,
            Action::Certificates(wanted) => self.certificates(&wanted).await?,
            Action::Log(group) => self.log(&group.group).await?,
            Action::Join => self.join().await?,
            Action::Identity { what: None } => self.identity(IdentityWish::Show).await?,
            Action::Identity { what: Some(what) } => self.identity(what.wish()?).await?,
            Action::Verify(verify) => self.identity(verify.wish()?).await?,
            action => {
                let command = self.command(action).await?;
                self.fulfil(command).await?;
            }
        }
        self.settle().await?;
        self.read_log(LOG_WAIT).await
    }

    async fn command(&self, action: Action) -> Result<Command, Exit> {
        Ok(match action {
            Action::Publish => Command::PublishKeyPackages,
            Action::Create(create) => create_command(create),
            Action::Invite(users) => Command::Invite(self.users(users).await?),
            Action::Remove(users) => Command::Remove(self.users(users).await?),
            Action::Leave(group) => Command::Leave(find_group(&self.bot, &group.group).await?),
            Action::Rotate(rotate) => self.rotate(&rotate).await?,
            Action::Restart(group) => Command::Restart(find_group(&self.bot, &group.group).await?),
            Action::Rejoin(group) => Command::Rejoin(find_group(&self.bot, &group.group).await?),
            Action::Enter(enter) => Command::Join(group_actions::room(&enter.room)),
            Action::Knock(knock) => Command::Knock(group_actions::room(&knock.room)),
            Action::Accept(knocker) => {
                knocking::accept(find_group(&self.bot, &knocker.group).await?, knocker.account()?)
            }
            Action::Deny(knocker) => {
                knocking::deny(find_group(&self.bot, &knocker.group).await?, knocker.account()?)
            }
            Action::Settings(settings) => self.settings(&settings).await?,
            Action::Trust(trust) => {
                trust.command(&self.bot.authorities().await?, &self.bot.groups().await?)?
            }
            Action::Revoke(revoke) => Command::RevokeDevice(revoke.device(self.bot.client())?),
            Action::Branch(branch) => {
                let parent = find_group(&self.bot, &branch.group).await?;
                branch.command(parent)?
            }
            Action::Psk(psk) => psk.command(find_group(&self.bot, psk.group()).await?)?,
            Action::Propose(propose) => {
                let group = find_group(&self.bot, &propose.group).await?;
                group_actions::propose(group, &propose)?
            }
            Action::Reinit(reinit) => {
                let group = find_group(&self.bot, &reinit.group).await?;
                group_actions::reinit(group, reinit.suite)
            }
            Action::Send(send) => {
                let content = mls_core::content::encode_text(&send.text, random_salt()?);
                let content = content.map_err(|e| Exit::Usage(e.to_string()))?;
                Command::Send(SendCommand {
                    group: find_group(&self.bot, &send.group).await?,
                    content,
                })
            }
            action => return Err(Exit::Usage(format!("{action:?} does not end by itself"))),
        })
    }

    async fn identity(&mut self, wish: IdentityWish) -> Result<(), Exit> {
        self.settle().await?;
        match identities::answer(&self.bot, None, wish).await? {
            Answer::Show(line) => Ok(self.screen.show(&Line::Identity(*line))?),
            Answer::Command(command) => self.fulfil(command).await,
            Answer::Refused(why) => Err(Exit::Failed(why)),
        }
    }

    async fn settings(&self, typed: &group_actions::Settings) -> Result<Command, Exit> {
        let group = find_group(&self.bot, &typed.group).await?;
        let mut settings = group_actions::settings(typed)?;
        let (known, groups) = (self.bot.authorities().await?, self.bot.groups().await?);
        let (add, remove) = (&typed.authority, &typed.no_authority);
        authorities::into_settings(&mut settings, add, remove, &known, &groups)?;
        Ok(Command::ChangeSettings(SettingsCommand { group, settings }))
    }

    async fn rotate(&self, rotate: &group_actions::Rotate) -> Result<Command, Exit> {
        let Some(digits) = &rotate.group else { return Ok(Command::RotateEverywhere) };
        let group = find_group(&self.bot, digits).await?;
        Ok(if rotate.new_key { Command::ChangeKey(group) } else { Command::Rotate(group) })
    }

    async fn users(&self, users: Users) -> Result<MembersCommand, Exit> {
        let parsed: Result<Vec<UserId>, _> =
            users.users.iter().map(|typed| user::from_human(typed)).collect();
        let users_of_group = parsed.map_err(|e| Exit::Usage(e.to_string()))?;
        Ok(MembersCommand {
            group: find_group(&self.bot, &users.group).await?,
            users: users_of_group,
        })
    }

    /// Gives the command, and shows what happens until it has ended.
    async fn fulfil(&mut self, command: Command) -> Result<(), Exit> {
        let id = random_id()?;
        self.bot.command(id.clone(), command).await?;
        self.show_until(|event| match event {
            Event::CommandDone(done) if done.id == id => Some(Ok(())),
            Event::CommandFailed(failed) if failed.id == id => {
                Some(Err(Exit::CommandFailed(failed.why.clone())))
            }
            _ => None,
        })
        .await
    }

    async fn join(&mut self) -> Result<(), Exit> {
        let joined = |event: &Event| matches!(event, Event::Joined(_)).then_some(Ok(()));
        self.show_until(joined).await
    }

    /// Shows events up to the one that ends it.
    async fn show_until(
        &mut self,
        end: impl Fn(&Event) -> Option<Result<(), Exit>>,
    ) -> Result<(), Exit> {
        loop {
            let event = timeout_at(self.deadline, self.bot.next_event()).await.map_err(|_| {
                Exit::Failed("not finished in time; it goes on at the next connection".to_owned())
            })?;
            let record = event.ok_or(Exit::Failed("the connection ended".to_owned()))?;
            let end = end(&record.event);
            // The reason of a failure is the last line on standard error.
            if self.screen.json || !matches!(end, Some(Err(_))) {
                self.screen.show(&Line::from(&record))?;
            }
            if let Some(result) = end {
                return result;
            }
        }
    }

    /// Lets what follows (an acknowledgement, a message that just came) happen, and shows it.
    async fn settle(&mut self) -> Result<(), Exit> {
        // What is still under way then goes on at the next connection.
        let _ = timeout(SETTLE_WAIT.min(self.left()), self.bot.settled()).await;
        self.show_waiting().await
    }

    /// Lets the reading of the authority's log go on for so long. It may have a million entries: what is left is
    /// read by later runs, or by one that stays.
    async fn read_log(&mut self, wait: Duration) -> Result<(), Exit> {
        let _ = timeout(wait.min(self.left()), self.bot.log_read()).await;
        self.show_waiting().await
    }

    async fn show_waiting(&mut self) -> Result<(), Exit> {
        while let Ok(Some(record)) = timeout(Duration::ZERO, self.bot.next_event()).await {
            self.screen.show(&Line::from(&record))?;
        }
        Ok(())
    }

    fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    async fn groups(&mut self) -> Result<(), Exit> {
        self.settle().await?;
        let groups = self.bot.groups().await?;
        Ok(self.screen.show(&Line::groups(None, &groups))?)
    }

    async fn log(&mut self, digits: &str) -> Result<(), Exit> {
        self.settle().await?;
        let group = find_group(&self.bot, digits).await?;
        let mut from_seq = 0;
        loop {
            let page = self.bot.membership_log(&group, from_seq, LOG_PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            from_seq = last.seq.saturating_add(1);
            for entry in &page {
                self.screen.show(&Line::Membership(MembershipLine::new(&group, entry)))?;
            }
        }
    }

    async fn authorities(&mut self, wanted: Authorities) -> Result<(), Exit> {
        if let Some(command) = wanted.command(self.bot.client().network()) {
            self.fulfil(command).await?;
        }
        self.settle().await?;
        Ok(self.screen.show(&Line::authorities(None, &self.bot.authorities().await?))?)
    }

    async fn certificates(&mut self, wanted: &Certificates) -> Result<(), Exit> {
        self.settle().await?;
        if let Some(typed) = &wanted.accept_log {
            let (log, _) = self.bot.certificates().await?;
            return self.fulfil(certificates::accept(typed, log.as_ref())?).await;
        }
        self.bot.look_into_log().await?;
        self.read_log(SETTLE_WAIT).await?;
        let (log, own) = self.bot.certificates().await?;
        if let Some(file) = &wanted.evidence {
            certificates::write_evidence(file, log.as_ref())?;
        }
        Ok(self.screen.show(&Line::certificates(None, log.as_ref(), &own))?)
    }

    async fn members(&mut self, digits: &str) -> Result<(), Exit> {
        self.settle().await?;
        let group = find_group(&self.bot, digits).await?;
        let mut groups = self.bot.groups().await?;
        groups.retain(|summary| summary.group == group);
        let Some(summary) = groups.first() else { return Err(unknown_group(digits)) };
        let shown = match self.screen.json {
            true => self.screen.show(&Line::groups(None, &groups)),
            false => self.screen.print(&text::members(&GroupLine::from(summary))),
        };
        Ok(shown?)
    }
}

/// The server answers within its time, or it is said that it does not.
pub(crate) async fn wait_until_connected(bot: &Bot) -> Result<(), Exit> {
    let mut status = bot.status();
    match timeout(CONNECT_WAIT, status.wait_for(|status| status.connected)).await {
        Ok(Ok(_)) => Ok(()),
        // The runner has ended: stopping says why.
        Ok(Err(_)) => Err(Exit::Refused("the server ended the session".to_owned())),
        Err(_) => Err(Exit::Network(format!(
            "the server did not answer in {} s; is it running, and is the address right?",
            CONNECT_WAIT.as_secs()
        ))),
    }
}

/// The group that the digits name: a whole id, or the beginning of exactly one.
pub(crate) async fn find_group(bot: &Bot, digits: &str) -> Result<GroupId, Exit> {
    let digits = digits.to_ascii_lowercase();
    let groups = bot.groups().await?;
    let mut fits = groups.iter().filter(|group| group.group.to_hex().starts_with(&digits));
    match (fits.next(), fits.next(), hex::decode(&digits)) {
        (Some(one), None, _) if !digits.is_empty() => Ok(one.group.clone()),
        (Some(_), _, _) => Err(Exit::Usage(format!("{digits:?} fits several groups; type more"))),
        // Not ours any more, or its state is lost: still a group that a command can name.
        (None, _, Ok(id)) if digits.len() == GROUP_DIGITS => Ok(GroupId(id)),
        _ => Err(unknown_group(&digits)),
    }
}

fn unknown_group(digits: &str) -> Exit {
    Exit::Usage(format!("no group of this device begins with {digits:?}; `groups` lists them"))
}

fn create_command(create: Create) -> Command {
    Command::CreateGroupWith(CreateGroupWith { rooms: create.rooms.into(), suite: create.suite })
}

pub(crate) fn text_from_stdin() -> Result<String, Exit> {
    let max = mls_core::limits::PLAINTEXT_BYTES_MAX as u64;
    let mut text = String::new();
    std::io::Read::read_to_string(&mut std::io::Read::take(std::io::stdin(), max + 1), &mut text)
        .map_err(|e| Exit::Usage(format!("standard input is not a text: {e}")))?;
    // What a shell adds to the last line is not part of it.
    Ok(text.strip_suffix('\n').map_or_else(|| text.clone(), str::to_owned))
}
