//! Coming back by an external commit that replaces the own leaf, with the same signature key.

use mls_core::address::RoomAddress;
use mls_core::engine::sha256;
use mls_core::receipt::Receipt;
use mls_core::seal::handshake_key::LENGTH;
use mls_core::wire::fetch_group_info::FetchGroupInfo;
use mls_core::wire::find_group::FindGroup;
use mls_core::wire::submit_commit::SubmitCommit;
use mls_core::wire::{Answer, GroupId, Request};
use openmls::prelude::PreSharedKeyProposal;
use openmls::prelude::tls_codec::Deserialize as _;
use openmls::prelude::{
    LeafNodeParameters, MlsGroup, MlsMessageBodyIn, MlsMessageIn, OpenMlsProvider as _,
    RatchetTreeIn,
};
use openmls_rust_crypto::OpenMlsRustCrypto;

use super::handshake::LABEL_TEXT;
use super::join::inline;
use super::{Joined, Link, OpenMlsPeer, PeerError, admission, engine, handshake, identity};

/// A way back that the hub has not accepted yet.
pub(crate) struct WayBack {
    group: MlsGroup,
    /// Its state. OpenMLS merges an external commit when it is made; the state that the device
    /// has must not be overwritten before the hub has said yes.
    storage: OpenMlsRustCrypto,
    base: Receipt,
    submission: SubmitCommit,
}

impl OpenMlsPeer {
    /// Comes back into a group.
    pub(crate) fn rejoin(
        &mut self,
        link: &mut impl Link,
        group: &GroupId,
    ) -> Result<(), PeerError> {
        let way = self.prepare_rejoin(link, group)?;
        self.come_back(link, way)
    }

    /// Joins the group of a room by itself, where the group is open.
    pub(crate) fn join_open(
        &mut self,
        link: &mut impl Link,
        room: &RoomAddress,
    ) -> Result<(), PeerError> {
        match link.ask(Request::FindGroup(FindGroup { room: room.clone() }))? {
            Answer::GroupFound(found) => self.rejoin(link, &found.group),
            other => Err(PeerError::answer(&other)),
        }
    }

    /// Builds the external commit in the epoch that the hub names.
    pub(crate) fn prepare_rejoin(
        &mut self,
        link: &mut impl Link,
        group: &GroupId,
    ) -> Result<WayBack, PeerError> {
        let hub = self.hub(link)?;
        let fetch = FetchGroupInfo { group: group.clone() };
        let state = match link.ask(Request::FetchGroupInfo(fetch))? {
            Answer::GroupInfo(state) => state,
            other => return Err(PeerError::answer(&other)),
        };
        let base = Receipt::from_bytes(&state.receipt)?;
        handshake::check_key(&base, &hub)?;
        let MlsMessageBodyIn::GroupInfo(info) =
            MlsMessageIn::tls_deserialize_exact(inline(&state.group_info)?)?.extract()
        else {
            return Err(PeerError::new("this is no GroupInfo"));
        };
        admission::check_context(info.group_context(), &hub)?;
        let proof = admission::bridge_group(info.group_context().extensions())?.join_psk;
        let proof = match proof.is_empty() {
            true => None,
            false => Some(PreSharedKeyProposal::new(self.external_psk(&proof)?)),
        };
        let epoch = info.epoch().as_u64();
        let storage = OpenMlsRustCrypto::default();
        let tree = RatchetTreeIn::tls_deserialize_exact(inline(&state.tree)?)?;
        let leaf = LeafNodeParameters::builder()
            .with_capabilities(engine::capabilities(self.provider.rand())?)
            .build();
        // It removes the leaf with the same signature key by itself, if there is one.
        let (mls_group, bundle) = MlsGroup::external_commit_builder()
            .with_config(engine::join_config()?)
            .with_ratchet_tree(tree)
            .skip_lifetime_validation()
            .build_group(&storage, info, self.credential.clone())
            .map_err(PeerError::new)?
            .leaf_node_parameters(leaf)
            .add_psk_proposals(proof)
            .load_psks(self.provider.storage())
            .map_err(PeerError::new)?
            .create_group_info(true)
            .use_ratchet_tree_extension(false)
            .build(storage.rand(), storage.crypto(), &self.signer, |_| true)
            .map_err(PeerError::new)?
            .finalize(&storage)
            .map_err(PeerError::new)?;
        identity::check_members(mls_group.public_group().group_context(), mls_group.members())?;
        let exported = mls_group
            .export_secret(storage.crypto(), LABEL_TEXT, &[], LENGTH)
            .map_err(PeerError::new)?;
        let key = handshake::key(&exported)?;
        let submission = self.signed(group.clone(), epoch, &bundle, key)?;
        Ok(WayBack { group: mls_group, storage, base, submission })
    }

    /// Submits the external commit; on its receipt its group takes the old one's place.
    pub(crate) fn come_back(
        &mut self,
        link: &mut impl Link,
        way: WayBack,
    ) -> Result<(), PeerError> {
        let WayBack { group, storage, base, submission } = way;
        let (hub, id) = (self.hub(link)?, submission.group.clone());
        let commit = inline(&submission.commit)?.to_vec();
        let receipt = match link.ask(Request::SubmitCommit(submission))? {
            Answer::Receipt(receipt) => handshake::verified(&receipt, &hub, &id, &commit)?,
            other => return Err(PeerError::answer(&other)),
        };
        // Proposals, which an external commit clears, may stand between; a commit cannot.
        if receipt.tbs.seq <= base.tbs.seq || receipt.tbs.message_hash != sha256(&commit) {
            return Err(PeerError::new("the receipt is not the next"));
        }
        self.adopt(storage)?;
        let early = self.joined.take().map(|joined| joined.early).unwrap_or_default();
        let last = receipt;
        self.joined = Some(Joined { group, last, proposed: Vec::new(), early });
        self.enter_rooms(link)?;
        self.read_early()
    }

    /// Takes over what the engine has written for the way back.
    fn adopt(&self, other: OpenMlsRustCrypto) -> Result<(), PeerError> {
        let poisoned = |_| PeerError::new("a thread panicked");
        let new = other.storage().values.read().map_err(|_| poisoned(()))?.clone();
        self.provider.storage().values.write().map_err(|_| poisoned(()))?.extend(new);
        Ok(())
    }
}

impl WayBack {
    /// The external commit.
    pub(crate) fn commit(&self) -> Result<Vec<u8>, PeerError> {
        Ok(inline(&self.submission.commit)?.to_vec())
    }
}
