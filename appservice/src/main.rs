//! `mls-bridge`: the command line around the crate `appservice`.

use std::process::ExitCode;

use appservice::authority::{MakeError, make_intermediate, make_request, make_root, replace};
use appservice::command_line::{AuthorityCommand, Command, CommandLine, Exit};
use appservice::init::{Terminal, init};
use appservice::replace_keys::replace_keys;
use appservice::revoke::revoke;
use appservice::{check, run};
use clap::Parser;

fn main() -> ExitCode {
    let exit = match CommandLine::parse().command {
        Command::Init(arguments) => match init(&arguments, &mut Terminal) {
            Ok(next) => {
                print!("{next}");
                Exit::Done
            }
            Err(error) => {
                eprintln!("mls-bridge init: {error}");
                error.exit()
            }
        },
        Command::Check(arguments) => check::check(&arguments.config),
        Command::Run(arguments) => run::run(&arguments),
        Command::ReplaceKeys(arguments) => replace_keys(&arguments),
        Command::Revoke(arguments) => revoke(&arguments),
        Command::Authority(command) => match command {
            AuthorityCommand::Root(arguments) => made(make_root(&arguments)),
            AuthorityCommand::Intermediate(arguments) => made(make_intermediate(&arguments)),
            AuthorityCommand::Request(arguments) => made(make_request(&arguments)),
            AuthorityCommand::Replace(arguments) => replace(&arguments),
        },
    };
    exit.into()
}

fn made(made: Result<String, MakeError>) -> Exit {
    match made {
        Ok(next) => {
            print!("{next}");
            Exit::Done
        }
        Err(error) => {
            eprintln!("mls-bridge authority: {error}");
            error.exit()
        }
    }
}
