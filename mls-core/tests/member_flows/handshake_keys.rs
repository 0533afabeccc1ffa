//! The keys of all handshakes of a world: for tests that look at what stands in rooms, or change it as
//! a dishonest hub can.

use std::cell::RefCell;
use std::rc::Rc;

use mls_core::seal::handshake_key::HandshakeKey;
use mls_core::wire::Request;
use mls_core::wire::handshake::{Handshake, SealedHandshake};

/// Clones share the keys.
#[derive(Clone, Default)]
pub(crate) struct HandshakeKeys(Rc<RefCell<Vec<HandshakeKey>>>);

impl HandshakeKeys {
    /// Takes the key out of a request that begins an epoch.
    pub(crate) fn learn(&self, request: &Request) {
        let key = match request {
            Request::RegisterGroup(r) => &r.handshake_key,
            Request::RegisterSuccessor(r) => &r.founded.handshake_key,
            Request::RegisterBranch(r) => &r.founded.handshake_key,
            Request::SubmitCommit(r) => &r.handshake_key,
            _ => return,
        };
        self.0.borrow_mut().push(key.clone());
    }

    /// A handshake of a room.
    pub(crate) fn open(&self, sealed: &SealedHandshake) -> Handshake {
        self.open_with(sealed).unwrap().1
    }

    /// Changes what is sealed.
    pub(crate) fn change(&self, sealed: &mut SealedHandshake, change: impl FnOnce(&mut Handshake)) {
        let (key, mut handshake) = self.open_with(sealed).unwrap();
        change(&mut handshake);
        *sealed = key.seal(&handshake).unwrap();
    }

    /// A handshake of the epoch that began last.
    pub(crate) fn seal(&self, handshake: &Handshake) -> SealedHandshake {
        self.0.borrow().last().unwrap().seal(handshake).unwrap()
    }

    fn open_with(&self, sealed: &SealedHandshake) -> Option<(HandshakeKey, Handshake)> {
        let keys = self.0.borrow();
        let mut opened = keys.iter().filter_map(|key| Some((key.clone(), key.open(sealed).ok()?)));
        opened.next()
    }
}
