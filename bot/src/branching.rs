//! The command line of branching: a group of some members of another.

use clap::Args;
use mls_core::address::UserId;
use mls_core::member::{BranchCommand, Command};
use mls_core::wire::GroupId;
use mls_core::wire::create_room::CreateRoom;

use crate::exit::Exit;
use crate::rooms::Rooms;
use crate::user;

/// Who is to be in a branch, and where.
#[derive(Debug, Args)]
pub struct Branch {
    /// The group that it branches from
    pub group: String,
    /// Members of that, beside yourself: with all their devices that are in it
    #[arg(required = true, value_name = "USER")]
    pub users: Vec<String>,
    /// Its rooms
    #[command(flatten)]
    pub rooms: Rooms,
}

impl Branch {
    /// The command that it means.
    pub(crate) fn command(self, parent: GroupId) -> Result<Command, Exit> {
        let users: Result<Vec<UserId>, _> =
            self.users.iter().map(|typed| user::from_human(typed)).collect();
        let users = users.map_err(|e| Exit::Usage(e.to_string()))?;
        Ok(branch(parent, users, self.rooms.into()))
    }
}

/// A branch of a group.
pub(crate) fn branch(parent: GroupId, users: Vec<UserId>, rooms: CreateRoom) -> Command {
    Command::Branch(BranchCommand { parent, users, rooms })
}
