//! From a parsed command line to what it asks for.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use crate::certificates::{self, Certificates};
use crate::chat::chat;
use crate::command_line::{Action, CommandLine, Login, Send};
use crate::exit::Exit;
use crate::handle::Bot;
use crate::interrupt::Interrupt;
use crate::json::Line;
use crate::login;
use crate::one_shot::{OneShot, text_from_stdin};
use crate::profile::Profile;
use crate::run::{run, watch};
use crate::runner::Options;
use crate::screen::Screen;

/// Does what the command line asks for. A program that reads standard output is told there, too,
/// why it ended.
pub async fn perform(line: CommandLine) -> Result<(), Exit> {
    let screen = Screen { json: line.json };
    let done = act(line, screen).await;
    if let (true, Err(exit)) = (screen.json, &done)
        && !matches!(exit, Exit::OutputClosed | Exit::CommandFailed(_))
    {
        screen.show(&Line::Error { why: exit.to_string(), line: None })?;
    }
    done
}

async fn act(line: CommandLine, screen: Screen) -> Result<(), Exit> {
    if let Action::Certificates(Certificates { check: Some(file), .. }) = &line.action {
        return Ok(screen.show(&Line::EvidenceHolds { text: certificates::check(file)? })?);
    }
    let folder: PathBuf = line.profile.ok_or_else(|| {
        Exit::Usage("--profile DIR is missing: the folder of one device's session and keys".into())
    })?;
    let accept = !line.no_accept;
    // As long as there is nothing to end in order, signals end the process by themselves.
    let action = match line.action {
        Action::Login(login) => return log_in(&folder, login, screen).await,
        Action::Send(send) if send.text == "-" => {
            Action::Send(Send { text: text_from_stdin()?, ..send })
        }
        action => action,
    };
    let mut interrupt =
        Interrupt::listen().map_err(|e| Exit::Failed(format!("no signals can be had: {e}")))?;
    match action {
        Action::Run(how) => {
            let bot = connect(&folder, accept, true).await?;
            run(bot, screen, how.echo, &mut interrupt).await
        }
        Action::Listen => {
            watch(connect(&folder, accept, true).await?, screen, false, &mut interrupt).await
        }
        Action::Echo => {
            watch(connect(&folder, accept, true).await?, screen, true, &mut interrupt).await
        }
        Action::Chat(group) => {
            let bot = connect(&folder, accept, true).await?;
            chat(bot, &group.group, screen, &mut interrupt).await
        }
        action => {
            // Who waits to be added must first be found.
            let publish = matches!(action, Action::Join);
            let bot = connect(&folder, accept, publish).await?;
            let deadline = Instant::now() + Duration::from_secs(line.timeout);
            OneShot { bot, screen, deadline }.perform(action, &mut interrupt).await
        }
    }
}

async fn log_in(folder: &Path, login: Login, screen: Screen) -> Result<(), Exit> {
    let profile = match login {
        Login::Matrix(matrix) => login::matrix(folder, matrix).await?,
        Login::Xmpp(xmpp) => login::xmpp(folder, xmpp).await?,
    };
    let client = profile.client().to_string();
    Ok(screen.show(&Line::LoggedIn { client })?)
}

async fn connect(folder: &Path, accept_invitations: bool, publish: bool) -> Result<Bot, Exit> {
    let options = Options { accept_invitations, publish };
    Ok(Bot::connect(Profile::open(folder)?, options).await?)
}
