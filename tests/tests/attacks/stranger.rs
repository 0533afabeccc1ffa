//! A device that is no member, and what it can make out of what a member gave away.

use mls_core::address::UserId;
use mls_core::crypto::Crypto;
use mls_core::engine;
use mls_core::receipt::{Receipt, ReceiptKind};
use mls_core::wire::GroupId;
use mls_core::wire::submit_commit::SubmitCommit;
use mls_rs::extension::built_in::ExternalSendersExt;
use mls_rs::storage_provider::in_memory::InMemoryGroupStateStorage;
use mls_rs::{Client, ExtensionList, MlsMessage};
use tests::bot::Account;

use crate::insider::{Insider, LawlessConfig, SUITE, SignatureKey, client, submission};

/// A device with a fresh key.
pub(crate) struct Stranger {
    pub(crate) key: SignatureKey,
}

impl Stranger {
    /// A device of that name, of an account that may or may not have others.
    pub(crate) fn new(account: &Account, device: &str) -> Self {
        let client = UserId::from_human(&account.address).unwrap().device(device).unwrap();
        let (secret, public) = Crypto::system().generate_signature_key(SUITE).unwrap();
        Self { key: SignatureKey { client, secret, public } }
    }

    fn client(&self) -> Client<LawlessConfig> {
        client(&self.key, false, InMemoryGroupStateStorage::new())
    }

    /// A key package that nobody published.
    pub(crate) fn key_package(&self) -> MlsMessage {
        let none = ExtensionList::new();
        self.client().generate_key_package_message(none.clone(), none, None).unwrap()
    }

    /// The stranger commits itself into the group, by a GroupInfo that the insider gave away.
    pub(crate) fn external_commit(&self, insider: &Insider) -> SubmitCommit {
        let group = insider.group(false);
        let info = group.group_info_message_allowing_ext_commit(false).unwrap();
        let builder = self.client().external_commit_builder().unwrap();
        let (joined, commit) =
            builder.with_tree_data(group.export_tree().into_owned()).build(info).unwrap();
        let info = joined.group_info_message_allowing_ext_commit(false).unwrap();
        let (epoch, commit) = (group.current_epoch(), commit.to_bytes().unwrap());
        submission(&self.key, &insider.id, epoch, &commit, None, info.to_bytes().unwrap())
    }

    /// The stranger proposes to add itself (RFC 9420 12.1.8, `new_member_proposal`).
    pub(crate) fn new_member_add(&self, insider: &Insider) -> Vec<u8> {
        let group = insider.group(false);
        let info = group.group_info_message(false).unwrap();
        let (tree, none) = (Some(group.export_tree()), ExtensionList::new());
        let client = self.client();
        let add = client.external_add_proposal(&info, tree, vec![], none.clone(), none, None);
        add.unwrap().to_bytes().unwrap()
    }

    /// The stranger proposes to add itself in the hub's name, with a key of its own.
    pub(crate) fn add_in_the_hubs_name(&self, insider: &Insider) -> Vec<u8> {
        let group = insider.group(false);
        let senders: ExternalSendersExt = group.context().extensions.get_as().unwrap().unwrap();
        let hub = senders.allowed_senders.first().unwrap().clone();
        let info = group.group_info_message(false).unwrap();
        let liar = engine::hub_client(Crypto::system(), self.key.secret.clone(), hub);
        let mut public = liar.observe_group(info, Some(group.export_tree()), None).unwrap();
        public.propose_add(self.key_package(), Vec::new()).unwrap().to_bytes().unwrap()
    }

    /// A receipt for a commit that follows `previous` in all but its signature.
    pub(crate) fn receipt(
        &self,
        previous: Option<&Receipt>,
        group: &GroupId,
        epoch: u64,
        commit: &[u8],
    ) -> Vec<u8> {
        let (kind, key) = (ReceiptKind::Commit, &self.key.secret);
        let time_ms = previous.map_or(0, |receipt| receipt.tbs.time_ms);
        let receipt = Receipt::sign(key, previous, kind, group, epoch, commit, time_ms);
        receipt.unwrap().to_bytes().unwrap()
    }
}
