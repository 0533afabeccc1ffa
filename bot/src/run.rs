//! `run`: stays connected, takes commands on standard input, shows events.

use std::collections::HashSet;
use std::time::Duration;

use mls_core::member::{Command, Event, EventRecord};
use tokio::time::{Instant, sleep_until};

use crate::echo;
use crate::exit::Exit;
use crate::handle::{Bot, BotError, random_salt};
use crate::identities::{self, Answer};
use crate::interrupt::Interrupt;
use crate::json::{JsonRequest, Line, MalformedLine, Wish};
use crate::runner::RunError;
use crate::screen::Screen;
use crate::stdin::{self, LineError};

/// After the end of standard input, unfinished commands have so long to end.
const LAST_WAIT: Duration = Duration::from_secs(30);
/// Characters of a malformed line that are shown again.
const SHOWN_CHARS: usize = 200;

/// What drives a bot over standard input and output.
struct Driver {
    bot: Bot,
    screen: Screen,
    echo: bool,
    /// Commands that were taken here and have not ended.
    unfinished: HashSet<String>,
}

/// What to do after a line.
#[derive(PartialEq, Eq)]
enum Next {
    GoOn,
    Quit,
}

/// Runs until told to quit, interrupted, or standard input ends; an unfinished command goes on at
/// the next start.
pub async fn run(
    bot: Bot,
    screen: Screen,
    echo: bool,
    interrupt: &mut Interrupt,
) -> Result<(), Exit> {
    let mut driver = Driver { bot, screen, echo, unfinished: HashSet::new() };
    let served = driver.serve(interrupt).await;
    let stopped = driver.bot.stop().await;
    // Where it had ended by itself, that is the reason of everything else.
    stopped?;
    served
}

/// Shows events, and echoes if told to, until interrupted: `listen` and `echo`.
pub async fn watch(
    mut bot: Bot,
    screen: Screen,
    echo: bool,
    interrupt: &mut Interrupt,
) -> Result<(), Exit> {
    let watched = show_events(&mut bot, screen, echo, interrupt).await;
    let stopped = bot.stop().await;
    // Where it had ended by itself, that is the reason of everything else.
    stopped?;
    watched
}

async fn show_events(
    bot: &mut Bot,
    screen: Screen,
    echo: bool,
    interrupt: &mut Interrupt,
) -> Result<(), Exit> {
    let mut status = bot.status();
    let mut told_ready = false;
    loop {
        tokio::select! {
            event = bot.next_event() => {
                let Some(record) = event else { return Ok(()) }; // stopping says why
                screen.show(&Line::from(&record))?;
                if echo {
                    echo_back(bot, &record).await?;
                }
            }
            ready = status.wait_for(|status| status.ready), if !told_ready => {
                told_ready = true;
                if ready.is_ok() {
                    screen.show(&Line::Ready { client: bot.client().to_string() })?;
                }
            }
            () = interrupt.wait() => return Ok(()),
        }
    }
}

impl Driver {
    async fn serve(&mut self, interrupt: &mut Interrupt) -> Result<(), Exit> {
        let mut lines = stdin::lines();
        let mut status = self.bot.status();
        let (mut told_ready, mut input_ended) = (false, None);
        while input_ended.is_none() || !self.unfinished.is_empty() {
            let end = input_ended.unwrap_or_else(|| Instant::now() + LAST_WAIT);
            tokio::select! {
                event = self.bot.next_event() => match event {
                    Some(record) => self.event(&record).await?,
                    None => return Ok(()), // stopping says why
                },
                line = lines.recv(), if input_ended.is_none() => match line {
                    Some(line) => if self.line(line).await? == Next::Quit {
                        return Ok(());
                    },
                    None => input_ended = Some(Instant::now() + LAST_WAIT),
                },
                ready = status.wait_for(|status| status.ready), if !told_ready => {
                    told_ready = true;
                    if ready.is_ok() {
                        self.screen.show(&Line::Ready { client: self.bot.client().to_string() })?;
                    }
                }
                () = interrupt.wait() => return Ok(()),
                () = sleep_until(end), if input_ended.is_some() => return Ok(()),
            }
        }
        Ok(())
    }

    async fn event(&mut self, record: &EventRecord) -> Result<(), Exit> {
        match &record.event {
            Event::CommandDone(done) => self.unfinished.remove(&done.id),
            Event::CommandFailed(failed) => self.unfinished.remove(&failed.id),
            _ => false,
        };
        self.screen.show(&Line::from(record))?;
        if self.echo {
            echo_back(&self.bot, record).await?;
        }
        Ok(())
    }

    async fn line(&mut self, line: Result<String, LineError>) -> Result<Next, Exit> {
        let line = match line {
            Ok(line) if line.trim().is_empty() => return Ok(Next::GoOn),
            Ok(line) => line,
            Err(error) => return self.malformed(error.to_string(), None),
        };
        let JsonRequest { id, wish } = match JsonRequest::read(&line, random_salt()?) {
            Ok(request) => request,
            Err(MalformedLine { id: Some(id), mistake }) => {
                return self.refused(id, mistake.to_string());
            }
            Err(error) => return self.malformed(error.to_string(), Some(&line)),
        };
        match wish {
            Wish::Quit => return Ok(Next::Quit),
            Wish::Groups => {
                let groups = self.bot.groups().await;
                if let Some(groups) = unless_ended(groups)? {
                    self.screen.show(&Line::groups(Some(id), &groups))?;
                }
            }
            Wish::Authorities => {
                let known = self.bot.authorities().await;
                if let Some(known) = unless_ended(known)? {
                    self.screen.show(&Line::authorities(Some(id), &known))?;
                }
            }
            Wish::Certificates => {
                unless_ended(self.bot.look_into_log().await)?;
                let looked = self.bot.certificates().await;
                if let Some((log, own)) = unless_ended(looked)? {
                    self.screen.show(&Line::certificates(Some(id), log.as_ref(), &own))?;
                }
            }
            Wish::Identity(wish) => {
                let answer = identities::answer(&self.bot, Some(id.clone()), wish).await;
                match unless_ended(answer)? {
                    Some(Answer::Show(line)) => self.screen.show(&Line::Identity(*line))?,
                    Some(Answer::Refused(why)) => return self.refused(id, why),
                    Some(Answer::Command(command)) => self.take(id, command).await?,
                    None => {}
                }
            }
            Wish::Command(command) => self.take(id, command).await?,
        }
        Ok(Next::GoOn)
    }

    async fn take(&mut self, id: String, command: Command) -> Result<(), Exit> {
        self.unfinished.insert(id.clone());
        unless_ended(self.bot.command(id, command).await).map(drop)
    }

    /// A command that cannot be taken has failed before it was stored.
    fn refused(&self, id: String, why: String) -> Result<Next, Exit> {
        self.screen.show(&Line::CommandFailed { n: None, id, why })?;
        Ok(Next::GoOn)
    }

    fn malformed(&self, why: String, line: Option<&str>) -> Result<Next, Exit> {
        let line = line.map(|line| line.chars().take(SHOWN_CHARS).collect());
        self.screen.show(&Line::Error { why, line })?;
        Ok(Next::GoOn)
    }
}

/// Sends a message back, if it calls for it.
async fn echo_back(bot: &Bot, record: &EventRecord) -> Result<(), Exit> {
    let Some(reply) = echo::reply(record, bot.client()) else { return Ok(()) };
    match bot.send_text(reply.id, &reply.group, &reply.text).await {
        // With its prefix it may be too long, which is no reason to end.
        Err(BotError::Content(error)) => {
            tracing::warn!(%error, "a message is not echoed");
            Ok(())
        }
        sent => Ok(sent?),
    }
}

/// The answer; none where the runner has ended, for the next event says so.
fn unless_ended<T>(answer: Result<T, RunError>) -> Result<Option<T>, Exit> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(RunError::Closed) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
