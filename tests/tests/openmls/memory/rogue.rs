//! A hub gone bad: its own keys, in the hands of somebody who keeps no rules.

use mls_core::engine::{HubClient, hub_client};
use mls_core::receipt::{Receipt, ReceiptKind};
use mls_core::store::Store as _;
use mls_core::wire::fetch_handshakes::FetchHandshakes;
use mls_core::wire::handshake::Handshake;
use mls_core::wire::{Answer, GroupId, Request};
use mls_rs::MlsMessage;
use mls_rs::group::ExportedTree;
use mls_rs::identity::SigningIdentity;
use mls_rs_codec::{MlsDecode, MlsSize};
use mls_rs_core::crypto::{SignaturePublicKey, SignatureSecretKey};

use super::World;

/// A key pair, as the hub stores it.
#[derive(MlsSize, MlsDecode)]
struct StoredKey {
    secret: SignatureSecretKey,
    _public: SignaturePublicKey,
}

impl World {
    /// What nobody accepted, with a receipt by the hub's key as the next of the group.
    pub(crate) fn sign_anyway(
        &mut self,
        group: &GroupId,
        kind: ReceiptKind,
        epoch: u64,
        message: Vec<u8>,
    ) -> Handshake {
        let alice = self.user(0);
        let last = self.last_receipt(group, &alice);
        let key = self.hub_key(b"receipt").secret;
        let receipt =
            Receipt::sign(&key, Some(&last), kind, group, epoch, &message, self.now_ms).unwrap();
        Handshake {
            group: group.clone(),
            seq: receipt.tbs.seq,
            epoch,
            message: message.into(),
            receipt: receipt.to_bytes().unwrap(),
        }
    }

    /// An Add of a key package, proposed from outside by the hub's own sender.
    pub(crate) fn hub_proposes_add(&mut self, group: &GroupId, package: &[u8]) -> Vec<u8> {
        let member = self.engine(0, group);
        let info = member.group_info_message_allowing_ext_commit(false).unwrap();
        let tree = member.export_tree().to_bytes().unwrap();
        let tree = ExportedTree::from_bytes(&tree).unwrap();
        let mut public = self.hub_as_sender(1).observe_group(info, Some(tree), None).unwrap();
        let package = MlsMessage::from_bytes(package).unwrap();
        public.propose_add(package, Vec::new()).unwrap().to_bytes().unwrap()
    }

    fn hub_as_sender(&mut self, suite: u16) -> HubClient {
        let alice = self.user(0);
        let Ok(Answer::HubInfo(info)) = self.ask_as(&alice, Request::HubInfo) else {
            panic!("the hub says nothing of itself");
        };
        let sender = info.senders.iter().find(|sender| sender.suite == suite).unwrap();
        let identity = SigningIdentity::mls_decode(&mut sender.identity.as_slice()).unwrap();
        let place = [b"sender".as_slice(), &suite.to_be_bytes()].concat();
        hub_client(mls_core::crypto::Crypto::system(), self.hub_key(&place).secret, identity)
    }

    fn hub_key(&self, name: &[u8]) -> StoredKey {
        let bytes = self.hub_store.get("hub_key", name).unwrap().unwrap();
        StoredKey::mls_decode(&mut bytes.as_slice()).unwrap()
    }

    fn last_receipt(&mut self, group: &GroupId, of: &mls_core::address::UserId) -> Receipt {
        let mut from_seq = 1;
        loop {
            let fetch = FetchHandshakes { group: group.clone(), from_seq };
            let Ok(Answer::Handshakes(found)) = self.ask_as(of, Request::FetchHandshakes(fetch))
            else {
                panic!("no handshakes");
            };
            let last = found.handshakes.last().unwrap();
            if last.seq == found.last_seq {
                return Receipt::from_bytes(&last.receipt).unwrap();
            }
            from_seq = last.seq + 1;
        }
    }
}
