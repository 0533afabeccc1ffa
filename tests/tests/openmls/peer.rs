//! A client of the bridge whose engine is OpenMLS: it speaks `mls_core::wire` as any other client
//! may, and has no code of `mls-core` that decides, but for what a certificate says.
//!
//! It is one device in at most one group. It talks over a [`Link`], so that the same client is in
//! the network in memory and on the real servers. What an author of such a client has to set
//! stands in [`engine`]; docs/interop.md is about it.

mod admission;
mod commit;
mod create;
mod engine;
mod error;
mod handshake;
mod identity;
mod join;
mod key_packages;
mod link;
mod message;
mod proposal;
mod psks;
mod rejoin;
mod rotate;

pub(crate) use commit::Change;
pub(crate) use error::PeerError;
pub(crate) use link::Link;

use std::collections::VecDeque;

use mls_core::address::{ClientId, RoomAddress};
use mls_core::member::Input;
use mls_core::receipt::Receipt;
use mls_core::wire::hub_info::HubInfo;
use mls_core::wire::{Answer, Digest, GroupId, Notice, Request};
use openmls::prelude::{
    BasicCredential, Ciphersuite, CredentialWithKey, MlsGroup, OpenMlsProvider as _,
};
use openmls_basic_credential::SignatureKeyPair;
use openmls_rust_crypto::OpenMlsRustCrypto;

/// One device.
pub(crate) struct OpenMlsPeer {
    pub(crate) client: ClientId,
    suite: Ciphersuite,
    /// Crypto, and a storage in memory.
    provider: OpenMlsRustCrypto,
    signer: SignatureKeyPair,
    credential: CredentialWithKey,
    /// What the hub said of itself first; it is believed from then on.
    hub: Option<HubInfo>,
    joined: Option<Joined>,
    /// What was said in the group: which device says what.
    pub(crate) heard: Vec<(ClientId, String)>,
    /// Why messages could not be read.
    pub(crate) unread: Vec<String>,
}

/// The group that the device is in.
struct Joined {
    group: MlsGroup,
    /// The receipt of the last handshake that was applied.
    last: Receipt,
    /// SHA-256 of own proposals, which the engine has taken in already.
    proposed: Vec<Digest>,
    /// Messages of epochs to come.
    early: VecDeque<Vec<u8>>,
}

impl OpenMlsPeer {
    /// A new device with a key of its own, for groups of one suite.
    pub(crate) fn new(client: ClientId, suite: Ciphersuite) -> Result<Self, PeerError> {
        let signer = SignatureKeyPair::new(suite.signature_algorithm())?;
        Ok(Self::with_key(client, suite, signer))
    }

    /// The same device after it lost everything but its key.
    pub(crate) fn without_state(self) -> Self {
        Self::with_key(self.client, self.suite, self.signer)
    }

    /// Reads the group again from what the engine has stored, as after a restart.
    pub(crate) fn reload(&mut self) -> Result<(), PeerError> {
        let Some(joined) = self.joined.as_mut() else { return Ok(()) };
        let id = joined.group.group_id().clone();
        let found = MlsGroup::load(self.provider.storage(), &id).map_err(PeerError::new)?;
        joined.group = found.ok_or_else(|| PeerError::new("the group was not stored"))?;
        Ok(())
    }

    /// Somebody who says to be the same device and has not its key.
    pub(crate) fn impostor(&self) -> Result<Self, PeerError> {
        Self::new(self.client.clone(), self.suite)
    }

    fn with_key(client: ClientId, suite: Ciphersuite, signer: SignatureKeyPair) -> Self {
        let credential = CredentialWithKey {
            credential: BasicCredential::new(client.as_str().as_bytes().to_vec()).into(),
            signature_key: signer.public().into(),
        };
        let provider = OpenMlsRustCrypto::default();
        Self {
            client,
            suite,
            provider,
            signer,
            credential,
            hub: None,
            joined: None,
            heard: Vec::new(),
            unread: Vec::new(),
        }
    }

    /// Deals with one thing that the network brought.
    pub(crate) fn take(&mut self, link: &mut impl Link, input: Input) -> Result<(), PeerError> {
        match input {
            Input::Notice(Notice::WelcomeWaiting(waiting))
                if waiting.device == self.client.device() =>
            {
                self.fetch_welcomes(link)
            }
            Input::Notice(Notice::Handshake(handshake)) => self.handshake(link, &handshake),
            Input::Message(received) => {
                self.read(&received.message);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The rooms of the group.
    pub(crate) fn rooms(&self) -> Result<Vec<RoomAddress>, PeerError> {
        Ok(admission::bridge_group(self.group()?.extensions())?.rooms())
    }

    /// The group's id.
    pub(crate) fn group_id(&self) -> Result<GroupId, PeerError> {
        Ok(GroupId(self.group()?.group_id().to_vec()))
    }

    /// RFC 9420 number of its suite.
    pub(crate) fn suite(&self) -> u16 {
        self.suite.into()
    }

    /// The group's epoch.
    pub(crate) fn epoch(&self) -> Result<u64, PeerError> {
        Ok(self.group()?.epoch().as_u64())
    }

    /// What was said, with the device that the leaf names.
    pub(crate) fn texts(&self) -> Vec<String> {
        self.heard.iter().map(|(client, text)| format!("{}: {text}", client.device())).collect()
    }

    /// What all members of an epoch, and nobody else, have in common (RFC 9420 8.7).
    pub(crate) fn epoch_authenticator(&self) -> Result<Vec<u8>, PeerError> {
        Ok(self.group()?.epoch_authenticator().as_slice().to_vec())
    }

    /// A secret that an application derives from the epoch (RFC 9420 8.5).
    pub(crate) fn export(
        &self,
        label: &str,
        context: &[u8],
        length: usize,
    ) -> Result<Vec<u8>, PeerError> {
        let secret = self.group()?.export_secret(self.provider.crypto(), label, context, length);
        secret.map_err(PeerError::new)
    }

    /// The clients in the group, in the order of the tree.
    pub(crate) fn members(&self) -> Result<Vec<ClientId>, PeerError> {
        self.group()?.members().map(|member| identity::client_id(&member.credential)).collect()
    }

    /// Whether the device was in a group and has been removed.
    pub(crate) fn is_removed(&self) -> bool {
        self.joined.as_ref().is_some_and(|joined| !joined.group.is_active())
    }

    /// The hub's own words, asked for once.
    pub(crate) fn hub(&mut self, link: &mut impl Link) -> Result<HubInfo, PeerError> {
        if self.hub.is_none() {
            match link.ask(Request::HubInfo)? {
                Answer::HubInfo(info) => self.hub = Some(info),
                other => return Err(PeerError::answer(&other)),
            }
        }
        self.hub.clone().ok_or_else(|| PeerError::new("there is no hub"))
    }

    fn joined(&mut self) -> Result<&mut Joined, PeerError> {
        self.joined.as_mut().ok_or_else(|| PeerError::new("the device is in no group"))
    }

    fn group(&self) -> Result<&MlsGroup, PeerError> {
        let joined = self.joined.as_ref();
        joined.map(|joined| &joined.group).ok_or_else(|| PeerError::new("in no group"))
    }

    /// Whether somebody's proposal waits for a commit.
    pub(crate) fn has_pending_proposals(&self) -> Result<bool, PeerError> {
        Ok(self.group()?.has_pending_proposals())
    }
}
