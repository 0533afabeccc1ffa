//! `mls-bot`: the command-line client. Everything it does is in the library.

use std::io::IsTerminal;
use std::process::ExitCode;

use bot::command_line::CommandLine;
use bot::exit::Exit;
use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    let command_line = CommandLine::parse();
    log_to_stderr();
    match bot::dispatch::perform(command_line).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(Exit::OutputClosed) => ExitCode::SUCCESS,
        Err(exit) => {
            eprintln!("mls-bot: {exit}");
            ExitCode::from(exit.status())
        }
    }
}

/// Warnings, or what `RUST_LOG` asks for; standard output is for events and answers alone. What
/// matrix-sdk calls an error is often none, and our adapter tells of those that are.
fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn,matrix_sdk=off"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
}
