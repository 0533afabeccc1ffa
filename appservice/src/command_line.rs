//! The command line of `mls-bridge`.

mod authority;
mod revoke;

use std::path::PathBuf;
use std::process::ExitCode;

pub use authority::{AuthorityCommand, IntermediateArguments, RequestArguments, RootArguments};
pub use revoke::RevokeArguments;

use clap::{Args, Parser, Subcommand, ValueEnum};

const EXIT_CODES: &str = "\
Exit codes:
  0  done; `run`: stopped by SIGTERM or SIGINT, with everything kept
  1  a server or the system did not do what was asked; the message says which and how to mend it
  2  the command line or the configuration is faulty; each fault is named with its key
  3  the database cannot be opened: in use by another process, of a newer version, or damaged";

/// Carries MLS groups between Matrix and XMPP, without being able to read them.
#[derive(Debug, Parser)]
#[command(name = "mls-bridge", version, about, after_help = EXIT_CODES)]
pub struct CommandLine {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write the configuration, the registration and the snippets, with fresh secrets.
    Init(InitArguments),
    /// Look for faults in the configuration, reach both servers, and say what to mend.
    Check(ConfigArgument),
    /// Serve both networks until SIGTERM or SIGINT.
    Run(RunArguments),
    /// Give the hub new keys, after the old ones may have been seen; stop it first.
    ReplaceKeys(ConfigArgument),
    /// Take a device or an account out of everything; the server may run.
    Revoke(RevokeArguments),
    /// Make the key that signs certificates, with an offline root, and put it into use.
    #[command(subcommand)]
    Authority(AuthorityCommand),
}

/// How the two services are parted, for `init`.
const PARTED: &str = "\
One process is the delivery service (it orders groups) and the authority (it certifies keys). Who does not want the
machine that orders groups to be able to certify keys runs two, each with a configuration, a database, a
registration and a component of its own:

  mls-bridge init --role authentication --out /etc/mls-authority ...    then check, and run: it writes roots.pem
                                                                       and revoked.list into /etc/mls-authority/published
  mls-bridge init --role delivery --published /etc/mls-authority/published --out /etc/mls-bridge ...

On two machines copy roots.pem once, and keep revoked.list the same on both (rsync, a shared folder): it is signed,
and the delivery service looks at it every 5 seconds. People and bots log in with the delivery service's address;
their devices find the authority by themselves.";

/// Which services a configuration is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum InitRole {
    /// Both in one process.
    #[default]
    Both,
    /// The delivery service alone.
    Delivery,
    /// The authority alone.
    Authentication,
}

/// What `init` must know; on a terminal it asks for what is not given.
#[derive(Debug, Default, Args)]
#[command(after_help = PARTED)]
pub struct InitArguments {
    /// Which services it is to be.
    #[arg(long, value_enum, default_value_t)]
    pub role: InitRole,
    /// Where the authority's roots.pem and revoked.list are, for --role delivery [default: authority, in --out].
    #[arg(long, value_name = "DIR")]
    pub published: Option<PathBuf>,
    /// Where the homeserver's client-server API is reached, such as http://127.0.0.1:8008; none
    /// of the Matrix options: XMPP only.
    #[arg(long, value_name = "URL")]
    pub homeserver_url: Option<String>,
    /// The part of Matrix user ids after the colon.
    #[arg(long, value_name = "NAME")]
    pub server_name: Option<String>,
    /// Where mls-bridge listens for the homeserver [default: 127.0.0.1:29341; the authority alone: 127.0.0.1:29342].
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Option<String>,
    /// Where the homeserver reaches mls-bridge [default: http:// and --listen].
    #[arg(long, value_name = "URL")]
    pub appservice_url: Option<String>,
    /// The domain of XMPP accounts; none of the XMPP options: Matrix only.
    #[arg(long, value_name = "DOMAIN")]
    pub xmpp_domain: Option<String>,
    /// The XMPP server's component port [default: 127.0.0.1:5347].
    #[arg(long, value_name = "HOST:PORT")]
    pub component_address: Option<String>,
    /// The domain of mls-bridge itself [default: mls. and --xmpp-domain; the authority alone: authority. and that].
    #[arg(long, value_name = "DOMAIN")]
    pub component_domain: Option<String>,
    /// The multi-user chat service [default: conference. and --xmpp-domain].
    #[arg(long, value_name = "DOMAIN")]
    pub muc_service: Option<String>,
    /// The folder to write into; it is made where it is missing.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Write over files that are there, with new secrets.
    #[arg(long)]
    pub force: bool,
}

/// Which configuration.
#[derive(Debug, Args)]
pub struct ConfigArgument {
    /// The mls-bridge.toml that `init` wrote.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
}

/// How to run.
#[derive(Debug, Args)]
pub struct RunArguments {
    /// Which configuration.
    #[command(flatten)]
    pub config: ConfigArgument,
    /// How log lines look. They go to standard error; RUST_LOG chooses which.
    #[arg(long, value_enum, default_value_t)]
    pub log_format: LogFormat,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done,
    /// A server or the system did not do what was asked.
    Failed,
    /// The command line or the configuration is faulty.
    Faulty,
    /// The database cannot be opened.
    Database,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Faulty => 2,
            Exit::Database => 3,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_help_names_every_exit_code() {
        CommandLine::command().debug_assert();
        let help = CommandLine::command().render_help().to_string();
        for code in 0..4 {
            assert!(help.contains(&format!("\n  {code}  ")), "{code}");
        }
    }
}
