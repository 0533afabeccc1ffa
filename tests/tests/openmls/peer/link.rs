//! What the peer needs of a network: in memory it is a call, on a server it takes a while.

use mls_core::address::RoomAddress;
use mls_core::member::{KeyPackageUpload, OutgoingMessage};
use mls_core::wire::{Answer, Request};

use super::PeerError;

/// The way of one device to the hub and into its rooms.
pub(crate) trait Link {
    /// Milliseconds since 1970.
    fn now_ms(&self) -> u64;

    /// Asks the hub and waits for the answer. Parts of both are inline.
    fn ask(&mut self, request: Request) -> Result<Answer, PeerError>;

    /// Puts key packages where the network keeps them. `sign` signs with the device's MLS
    /// signature key.
    fn upload(
        &mut self,
        upload: &KeyPackageUpload,
        sign: impl Fn(&[u8]) -> Result<Vec<u8>, String>,
    ) -> Result<(), PeerError>;

    /// Accepts the invitation to a room of the own network, and enters it.
    fn join_room(&mut self, room: &RoomAddress) -> Result<(), PeerError>;

    /// Posts a message into a room of the own network.
    fn post(&mut self, message: OutgoingMessage) -> Result<(), PeerError>;
}
