//! `mls-bridge revoke`: who counts no more.

use clap::Args;

use super::ConfigArgument;

/// What it does, and what it does not.
const WHAT: &str = "\
A device that is revoked gets nothing ordered any more, its removal is proposed in all its groups (their
members commit that within seconds), it gets no certificate, and members see it marked by the signed list
of revoked certificates. Its user sees it in the log of certificates. What it has read stays read.

  mls-bridge revoke --config mls-bridge.toml @alice:example.org/QWERTYUIOP    a device that was stolen
  mls-bridge revoke --config mls-bridge.toml bob@example.net                  an account, and all its devices to come
  mls-bridge revoke --config mls-bridge.toml --undo bob@example.net           its devices may ask again
  mls-bridge revoke --config mls-bridge.toml --list --json                    who is revoked, one JSON object a line

The running server follows at once: run this as the same system user, for only that one may open its socket,
which lies beside the database. Where none runs, the order is kept and goes out with the next start.
Where the authority is a process of its own, it is the one to be told; the delivery service follows its list, and --list
there shows that.
Accounts of other domains are not this server's to revoke: an admin of a group removes them (mls-bot remove).";

/// Whom, and whether or no more.
#[derive(Debug, Args)]
#[command(after_help = WHAT)]
pub struct RevokeArguments {
    /// Which configuration.
    #[command(flatten)]
    pub config: ConfigArgument,
    /// A device as `mls-bot members` shows it, or an account with all its devices.
    #[arg(value_name = "CLIENT|USER", required_unless_present = "list")]
    pub whom: Option<String>,
    /// Let it ask again; what was certified before stays revoked.
    #[arg(long)]
    pub undo: bool,
    /// Ask the homeserver which devices the account has; those that it does not list any more, twice and a
    /// minute apart, are revoked. It does so by itself now and then.
    #[arg(long, conflicts_with = "undo")]
    pub if_gone: bool,
    /// Show who is revoked, since when and by whom.
    #[arg(long, conflicts_with_all = ["whom", "undo", "if_gone"])]
    pub list: bool,
    /// For programs: JSON in the place of text.
    #[arg(long)]
    pub json: bool,
}
