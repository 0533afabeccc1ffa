//! What a connection starts from, and what it hands out.

use mls_core::address::RoomAddress;
use mls_core::member::Input;
use mls_core::seal::Sealer;
use tokio::sync::oneshot;

use super::Session;

/// What a connection starts from; the caller keeps all of it.
#[derive(Debug)]
pub struct ClientSetup {
    /// From [`super::log_in`].
    pub session: Session,
    /// The hub's Matrix user id, such as `@mls:example.org`.
    pub hub: String,
    /// The member's ([`mls_core::member::Member::sealer`]).
    pub sealer: Sealer,
    /// [`Batch::since`] of the last batch that was committed.
    pub since: Option<String>,
    /// The last [`Batch::control_room`].
    pub control_room: Option<String>,
    /// The last [`Batch::authority_room`].
    pub authority_room: Option<String>,
}

/// What one /sync brought.
#[derive(Debug)]
pub struct Batch {
    /// What happened, in order.
    pub inputs: Vec<Input>,
    /// Rooms of ours that this account is invited to.
    pub invitations: Vec<RoomAddress>,
    /// Where the next /sync goes on: commit it with what the inputs changed.
    pub since: String,
    /// The control room, once there is one: commit it too.
    pub control_room: Option<String>,
    /// The same with the authority, where that is a service of its own.
    pub authority_room: Option<String>,
    /// Fire it after the commit; dropped, the same batch comes again.
    pub done: oneshot::Sender<()>,
}
