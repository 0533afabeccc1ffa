//! The place of a peer in the networks: what came for it, and its link.

use std::collections::VecDeque;

use mls_core::address::{ClientId, Network, RoomAddress};
use mls_core::hub::Reply;
use mls_core::member::{Input, KeyPackageUpload, OutgoingMessage};
use mls_core::wire::{Answer, Request};

use super::carry::publication;
use super::{Packages, World};
use crate::peer::{Link, OpenMlsPeer, PeerError};

/// What the networks keep for a device that is no member of ours.
pub(crate) struct Place {
    pub(super) client: ClientId,
    pub(super) inbox: VecDeque<Input>,
    pub(super) packages: Packages,
}

impl Place {
    pub(super) fn new(client: ClientId) -> Self {
        Self { client, inbox: VecDeque::new(), packages: Packages::default() }
    }
}

/// A place, as a link.
pub(crate) struct At<'a> {
    pub(super) world: &'a mut World,
    pub(super) index: usize,
}

impl At<'_> {
    fn place(&mut self) -> &mut Place {
        &mut self.world.places[self.index]
    }

    /// All that came.
    pub(crate) fn take_inbox(&mut self) -> VecDeque<Input> {
        std::mem::take(&mut self.place().inbox)
    }
}

impl Link for At<'_> {
    fn now_ms(&self) -> u64 {
        self.world.now_ms
    }

    fn ask(&mut self, request: Request) -> Result<Answer, PeerError> {
        let user = self.place().client.user();
        match self.world.ask(&user, request) {
            Reply::Ok(answer) => Ok(answer),
            Reply::Refused(refusal) => Err(refusal.into()),
            Reply::Sealed(_) => panic!("nothing was sealed"),
        }
    }

    fn upload(
        &mut self,
        upload: &KeyPackageUpload,
        _sign: impl Fn(&[u8]) -> Result<Vec<u8>, String>,
    ) -> Result<(), PeerError> {
        let client = self.place().client.clone();
        match client.network() {
            Network::Matrix => {
                self.place().packages.take(upload.clone());
                Ok(())
            }
            Network::Xmpp => {
                let publish = publication(&client.device(), upload.clone());
                self.ask(Request::PublishKeyPackages(publish)).map(drop)
            }
        }
    }

    fn join_room(&mut self, room: &RoomAddress) -> Result<(), PeerError> {
        let user = self.place().client.user();
        self.world.enter(room, &user).map_err(PeerError::new)
    }

    fn post(&mut self, message: OutgoingMessage) -> Result<(), PeerError> {
        let user = self.place().client.user();
        self.world.post(&message.room, &user, message.message, message.checkpoint);
        Ok(())
    }
}

impl World {
    /// Lets a peer deal with all that came for it, until nothing more comes.
    pub(crate) fn deliver(&mut self, peer: &mut OpenMlsPeer) -> Result<(), PeerError> {
        loop {
            let client = peer.client.clone();
            let inbox = self.at(&client).take_inbox();
            if inbox.is_empty() {
                return Ok(());
            }
            for input in inbox {
                peer.take(&mut self.at(&client), input)?;
            }
        }
    }
}
