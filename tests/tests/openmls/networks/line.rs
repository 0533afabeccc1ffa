//! A connection as a link: requests wait for their answers, what else comes waits for the peer.

use std::collections::VecDeque;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mls_core::address::{ClientId, RoomAddress};
use mls_core::delivery::DeliveryError;
use mls_core::member::{Input, KeyPackageUpload, OutgoingMessage};
use mls_core::seal::Sealer;
use mls_core::wire::{Answer, Request};
use tests::deadline::{STEP, until};
use tests::error::RigError;

use crate::peer::{Link, OpenMlsPeer, PeerError};

/// How long one look for something new takes at most.
const LOOK: Duration = Duration::from_millis(50);

/// What the adapters' connections have in common, one call at a time.
pub(super) trait Net {
    fn request(&self, id: &str, request: &Request) -> Result<(), DeliveryError>;
    fn upload(
        &self,
        upload: &KeyPackageUpload,
        sign: impl Fn(&[u8]) -> Result<Vec<u8>, String>,
    ) -> Result<u32, DeliveryError>;
    fn join_room(&self, room: &RoomAddress) -> Result<(), DeliveryError>;
    fn post(&self, message: &OutgoingMessage) -> Result<(), DeliveryError>;
}

/// A connected device.
pub(super) struct Line<N> {
    pub(super) client: ClientId,
    net: N,
    incoming: Receiver<Input>,
    waiting: VecDeque<Input>,
    requests: u64,
    sealer: Sealer,
}

impl<N: Net> Line<N> {
    pub(super) fn new(client: ClientId, net: N, incoming: Receiver<Input>, sealer: Sealer) -> Self {
        Self { client, net, incoming, waiting: VecDeque::new(), requests: 0, sealer }
    }

    /// Lets the peer deal with what comes until a condition holds.
    pub(super) fn until(
        &mut self,
        peer: &mut OpenMlsPeer,
        what: &str,
        mut holds: impl FnMut(&OpenMlsPeer) -> Result<bool, RigError>,
    ) -> Result<(), RigError> {
        until(
            what,
            STEP,
            || {
                self.waiting.extend(self.incoming.recv_timeout(LOOK));
                while let Some(input) = self.waiting.pop_front() {
                    peer.take(self, input)?;
                }
                Ok(holds(peer)?.then_some(()))
            },
            String::new,
        )
    }
}

impl<N: Net> Link for Line<N> {
    fn now_ms(&self) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
    }

    fn ask(&mut self, request: Request) -> Result<Answer, PeerError> {
        self.requests += 1;
        let id = format!("openmls-{}", self.requests);
        tried(|| self.net.request(&id, &request))?;
        let end = Instant::now() + STEP;
        while Instant::now() < end {
            match self.incoming.recv_timeout(LOOK) {
                Ok(Input::Answer(answered, result)) if answered == id => {
                    if let Ok(Answer::HubInfo(info)) = &result {
                        self.sealer.use_key(&info.seal_key);
                    }
                    return Ok(result?);
                }
                Ok(other) => self.waiting.push_back(other),
                Err(_) => {}
            }
        }
        Err(PeerError::new(format!("no answer to {request:?}")))
    }

    fn upload(
        &mut self,
        upload: &KeyPackageUpload,
        sign: impl Fn(&[u8]) -> Result<Vec<u8>, String>,
    ) -> Result<(), PeerError> {
        tried(|| self.net.upload(upload, &sign).map(drop))
    }

    /// The invitation may come after the Welcome: until then the room says no.
    fn join_room(&mut self, room: &RoomAddress) -> Result<(), PeerError> {
        let mut why = String::new();
        let look = || match self.net.join_room(room) {
            Ok(()) => Ok(Some(())),
            Err(error) => {
                why = error.to_string();
                Ok(None)
            }
        };
        until(&format!("{room} is entered"), STEP, look, String::new)
            .map_err(|error| PeerError::new(format!("{error}: {why}")))
    }

    fn post(&mut self, message: OutgoingMessage) -> Result<(), PeerError> {
        tried(|| self.net.post(&message))
    }
}

/// Tries again as long as the network says "later".
fn tried(mut attempt: impl FnMut() -> Result<(), DeliveryError>) -> Result<(), PeerError> {
    let look = || match attempt() {
        Ok(()) => Ok(Some(())),
        Err(DeliveryError::Later { .. }) => Ok(None),
        Err(error) => Err(RigError::Answer(error.to_string())),
    };
    until("the network takes it", STEP, look, String::new).map_err(PeerError::new)
}
