//! Application messages: MIMI content in PrivateMessages.

use mls_core::content::{Content, SALT_BYTES, decode, encode_text};
use mls_core::crypto::Crypto;
use mls_core::engine::sha256;
use mls_core::member::OutgoingMessage;
use openmls::prelude::tls_codec::{Deserialize as _, Serialize as _};
use openmls::prelude::{MlsMessageIn, ProcessedMessageContent};

use super::{Change, Link, OpenMlsPeer, PeerError, identity};

impl OpenMlsPeer {
    /// Says something in the own network's room of the group. What waits for a commit is
    /// committed before: engines encrypt nothing while a proposal waits.
    pub(crate) fn say(&mut self, link: &mut impl Link, text: &str) -> Result<(), PeerError> {
        self.catch_up(link)?;
        if self.has_pending_proposals()? {
            self.commit(link, &Change::Pending)?;
        }
        link.post(self.encrypt(text)?)
    }

    /// A message for the room, without posting it.
    pub(crate) fn encrypt(&mut self, text: &str) -> Result<OutgoingMessage, PeerError> {
        let own = self.client.network();
        let room = self.rooms()?.into_iter().find(|room| room.network == own);
        let room = room.ok_or_else(|| PeerError::new("the group has no room on this network"))?;
        let salt = <[u8; SALT_BYTES]>::try_from(Crypto::system().random_bytes(SALT_BYTES)?)
            .map_err(|_| PeerError::new("the salt has another length"))?;
        let content = encode_text(text, salt)?;
        let (group, epoch, suite) = (self.group_id()?, self.epoch()?, self.suite.into());
        let (provider, signer) = (&self.provider, &self.signer);
        let joined = self.joined.as_mut().ok_or_else(|| PeerError::new("in no group"))?;
        let message =
            joined.group.create_message(provider, signer, &content).map_err(PeerError::new)?;
        let message = message.tls_serialize_detached()?;
        Ok(OutgoingMessage {
            id: sha256(&message),
            room,
            group,
            epoch,
            suite,
            message,
            // A client need not send any.
            checkpoint: None,
        })
    }

    /// A message came in a room; one that cannot be read stops nothing.
    pub(super) fn read(&mut self, bytes: &[u8]) {
        if let Err(error) = self.message(bytes) {
            self.unread.push(error.to_string());
        }
    }

    /// One of an epoch to come is kept until that has come; what this
    /// device itself has said is passed over.
    fn message(&mut self, bytes: &[u8]) -> Result<(), PeerError> {
        let message = MlsMessageIn::tls_deserialize_exact(bytes)?;
        let message = message.try_into_protocol_message().map_err(PeerError::new)?;
        let provider = &self.provider;
        let Some(joined) = self.joined.as_mut() else { return Ok(()) };
        if message.is_handshake_message() {
            return Err(PeerError::new("a room may not bring handshakes"));
        }
        if !joined.group.is_active() || message.group_id() != joined.group.group_id() {
            return Ok(());
        }
        if message.epoch() > joined.group.epoch() {
            joined.early.push_back(bytes.to_vec());
            return Ok(());
        }
        let processed = joined.group.process_message(provider, message).map_err(PeerError::new)?;
        let credential = processed.credential().clone();
        match processed.into_content() {
            ProcessedMessageContent::ApplicationMessage(content) => {
                let sender = identity::client_id(&credential)?;
                if let Content::Text(text) = decode(&content.into_bytes())? {
                    self.heard.push((sender, text));
                }
                Ok(())
            }
            ProcessedMessageContent::OwnPrivateMessage => Ok(()),
            _ => Err(PeerError::new("a message in a room is no application message")),
        }
    }

    /// Reads what came before its epoch.
    pub(super) fn read_early(&mut self) -> Result<(), PeerError> {
        let early = std::mem::take(&mut self.joined()?.early);
        early.iter().for_each(|bytes| self.read(bytes));
        Ok(())
    }
}
