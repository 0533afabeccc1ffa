//! The command line of rooms that are made for a group.

use clap::Args;
use mls_core::wire::create_room::CreateRoom;

/// Rooms to make: on the networks named, or on both.
#[derive(Debug, Args)]
pub struct Rooms {
    /// What people will call the group's rooms
    #[arg(long)]
    pub name: String,
    /// With a Matrix room
    #[arg(long)]
    pub matrix: bool,
    /// With an XMPP multi-user chat
    #[arg(long)]
    pub xmpp: bool,
}

impl From<Rooms> for CreateRoom {
    fn from(rooms: Rooms) -> Self {
        let Rooms { name, matrix, xmpp } = rooms;
        let both = !matrix && !xmpp;
        Self { matrix: matrix || both, xmpp: xmpp || both, name }
    }
}
