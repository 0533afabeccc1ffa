//! The command line of branching: a group of some members of another.

use clap::Args;
use mls_core::address::UserId;
use mls_core::member::{BranchCommand, Command};
use mls_core::wire::GroupId;
use mls_core::wire::create_room::CreateRoom;

use crate::exit::Exit;
use crate::user;

/// Who is to be in a branch, and where.
#[derive(Debug, Args)]
pub struct Branch {
    /// The group that it branches from
    pub group: String,
    /// Members of that, beside yourself: with all their devices that are in it
    #[arg(required = true, value_name = "USER")]
    pub users: Vec<String>,
    /// What people will call the branch's rooms
    #[arg(long)]
    pub name: String,
    /// With a Matrix room
    #[arg(long)]
    pub matrix: bool,
    /// With an XMPP multi-user chat
    #[arg(long)]
    pub xmpp: bool,
}

impl Branch {
    /// The command that it means.
    pub(crate) fn command(&self, parent: GroupId) -> Result<Command, Exit> {
        let users: Result<Vec<UserId>, _> =
            self.users.iter().map(|typed| user::from_human(typed)).collect();
        let users = users.map_err(|e| Exit::Usage(e.to_string()))?;
        let rooms = rooms(self.name.clone(), self.matrix, self.xmpp);
        Ok(branch(parent, users, rooms))
    }
}

/// A branch of a group.
pub(crate) fn branch(parent: GroupId, users: Vec<UserId>, rooms: CreateRoom) -> Command {
    Command::Branch(BranchCommand { parent, users, rooms })
}

/// Rooms on the networks named; on both, if none is.
pub(crate) fn rooms(name: String, matrix: bool, xmpp: bool) -> CreateRoom {
    let both = !matrix && !xmpp;
    CreateRoom { matrix: matrix || both, xmpp: xmpp || both, name }
}
