//! Commits: built and kept pending, submitted with the committer's signature, merged on the
//! receipt; built anew when another was first.

use mls_core::address::{ClientId, UserId};
use mls_core::bridge_group::BridgeGroup;
use mls_core::engine::sha256;
use mls_core::limits::COMMIT_ATTEMPTS_MAX;
use mls_core::seal::handshake_key::{HandshakeKey, LENGTH};
use mls_core::wire::refusal::Refusal;
use mls_core::wire::submit_commit::SubmitCommit;
use mls_core::wire::{Answer, Digest, GroupId, Request};
use mls_rs_codec::MlsEncode as _;
use openmls::prelude::tls_codec::Serialize as _;
use openmls::prelude::{
    CommitMessageBundle, Extension, Extensions, GroupContext, KeyPackage, LeafNodeIndex,
    LeafNodeParameters, OpenMlsProvider as _, PreSharedKeyProposal, Proposal, UnknownExtension,
};
use openmls::schedule::PreSharedKeyId;
use openmls_traits::signatures::Signer as _;

use super::handshake::{self, LABEL_TEXT};
use super::{Link, OpenMlsPeer, PeerError, admission, engine};

/// What a commit should do, beside committing what waits.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// Renew the own leaf.
    Update,
    /// Add all devices of these users.
    Add(Vec<UserId>),
    /// Remove these devices.
    Remove(Vec<ClientId>),
    /// Remove these devices, add all devices of these users, and renew the own leaf, all at once.
    Swap(Vec<ClientId>, Vec<UserId>),
    /// Let every member add.
    MembersMayAdd,
    /// Let who is in a room's list join by external commit.
    Open,
    /// Say in the own leaf that an external PSK is there.
    HoldPsk(Vec<u8>),
    /// Use an external PSK.
    UsePsk(Vec<u8>),
    /// Use the resumption PSK of an epoch.
    UsePastEpoch(u64),
    /// Only what waits.
    Pending,
}

/// The same, for the engine.
#[derive(Default)]
struct Parts {
    update: bool,
    added: Vec<KeyPackage>,
    removed: Vec<LeafNodeIndex>,
    settings: Option<Extensions<GroupContext>>,
    leaf: Option<LeafNodeParameters>,
    psk: Option<PreSharedKeyId>,
}

/// A commit that is pending, and its submission.
pub(crate) struct Prepared(pub(crate) SubmitCommit);

impl OpenMlsPeer {
    /// Commits, and builds the commit anew as long as another was first.
    pub(crate) fn commit(
        &mut self,
        link: &mut impl Link,
        change: &Change,
    ) -> Result<(), PeerError> {
        for _ in 0..COMMIT_ATTEMPTS_MAX {
            self.catch_up(link)?;
            let prepared = self.prepare(link, change)?;
            match self.submit(link, prepared) {
                Err(PeerError::Refused(Refusal::WrongEpoch(_) | Refusal::MissingProposals(_))) => {}
                result => return result,
            }
        }
        Err(PeerError::new("others were always faster"))
    }

    /// Builds a commit in the current epoch and keeps it pending.
    pub(crate) fn prepare(
        &mut self,
        link: &mut impl Link,
        change: &Change,
    ) -> Result<Prepared, PeerError> {
        let mut parts = Parts::default();
        match change {
            Change::Update => parts.update = true,
            Change::Add(users) => parts.added = self.claim(link, users)?,
            Change::Remove(clients) => parts.removed = self.leaves(clients)?,
            Change::Swap(clients, users) => {
                let (added, removed) = (self.claim(link, users)?, self.leaves(clients)?);
                parts = Parts { update: true, added, removed, ..Parts::default() };
            }
            Change::HoldPsk(id) => parts.leaf = Some(self.leaf_with_psk(id)?),
            Change::UsePsk(id) => parts.psk = Some(self.external_psk(id)?),
            Change::UsePastEpoch(epoch) => parts.psk = Some(self.past_epoch(*epoch)?),
            Change::MembersMayAdd => {
                parts.settings = Some(self.settings(|group| group.members_may_add = true)?);
            }
            Change::Open => parts.settings = Some(self.settings(|group| group.open_join = true)?),
            Change::Pending => {}
        }
        let bundle = self.build(parts)?;
        self.submission(&bundle).map(Prepared)
    }

    /// Submits a pending commit; on its receipt it is merged, else it is given up.
    pub(crate) fn submit(
        &mut self,
        link: &mut impl Link,
        Prepared(submission): Prepared,
    ) -> Result<(), PeerError> {
        let commit = super::join::inline(&submission.commit)?.to_vec();
        match link.ask(Request::SubmitCommit(submission)) {
            Ok(Answer::Receipt(receipt)) => self.accepted(link, &receipt, &commit).map(drop),
            Ok(other) => Err(PeerError::answer(&other)),
            Err(error) => {
                let provider = &self.provider;
                let joined = self.joined.as_mut().ok_or_else(|| PeerError::new("in no group"))?;
                joined.group.clear_pending_commit(provider.storage()).map_err(PeerError::new)?;
                Err(error)
            }
        }
    }

    fn build(&mut self, parts: Parts) -> Result<CommitMessageBundle, PeerError> {
        let (provider, signer) = (&self.provider, &self.signer);
        let joined = self.joined.as_mut().ok_or_else(|| PeerError::new("in no group"))?;
        let mut builder = joined
            .group
            .commit_builder()
            .force_self_update(parts.update)
            .propose_adds(parts.added)
            .propose_removals(parts.removed)
            .leaf_node_parameters(parts.leaf.unwrap_or_default())
            .add_proposals(
                parts
                    .psk
                    .map(|psk| Proposal::PreSharedKey(Box::new(PreSharedKeyProposal::new(psk)))),
            );
        if let Some(settings) = parts.settings {
            builder = builder.propose_group_context_extensions(settings).map_err(PeerError::new)?;
        }
        builder
            .load_psks(provider.storage())
            .map_err(PeerError::new)?
            // The hub keeps it for those who come back; the tree it has itself.
            .create_group_info(true)
            .use_ratchet_tree_extension(false)
            .build(provider.rand(), provider.crypto(), signer, |_| true)
            .map_err(PeerError::new)?
            .stage_commit(provider)
            .map_err(PeerError::new)
    }

    /// The GroupContext's extensions with changed settings; all else must stay as it is.
    fn settings(
        &self,
        change: impl FnOnce(&mut BridgeGroup),
    ) -> Result<Extensions<GroupContext>, PeerError> {
        let mut extensions = self.group()?.extensions().clone();
        let mut bound = admission::bridge_group(&extensions)?;
        change(&mut bound);
        let bytes = UnknownExtension(bound.mls_encode_to_vec()?);
        extensions.add_or_replace(Extension::Unknown(engine::BRIDGE_GROUP, bytes))?;
        Ok(extensions)
    }

    pub(super) fn leaves(&self, clients: &[ClientId]) -> Result<Vec<LeafNodeIndex>, PeerError> {
        let members: Vec<_> = self.group()?.members().collect();
        let leaf = |client: &ClientId| {
            let of = |member: &&openmls::prelude::Member| {
                admission::client_id(&member.credential).as_ref().ok() == Some(client)
            };
            let found = members.iter().find(of).map(|member| member.index);
            found.ok_or_else(|| PeerError::new(format!("{client} is not in the group")))
        };
        clients.iter().map(leaf).collect()
    }

    pub(super) fn submission(
        &self,
        bundle: &CommitMessageBundle,
    ) -> Result<SubmitCommit, PeerError> {
        let group = self.group()?;
        let pending = group.pending_commit().ok_or_else(|| PeerError::new("nothing is pending"))?;
        let exported = pending
            .export_secret(self.provider.crypto(), LABEL_TEXT, &[], LENGTH)
            .map_err(PeerError::new)?;
        let key = handshake::key(&exported)?;
        self.signed(GroupId(group.group_id().to_vec()), group.epoch().as_u64(), bundle, key)
    }

    /// A submission, signed with the leaf key (docs/wire.md, "submission").
    pub(super) fn signed(
        &self,
        group: GroupId,
        epoch: u64,
        bundle: &CommitMessageBundle,
        handshake_key: HandshakeKey,
    ) -> Result<SubmitCommit, PeerError> {
        let commit = bundle.commit().tls_serialize_detached()?;
        let welcome =
            bundle.to_welcome_msg().map(|welcome| welcome.tls_serialize_detached()).transpose()?;
        let info = bundle.group_info().cloned();
        let info = info.ok_or_else(|| PeerError::new("the commit came without a GroupInfo"))?;
        let info = openmls::prelude::MlsMessageOut::from(info).tls_serialize_detached()?;
        let signed = signed_bytes(&group, epoch, &commit, welcome.as_deref(), &info)?;
        let signature = self.signer.sign(&signed).map_err(|e| PeerError::new(format!("{e:?}")))?;
        Ok(SubmitCommit {
            group,
            epoch,
            after_seq: 0,
            commit: commit.into(),
            welcome: welcome.map(Into::into),
            group_info: info.into(),
            handshake_key,
            signature,
        })
    }
}

fn signed_bytes(
    group: &GroupId,
    epoch: u64,
    commit: &[u8],
    welcome: Option<&[u8]>,
    group_info: &[u8],
) -> Result<Vec<u8>, PeerError> {
    let mut bytes = b"mls-bridge 0 submit\0".to_vec();
    bytes.extend(group.mls_encode_to_vec()?);
    bytes.extend(epoch.to_be_bytes());
    for part in [commit, welcome.unwrap_or_default(), group_info] {
        let Digest(hash) = sha256(part);
        bytes.extend(hash);
    }
    Ok(bytes)
}
