//! `mls-bot`: the command-line client. Everything it does is in the library.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use bot::command_line::CommandLine;
use bot::exit::Exit;
use bot::text::plain;
use clap::Parser;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

#[tokio::main]
async fn main() -> ExitCode {
    let command_line = CommandLine::parse();
    log_to_stderr();
    match bot::dispatch::perform(command_line).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(Exit::OutputClosed) => ExitCode::SUCCESS,
        Err(exit) => {
            // It may have words of others.
            eprintln!("mls-bot: {}", plain(&exit.to_string()));
            ExitCode::from(exit.status())
        }
    }
}

/// Our own crates, whose finer lines are known to hold no secret and no content.
const OURS: [&str; 6] = ["bot", "matrix_adapter", "mls_bot", "mls_core", "storage", "xmpp_adapter"];

/// Warnings, or what `RUST_LOG` asks for; standard output is for events and answers alone. What
/// matrix-sdk calls an error is often none, and our adapter tells of those that are.
fn log_to_stderr() {
    let chosen =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,matrix_sdk=off"));
    let lines = fmt::layer().with_ansi(io::stderr().is_terminal()).with_writer(io::stderr);
    let lines = lines.with_filter(filter_fn(may_be_shown));
    tracing_subscriber::registry().with(lines).with(chosen).init();
}

/// The libraries for HTTP and XMPP show what they send, passwords and tokens too, in their finest
/// lines.
fn may_be_shown(line: &Metadata<'_>) -> bool {
    let krate = line.target().split("::").next().unwrap_or_default();
    *line.level() <= Level::INFO || OURS.contains(&krate)
}
