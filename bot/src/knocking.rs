//! The command line of knocking: to ask to be let into a group, and what an admin says to it.

use clap::Args;
use mls_core::address::UserId;
use mls_core::member::{Command, MembersCommand};
use mls_core::wire::GroupId;
use mls_core::wire::knock::DenyKnock;

use crate::exit::Exit;
use crate::user;

/// Where to knock.
#[derive(Debug, Args)]
pub struct Knock {
    /// A room of the group, on either network: !id:server on Matrix, name@domain on XMPP
    pub room: String,
}

/// Who knocked at which group.
#[derive(Debug, Args)]
pub struct Knocker {
    /// The group
    pub group: String,
    /// Who knocked, such as @carol:example.org or dave@example.org
    pub user: String,
}

impl Knocker {
    /// The account.
    pub(crate) fn account(&self) -> Result<UserId, Exit> {
        user::from_human(&self.user).map_err(|e| Exit::Usage(e.to_string()))
    }
}

/// Yes: an invitation, which also lets them into the rooms.
pub(crate) fn accept(group: GroupId, user: UserId) -> Command {
    Command::Invite(MembersCommand { group, users: vec![user] })
}

/// No.
pub(crate) fn deny(group: GroupId, user: UserId) -> Command {
    Command::DenyKnock(DenyKnock { group, user })
}
