//! The command line of what changes a group: settings, pre-shared keys, proposals, a new start.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use mls_core::address::{ClientId, RoomAddress, UserId};
use mls_core::bridge_group::Order;
use mls_core::group_settings::{JoinPsk, Settings as Change};
use mls_core::limits::PSK_BYTES_MAX;
use mls_core::member::{
    Command, HoldPsk, ProposeCommand, ReInitCommand, UsePastEpoch, UsePsk, Wish,
};
use mls_core::wire::GroupId;

use crate::exit::Exit;
use crate::user;

/// New settings of a group; what is not named stays.
#[derive(Debug, Args)]
pub struct Settings {
    /// The group
    pub group: String,
    /// Make users admins
    #[arg(long, value_name = "USER")]
    pub admin: Vec<String>,
    /// Make users ordinary members again
    #[arg(long, value_name = "USER")]
    pub no_admin: Vec<String>,
    /// Whether every member may add others
    #[arg(long, value_name = "yes|no")]
    pub members_may_add: Option<YesNo>,
    /// Whether who is in a room of the group may join it by itself
    #[arg(long, value_name = "yes|no")]
    pub open: Option<YesNo>,
    /// Whether members need no certificate of their domain's authority
    #[arg(long, value_name = "yes|no")]
    pub basic: Option<YesNo>,
    /// Take certificates of the authorities of a domain, as this device knows them
    #[arg(long, value_name = "DOMAIN")]
    pub authority: Vec<String>,
    /// Take certificates of an authority no longer, by its fingerprint
    #[arg(long, value_name = "FINGERPRINT")]
    pub no_authority: Vec<String>,
    /// The pre-shared key that whoever comes in by itself must hold; "" for none
    #[arg(long, value_name = "NAME")]
    pub join_psk: Option<String>,
    /// Who orders the group: `room` for a group in one network that goes on without a hub
    #[arg(long, value_name = "hub|room")]
    pub order: Option<By>,
}

/// Who orders a group.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum By {
    /// The hub.
    Hub,
    /// Its room.
    Room,
}

impl By {
    fn order(self) -> Order {
        match self {
            Self::Hub => Order::Hub,
            Self::Room => Order::Room,
        }
    }
}

/// Yes or no.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum YesNo {
    /// Yes.
    Yes,
    /// No.
    No,
}

impl YesNo {
    fn is_yes(self) -> bool {
        matches!(self, Self::Yes)
    }
}

/// What to do with a pre-shared key.
#[derive(Debug, Subcommand)]
pub enum Psk {
    /// Keep a key from a file, and tell the group that this device holds it
    Hold {
        /// The group
        group: String,
        /// The key's name, which is no secret
        name: String,
        /// File whose bytes are the key (16 to 1,024 of them)
        file: PathBuf,
    },
    /// Mix a key into the group's secrets; who does not hold it is named, and nothing is done
    Use {
        /// The group
        group: String,
        /// The key's name
        name: String,
        /// Also if members do not say that they hold it: they must then come back by `rejoin`
        #[arg(long)]
        anyway: bool,
    },
    /// Mix the secret of one of the last epochs into the group's secrets
    Past {
        /// The group
        group: String,
        /// The epoch
        epoch: u64,
    },
}

/// Something that the next commit of anybody is to do.
#[derive(Debug, Args)]
pub struct Propose {
    /// The group
    pub group: String,
    /// What
    pub proposal: Proposal,
    /// The users, to add or remove
    #[arg(value_name = "USER")]
    pub users: Vec<String>,
}

/// A kind of proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Proposal {
    /// Fresh keys for this device
    Update,
    /// All devices of users come
    Add,
    /// All devices of users go
    Remove,
}

/// Fresh keys in a group, or everywhere.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("where").required(true).multiple(false)))]
pub struct Rotate {
    /// The group
    #[arg(group = "where")]
    pub group: Option<String>,
    /// Also a fresh signature key, of this group alone
    #[arg(long, conflicts_with = "everywhere")]
    pub new_key: bool,
    /// Fresh signature keys in all groups, and fresh key packages in place of all that are published
    #[arg(long, group = "where")]
    pub everywhere: bool,
}

/// A lost device.
#[derive(Debug, Args)]
pub struct Revoke {
    /// The device's id alone, or the whole client id as `members GROUP` shows it
    pub device: String,
}

impl Revoke {
    /// The client that is to go, of the same user as `own`.
    pub(crate) fn device(&self, own: &ClientId) -> Result<ClientId, Exit> {
        let whole = ClientId::parse(&self.device).or_else(|_| own.user().device(&self.device));
        let device = whole.map_err(|e| Exit::Usage(e.to_string()))?;
        match device.user() == own.user() && device != *own {
            true => Ok(device),
            false => Err(Exit::Usage(format!("{device} is not another device of this user"))),
        }
    }
}

/// A new start of a group.
#[derive(Debug, Args)]
pub struct ReInit {
    /// The group
    pub group: String,
    /// The new group's cipher suite: 1, 2 or 3
    #[arg(long, value_name = "SUITE")]
    pub suite: u16,
}

/// A Matrix room id begins with `!`; everything else is the bare JID of a MUC.
pub(crate) fn room(typed: &str) -> RoomAddress {
    if typed.starts_with('!') { RoomAddress::matrix(typed) } else { RoomAddress::xmpp(typed) }
}

/// The change of a group's settings; authorities are put in by [`crate::authorities`].
pub(crate) fn settings(settings: &Settings) -> Result<Change, Exit> {
    Ok(Change {
        admins_add: users(&settings.admin)?,
        admins_remove: users(&settings.no_admin)?,
        members_may_add: settings.members_may_add.map(YesNo::is_yes),
        open_join: settings.open.map(YesNo::is_yes),
        basic_allowed: settings.basic.map(YesNo::is_yes),
        join_psk: settings.join_psk.as_ref().map(|name| JoinPsk(name.clone().into_bytes())),
        order: settings.order.map(By::order),
        ..Change::default()
    })
}

impl Psk {
    /// The group, as it was typed.
    pub(crate) fn group(&self) -> &str {
        match self {
            Self::Hold { group, .. } | Self::Use { group, .. } | Self::Past { group, .. } => group,
        }
    }

    /// The command that it means.
    pub(crate) fn command(&self, group: GroupId) -> Result<Command, Exit> {
        Ok(match self {
            Self::Hold { name, file, .. } => {
                let (id, secret) = (name.clone().into_bytes(), read_key(file)?.into());
                Command::HoldPsk(HoldPsk { group, id, secret })
            }
            Self::Use { name, anyway, .. } => {
                Command::UsePsk(UsePsk { group, id: name.clone().into_bytes(), anyway: *anyway })
            }
            Self::Past { epoch, .. } => {
                Command::UsePastEpoch(UsePastEpoch { group, epoch: *epoch })
            }
        })
    }
}

/// The bytes of a key's file; more than a key may have are not read.
fn read_key(file: &PathBuf) -> Result<Vec<u8>, Exit> {
    let cannot = |e: std::io::Error| Exit::Usage(format!("{} cannot be read: {e}", file.display()));
    let mut key = Vec::new();
    let max = PSK_BYTES_MAX as u64;
    let mut file = std::io::Read::take(std::fs::File::open(file).map_err(cannot)?, max + 1);
    std::io::Read::read_to_end(&mut file, &mut key).map_err(cannot)?;
    Ok(key)
}

/// The command that proposes.
pub(crate) fn propose(group: GroupId, propose: &Propose) -> Result<Command, Exit> {
    let users = users(&propose.users)?;
    let wish = match (propose.proposal, users.is_empty()) {
        (Proposal::Update, true) => Wish::Update,
        (Proposal::Update, false) => {
            return Err(Exit::Usage("update is about this device: name no users".to_owned()));
        }
        (Proposal::Add | Proposal::Remove, true) => {
            return Err(Exit::Usage("name the users, such as @carol:example.org".to_owned()));
        }
        (Proposal::Add, false) => Wish::Add(users),
        (Proposal::Remove, false) => Wish::Remove(users),
    };
    Ok(Command::Propose(ProposeCommand { group, wish }))
}

/// The command that starts a group anew.
pub(crate) fn reinit(group: GroupId, suite: u16) -> Command {
    Command::ReInit(ReInitCommand { group, suite, settings: Change::default() })
}

fn users(typed: &[String]) -> Result<Vec<UserId>, Exit> {
    let users: Result<Vec<_>, _> = typed.iter().map(|typed| user::from_human(typed)).collect();
    users.map_err(|e| Exit::Usage(e.to_string()))
}
