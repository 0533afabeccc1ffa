//! A member's engine, read from what the member has stored.

use mls_core::crypto::Crypto;
use mls_core::identity::ClientIdentity;
use mls_core::rules::GroupRules;
use mls_core::store::Store as _;
use mls_core::wire::GroupId;
use mls_rs::client_builder::{
    BaseConfig, WithCryptoProvider, WithGroupStateStorage, WithIdentityProvider, WithMlsRules,
};
use mls_rs::storage_provider::in_memory::InMemoryGroupStateStorage;
use mls_rs::{Client, Group};
use mls_rs_core::group::{GroupState, GroupStateStorage as _};

use super::World;

/// An engine like a member's.
pub(crate) type Engine = WithGroupStateStorage<
    InMemoryGroupStateStorage,
    WithMlsRules<
        GroupRules,
        WithIdentityProvider<ClientIdentity, WithCryptoProvider<Crypto, BaseConfig>>,
    >,
>;

impl World {
    /// A member's group as it is stored, in an engine of its own.
    pub(crate) fn engine(&mut self, index: usize, group: &GroupId) -> Group<Engine> {
        let node = &mut self.nodes[index];
        let writes = node.member.rest().unwrap();
        node.store.apply(&writes);
        // The slot of the group that is used comes first in the key.
        let key = [&[0], group.0.as_slice()].concat();
        let data = node.store.get("group_state", &key).unwrap().expect("a stored group");
        let mut storage = InMemoryGroupStateStorage::new();
        storage.write(GroupState { id: group.0.clone(), data }, Vec::new(), Vec::new()).unwrap();
        let client = Client::builder()
            .crypto_provider(Crypto::system())
            .identity_provider(ClientIdentity)
            .mls_rules(GroupRules)
            .group_state_storage(storage)
            .build();
        client.load_group(&group.0).unwrap()
    }
}
