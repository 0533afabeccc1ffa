//! Proposals by reference. The engine takes an own one in when it is made, before the hub has.

use mls_core::address::{ClientId, UserId};
use mls_core::engine::sha256;
use mls_core::wire::submit_proposal::SubmitProposal;
use mls_core::wire::{Answer, Request};
use openmls::ciphersuite::hash_ref::ProposalRef;
use openmls::prelude::tls_codec::Serialize as _;
use openmls::prelude::{LeafNodeParameters, OpenMlsProvider as _, ProposalOrRefType, Propose};

use super::{Link, OpenMlsPeer, PeerError, engine};

impl OpenMlsPeer {
    /// Proposes to renew the own leaf; somebody else commits it.
    pub(crate) fn propose_update(&mut self, link: &mut impl Link) -> Result<(), PeerError> {
        let leaf = LeafNodeParameters::builder()
            .with_capabilities(engine::capabilities(self.provider.rand())?)
            .build();
        self.propose(link, Propose::Update(leaf))
    }

    /// Proposes to remove a device.
    pub(crate) fn propose_remove(
        &mut self,
        link: &mut impl Link,
        client: &ClientId,
    ) -> Result<(), PeerError> {
        let leaf = self.leaves(std::slice::from_ref(client))?;
        leaf.iter().try_for_each(|leaf| self.propose(link, Propose::Remove(leaf.u32())))
    }

    /// Proposes to add all devices of a user.
    pub(crate) fn propose_add(
        &mut self,
        link: &mut impl Link,
        user: &UserId,
    ) -> Result<(), PeerError> {
        let packages = self.claim(link, std::slice::from_ref(user))?;
        packages.into_iter().try_for_each(|package| self.propose(link, Propose::Add(package)))
    }

    /// Proposes its own removal in the way of draft-ietf-mls-extensions.
    pub(crate) fn propose_self_remove(&mut self, link: &mut impl Link) -> Result<(), PeerError> {
        let (group, epoch) = (self.group_id()?, self.epoch()?);
        let (provider, signer) = (&self.provider, &self.signer);
        let joined = self.joined.as_mut().ok_or_else(|| PeerError::new("in no group"))?;
        let message = joined.group.leave_group_via_self_remove(provider, signer);
        let proposal = message.map_err(PeerError::new)?.tls_serialize_detached()?;
        joined.group.clear_pending_proposals(provider.storage()).map_err(PeerError::new)?;
        let submission = SubmitProposal { group, epoch, proposal };
        link.ask(Request::SubmitProposal(submission)).map(drop)
    }

    fn propose(&mut self, link: &mut impl Link, what: Propose) -> Result<(), PeerError> {
        let (group, epoch) = (self.group_id()?, self.epoch()?);
        let (provider, signer) = (&self.provider, &self.signer);
        let joined = self.joined.as_mut().ok_or_else(|| PeerError::new("in no group"))?;
        let (message, reference) = joined
            .group
            .propose(provider, signer, what, ProposalOrRefType::Reference)
            .map_err(PeerError::new)?;
        let proposal = message.tls_serialize_detached()?;
        joined.proposed.push(sha256(&proposal));
        let submission = SubmitProposal { group, epoch, proposal: proposal.clone() };
        match link.ask(Request::SubmitProposal(submission)) {
            Ok(Answer::Receipt(receipt)) => self.accepted(link, &receipt, &proposal).map(drop),
            Ok(other) => Err(PeerError::answer(&other)),
            Err(error) => self.take_back(&reference).and(Err(error)),
        }
    }

    /// The hub did not take it: the own engine must not commit it either.
    fn take_back(&mut self, reference: &ProposalRef) -> Result<(), PeerError> {
        let provider = &self.provider;
        let joined = self.joined.as_mut().ok_or_else(|| PeerError::new("in no group"))?;
        joined.group.remove_pending_proposal(provider.storage(), reference).map_err(PeerError::new)
    }
}
