//! The command line of `mls-bot`: what can be asked, and the help that teaches it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use url::Url;

use crate::authorities::{Authorities, Trust};
use crate::branching::Branch;
use crate::certificates::Certificates;
use crate::group_actions::{Propose, Psk, ReInit, Revoke, Rotate, Settings};
use crate::identities::{Identity, Verify};
use crate::knocking::{Knock, Knocker};
use crate::rooms::Rooms;

const EXAMPLES: &str = "\
Examples:
  Log in once (the password comes from a file or from standard input, never as an argument):
    mls-bot --profile alice login matrix --homeserver https://example.org \\
        --user @alice:example.org --password-file alice.password
    mls-bot --profile bob login xmpp --user bob@example.org --password-file -

  Let others find you, make a group on both networks, and bring Bob in:
    mls-bot --profile bob publish
    mls-bot --profile alice create --name Tea
    mls-bot --profile alice invite 1f2e bob@example.org
    mls-bot --profile bob join

  Talk:
    mls-bot --profile alice send 1f2e 'The kettle is on.'
    mls-bot --profile bob chat 1f2e

  Drive it from another program (one JSON object a line, both ways):
    mls-bot --profile alice run --json

A GROUP is its id in hex, or as many of the first digits as are needed to tell it apart; `groups`
lists them. A USER is @name:server on Matrix or name@domain on XMPP.

Exit status:
  0  done
  1  failed: the command cannot be fulfilled, or was not finished in time
  2  the command line is wrong
  3  the server cannot be reached
  4  the server refuses: wrong password, ended session, or not allowed

A command that was taken is never lost: when the process ends before it is fulfilled, it goes on
the next time that the profile is connected.";

/// An MLS client (RFC 9420) for groups on Matrix, on XMPP, or on both at once.
///
/// It logs in to either network as an ordinary user. Its keys, its groups and its session live in
/// a profile folder; one process at a time can use it.
#[derive(Debug, Parser)]
#[command(name = "mls-bot", version, after_long_help = EXAMPLES, after_help = "`mls-bot --help` shows examples and the exit status.")]
pub struct CommandLine {
    /// Folder that holds the session, the keys and the groups of one device
    #[arg(long, value_name = "DIR", global = true)]
    pub profile: Option<PathBuf>,

    /// Print one JSON object a line, for programs (docs/bot.md)
    #[arg(long, global = true)]
    pub json: bool,

    /// Do not accept invitations to rooms
    #[arg(long, global = true)]
    pub no_accept: bool,

    /// How long a command that ends by itself may take
    #[arg(long, value_name = "SECONDS", default_value_t = 600, global = true,
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub timeout: u64,

    /// What to do
    #[command(subcommand)]
    pub action: Action,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Log in and make the profile
    #[command(subcommand)]
    Login(Login),
    /// Stay connected, take commands on standard input and show events
    Run(Run),
    /// Fill the pool of key packages, so that others can add this device
    Publish,
    /// Make a group, with rooms on the networks named (both, if none is)
    Create(Create),
    /// Make a group of some members of another one, in rooms of its own
    ///
    /// Every member can. That all in it are members of the other is proved by a secret of that, to those
    /// who come in with it; others can be invited later. `groups` shows what a group branches from.
    Branch(Branch),
    /// Add all devices of users
    Invite(Users),
    /// Remove all devices of users
    Remove(Users),
    /// Send one message
    Send(Send),
    /// Show what happens in all groups, until interrupted
    Listen,
    /// Talk in a group: lines typed are sent, messages are shown
    Chat(Group),
    /// Send every message of others back, after "echo: "
    Echo,
    /// List the groups of this device
    Groups,
    /// List the members of a group with their identities
    Members(Group),
    /// List whose certificates this device goes by, with fingerprints to compare
    ///
    /// Whose word that is stands beside each domain: its own hub's, yours, or that of another domain's hub, which
    /// vouches for it. --ask has a domain's own hub say which authorities the domain has. Where nothing was known of the
    /// domain they are believed from then on; where others are known they are offered, and `trust` accepts them.
    Authorities(Authorities),
    /// List what the authority certified in your name, by its log
    ///
    /// The authority puts every certificate that it signs, and every revocation, into a log that only grows.
    /// This device follows that log, reads all of it, and holds what is in your name against what it has asked
    /// for. Compare the root with what others see of a log of the same size: it must be the same.
    /// Of a log that forked this device follows nothing, until you accept the one that came (--accept-log): ask the
    /// authority's operator first, for it hides something, or was restored from an old copy.
    Certificates(Certificates),
    /// Go by other authorities of a domain, after their fingerprints were compared
    ///
    /// Whose certificates stand for a domain is learnt at first use. Where a hub or a group names others
    /// later, they count nothing until you say so here. Compare the fingerprint over another channel with
    /// what the domain's operator shows (`mls-bridge check`), not with what this program shows.
    /// What a group takes is changed by an admin: `settings GROUP --authority DOMAIN`.
    Trust(Trust),
    /// Show your identity key, make it, or have it sign another device of yours
    ///
    /// People verify your identity key once, and it signs your devices: a new device that it signed is verified for
    /// them too. It is made on one device and never leaves that. On the others: `identity request`, then
    /// `identity sign LINE` on the first one, then `identity accept LINE` here.
    Identity {
        /// What to do with it
        #[command(subcommand)]
        what: Option<Identity>,
    },
    /// Verify a user: show a safety number and a QR code, or take the other's
    ///
    /// Both of you run `verify` and read each other the number, by voice or face to face, or scan the code; then each
    /// says so by --digits or --scanned. From then on all devices that this user's identity key signed are verified,
    /// and you are alarmed when the key changes, or a device comes that it did not sign.
    Verify(Verify),
    /// Show who came into a group and who went, and who wanted it so
    Log(Group),
    /// Wait to be added to a group, and join it
    Join,
    /// Join the group of a room that this account is in, where the group is open
    Enter(Enter),
    /// Ask the admins of a room's group to be let in
    Knock(Knock),
    /// Let in who knocked: add all devices, and let the account into the rooms
    Accept(Knocker),
    /// Say no to who knocked
    Deny(Knocker),
    /// Change who may do what in a group
    Settings(Settings),
    /// Hold or use a pre-shared key
    #[command(subcommand)]
    Psk(Psk),
    /// Propose what the next commit of anybody is to do
    Propose(Propose),
    /// End a group and start it anew, with another cipher suite, the same people and rooms
    Reinit(ReInit),
    /// Put a new group into the place of one that cannot be healed, with the same people and rooms
    ///
    /// For a group whose last commit nobody can process, or whose parts followed different commits for
    /// too long, as an admin. First agree over another way whose members and settings are right: the new
    /// group has those of this device. Nothing proves to the others that it follows the old one, so all
    /// should compare members and keys afterwards (`members GROUP`). Where the group still takes
    /// commits, use `reinit`, `rejoin`, or `remove` and `invite`.
    Restart(Group),
    /// Leave a group and its rooms
    Leave(Group),
    /// Take a lost device of this user out of everything, for good
    ///
    /// The hub orders nothing more that the device makes, has it removed from all groups, and its authority
    /// certifies no key of it any more. You cannot undo it; the operator can
    /// (`mls-bridge revoke --undo`): who finds the device logs in anew.
    Revoke(Revoke),
    /// Renew this device's keys, in a group or everywhere
    ///
    /// `--everywhere` is for a device that somebody may have copied, or had in hand: each group gets a fresh
    /// signature key, a few groups at a time, and fresh key packages with fresh certificates take the place of
    /// those that are published (on Matrix those for one use stay until they are used or have ended: a
    /// homeserver gives none back). It ends when all is done, and names the groups in which it did not work.
    /// The key by which the authority knows this device stays: if that may be stolen, log in anew as another
    /// device, and `revoke` this one.
    Rotate(Rotate),
    /// Come back into a group whose state this device has lost or fallen behind
    Rejoin(Group),
}

/// Which network to log in to.
#[derive(Debug, Subcommand)]
pub enum Login {
    /// Log in to a Matrix homeserver
    Matrix(MatrixLogin),
    /// Log in to an XMPP server
    Xmpp(XmppLogin),
}

/// What a Matrix login needs.
#[derive(Debug, Args)]
pub struct MatrixLogin {
    /// The homeserver's address; without TLS only on this machine
    #[arg(long, value_name = "URL")]
    pub homeserver: Url,
    /// The account, such as @alice:example.org
    #[arg(long, value_name = "USER")]
    pub user: String,
    /// File whose first line is the password; - reads it from standard input
    #[arg(long, value_name = "FILE")]
    pub password_file: PathBuf,
    /// The hub's Matrix user id; without it `@mls:` and the account's server
    #[arg(long, value_name = "USER")]
    pub hub: Option<String>,
    /// The hub of the account's own server, where --hub is another server's: it certifies this device
    #[arg(long, value_name = "USER", requires = "hub")]
    pub authority: Option<String>,
}

/// What an XMPP login needs.
#[derive(Debug, Args)]
pub struct XmppLogin {
    /// The server's address, where the domain's own records do not lead there
    #[arg(long, value_name = "HOST:PORT")]
    pub server: Option<String>,
    /// The account, such as bob@example.org
    #[arg(long, value_name = "JID")]
    pub user: String,
    /// File whose first line is the password; - reads it from standard input
    #[arg(long, value_name = "FILE")]
    pub password_file: PathBuf,
    /// The hub's address; without it `mls.` and the account's domain
    #[arg(long, value_name = "DOMAIN")]
    pub hub: Option<String>,
    /// The hub of the account's own domain, where --hub is another domain's: it certifies this device
    #[arg(long, value_name = "DOMAIN", requires = "hub")]
    pub authority: Option<String>,
}

/// How to stay connected.
#[derive(Debug, Args)]
pub struct Run {
    /// Also send every message of others back, after "echo: "
    #[arg(long)]
    pub echo: bool,
}

/// A group to make.
#[derive(Debug, Args)]
pub struct Create {
    /// Its rooms
    #[command(flatten)]
    pub rooms: Rooms,
    /// The cipher suite: 1, which everybody has, 2 or 3
    #[arg(long, value_name = "SUITE", default_value_t = 1)]
    pub suite: u16,
}

/// A room.
#[derive(Debug, Args)]
pub struct Enter {
    /// The room: !id:server on Matrix, name@domain on XMPP
    pub room: String,
}

/// A group and some users.
#[derive(Debug, Args)]
pub struct Users {
    /// The group
    pub group: String,
    /// The users, such as @carol:example.org or dave@example.org
    #[arg(required = true, value_name = "USER")]
    pub users: Vec<String>,
}

/// A message.
#[derive(Debug, Args)]
pub struct Send {
    /// The group
    pub group: String,
    /// The text; - reads it from standard input
    #[arg(allow_hyphen_values = true)]
    pub text: String,
}

/// A group.
#[derive(Debug, Args)]
pub struct Group {
    /// The group
    pub group: String,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parses(line: &str) -> Result<CommandLine, clap::Error> {
        CommandLine::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn the_documented_lines_are_understood() {
        for line in [
            "mls-bot --profile p login matrix --homeserver http://[::1]:8008 --user @a:s --password-file -",
            "mls-bot --profile p login matrix --homeserver https://s --user @a:s --password-file f --hub @mls:s",
            "mls-bot --profile p login xmpp --user b@d --password-file f",
            "mls-bot --profile p login xmpp --server 127.0.0.1:5222 --user b@d --password-file - --hub mls.d",
            "mls-bot --profile p login xmpp --user b@d --password-file - --hub mls.e --authority mls.d",
            "mls-bot --profile p run --json",
            "mls-bot --profile p run --json --echo",
            "mls-bot --profile p run --json --no-accept",
            "mls-bot --profile p create --name Tea --matrix --xmpp",
            "mls-bot create --profile p --name Tea",
            "mls-bot --profile p invite 1f2e b@d @c:s",
            "mls-bot --profile p remove 1f2e b@d",
            "mls-bot --profile p send 1f2e -",
            "mls-bot --profile p send 1f2e --json -5",
            "mls-bot --profile p --json --timeout 5 rotate 1f2e",
            "mls-bot --profile p rotate 1f2e --new-key",
            "mls-bot --profile p rotate --everywhere",
            "mls-bot --profile p create --name Tea --suite 3",
            "mls-bot --profile p settings 1f2e --admin b@d --no-admin @c:s --open yes --join-psk x",
            "mls-bot --profile p settings 1f2e --authority d --no-authority 0123456789abcdef0123456789abcdef",
            "mls-bot --profile p authorities",
            "mls-bot --profile p authorities --ask d",
            "mls-bot --profile p authorities --ask d --hub mls.d",
            "mls-bot --profile p revoke PHONE",
            "mls-bot --profile p identity",
            "mls-bot --profile p identity create",
            "mls-bot --profile p identity sign mls-device-request:0:AA",
            "mls-bot --profile p verify b@d",
            "mls-bot --profile p verify b@d --digits 12345",
            "mls-bot --profile p verify b@d --forget",
            "mls-bot --profile p trust d 0123456789abcdef0123456789abcdef",
            "mls-bot --profile p trust d --certificate root.der",
            "mls-bot --profile p psk hold 1f2e summer key.bin",
            "mls-bot --profile p psk use 1f2e summer --anyway",
            "mls-bot --profile p psk past 1f2e 7",
            "mls-bot --profile p propose 1f2e remove b@d",
            "mls-bot --profile p enter !r:s",
            "mls-bot --profile p knock tea@rooms.d",
            "mls-bot --profile p accept 1f2e b@d",
            "mls-bot --profile p deny 1f2e @c:s",
            "mls-bot --profile p reinit 1f2e --suite 2",
            "mls-bot --profile p restart 1f2e",
            "mls-bot --profile p branch 1f2e b@d @c:s --name Tea --xmpp",
        ] {
            assert!(parses(line).is_ok(), "{line}: {}", parses(line).unwrap_err());
        }
    }

    #[test]
    fn a_line_that_lacks_something_is_a_usage_error() {
        for line in [
            "mls-bot --profile p",
            "mls-bot --profile p login",
            "mls-bot --profile p login matrix --user @a:s --password-file f",
            "mls-bot --profile p login xmpp --user b@d --password secret",
            "mls-bot --profile p invite 1f2e",
            "mls-bot --profile p send 1f2e",
            "mls-bot --profile p reinit 1f2e",
            "mls-bot --profile p knock",
            "mls-bot --profile p branch 1f2e --name Tea",
            "mls-bot --profile p branch 1f2e b@d",
            "mls-bot --profile p deny 1f2e",
            "mls-bot --profile p trust d",
            "mls-bot --profile p rotate",
            "mls-bot --profile p rotate 1f2e --everywhere",
            "mls-bot --profile p rotate --everywhere --new-key",
            "mls-bot --profile p trust d 01 --certificate root.der",
            "mls-bot --profile p settings 1f2e --open perhaps",
            "mls-bot --profile p --timeout 0 publish",
        ] {
            assert_eq!(parses(line).unwrap_err().exit_code(), 2, "{line}");
        }
    }
}
