//! Handshakes in the hub's order: each is applied on its receipt, the own ones too.

use mls_core::engine::sha256;
use mls_core::receipt::Receipt;
use mls_core::seal::handshake_key::{HandshakeKey, LENGTH};
use mls_core::wire::fetch_handshakes::FetchHandshakes;
use mls_core::wire::handshake::{Handshake, SealedHandshake};
use mls_core::wire::hub_info::HubInfo;
use mls_core::wire::{Answer, GroupId, Request};
use openmls::prelude::tls_codec::Deserialize as _;
use openmls::prelude::{MlsMessageIn, ProcessedMessageContent};

use super::join::inline;
use super::{Joined, Link, OpenMlsPeer, PeerError, admission};

impl OpenMlsPeer {
    /// A handshake came in a room: it is applied if it is the next, passed over if it is old, and
    /// if some before it are missing, or it does not open under the epoch's key, it is fetched.
    pub(super) fn handshake(
        &mut self,
        link: &mut impl Link,
        sealed: &SealedHandshake,
    ) -> Result<(), PeerError> {
        let Some(joined) = &self.joined else { return Ok(()) };
        let (inside, last) = (joined.group.is_active(), joined.last.tbs.seq);
        if !inside || sealed.group != self.group_id()? || sealed.seq <= last {
            Ok(())
        } else if let (true, Ok(handshake)) =
            (sealed.seq == last.saturating_add(1), self.handshake_key()?.open(sealed))
        {
            self.apply(link, &handshake)
        } else {
            self.catch_up(link)
        }
    }

    /// The key under which handshakes of the group's epoch stand in rooms.
    pub(crate) fn handshake_key(&self) -> Result<HandshakeKey, PeerError> {
        key(&self.export(LABEL_TEXT, &[], LENGTH)?)
    }

    /// Fetches and applies what the hub has ordered since.
    pub(crate) fn catch_up(&mut self, link: &mut impl Link) -> Result<(), PeerError> {
        loop {
            let (group, from_seq) = (self.group_id()?, self.joined()?.last.tbs.seq + 1);
            let fetch = Request::FetchHandshakes(FetchHandshakes { group, from_seq });
            let found = match link.ask(fetch)? {
                Answer::Handshakes(found) => found,
                other => return Err(PeerError::answer(&other)),
            };
            for handshake in &found.handshakes {
                self.apply(link, handshake)?;
            }
            let here = self.joined()?.last.tbs.seq;
            if here >= found.last_seq || found.handshakes.is_empty() || self.is_removed() {
                return Ok(());
            }
        }
    }

    /// Applies the next handshake, if its receipt says that it is that.
    fn apply(&mut self, link: &mut impl Link, handshake: &Handshake) -> Result<(), PeerError> {
        let hub = self.hub(link)?;
        let (group, bytes) = (self.group_id()?, inline(&handshake.message)?);
        let receipt = verified(&handshake.receipt, &hub, &group, bytes)?;
        receipt.follows(&self.joined()?.last, link.now_ms())?;
        self.process(bytes)?;
        self.joined()?.last = receipt;
        self.read_early()
    }

    /// The hub has accepted what this device submitted. Others may have been before it.
    pub(super) fn accepted(
        &mut self,
        link: &mut impl Link,
        receipt: &[u8],
        message: &[u8],
    ) -> Result<Receipt, PeerError> {
        let hub = self.hub(link)?;
        let receipt = verified(receipt, &hub, &self.group_id()?, message)?;
        if receipt.follows(&self.joined()?.last, link.now_ms()).is_ok() {
            self.process(message)?;
            self.joined()?.last = receipt.clone();
            self.read_early()?;
        } else {
            self.catch_up(link)?;
        }
        Ok(receipt)
    }

    fn process(&mut self, bytes: &[u8]) -> Result<(), PeerError> {
        let provider = &self.provider;
        let joined = self.joined.as_mut().ok_or_else(|| PeerError::new("in no group"))?;
        let Joined { group, proposed, .. } = joined;
        if proposed.contains(&sha256(bytes)) {
            return Ok(());
        }
        let message = MlsMessageIn::tls_deserialize_exact(bytes)?;
        let message = message.try_into_protocol_message().map_err(PeerError::new)?;
        let processed = group.process_message(provider, message).map_err(PeerError::new)?;
        let sender = processed.sender().clone();
        match processed.into_content() {
            ProcessedMessageContent::OwnPendingCommit => {
                group.merge_pending_commit(provider).map_err(PeerError::new)?;
            }
            ProcessedMessageContent::StagedCommitMessage(commit) => {
                admission::check_commit(group, &sender, &commit)?;
                // An own pending commit has lost the race: merging another clears it.
                group.merge_staged_commit(provider, *commit).map_err(PeerError::new)?;
            }
            ProcessedMessageContent::ProposalMessage(proposal) => {
                admission::check_by_reference(&proposal)?;
                admission::check_proposal(group, &proposal)?;
                let storage = openmls::prelude::OpenMlsProvider::storage(provider);
                group.store_pending_proposal(storage, *proposal).map_err(PeerError::new)?;
            }
            _ => return Err(PeerError::new("a handshake is neither proposal nor commit")),
        }
        Ok(())
    }
}

/// The exporter's label, which OpenMLS wants as text.
pub(super) const LABEL_TEXT: &str = "mls-bridge 0 handshake";

/// The key of handshakes, from what the exporter gave.
pub(super) fn key(exported: &[u8]) -> Result<HandshakeKey, PeerError> {
    let key = HandshakeKey::from_exported(exported);
    key.ok_or_else(|| PeerError::new("the exporter gave another length"))
}

/// A receipt that the hub signed for this message in this group.
pub(super) fn verified(
    receipt: &[u8],
    hub: &HubInfo,
    group: &GroupId,
    message: &[u8],
) -> Result<Receipt, PeerError> {
    let receipt = Receipt::from_bytes(receipt)?;
    check_key(&receipt, hub)?;
    receipt.covers(group, message)?;
    Ok(receipt)
}

/// Whether the hub signed it.
pub(super) fn check_key(receipt: &Receipt, hub: &HubInfo) -> Result<(), PeerError> {
    Ok(receipt.verify(&hub.receipt_key.clone().into())?)
}
