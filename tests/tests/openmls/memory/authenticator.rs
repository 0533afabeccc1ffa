//! The epoch authenticator of a member: read from what it has stored, for it tells nobody.

use mls_core::engine;
use mls_core::identity::ClientIdentity;
use mls_core::rules::GroupRules;
use mls_core::store::Store as _;
use mls_core::wire::GroupId;
use mls_rs::Client;
use mls_rs::storage_provider::in_memory::InMemoryGroupStateStorage;
use mls_rs_core::group::{GroupState, GroupStateStorage as _};

use super::World;

impl World {
    /// RFC 9420 8.7: equal for all members of an epoch, and for nobody else.
    pub(crate) fn epoch_authenticator(&mut self, index: usize, group: &GroupId) -> Vec<u8> {
        let node = &mut self.nodes[index];
        let writes = node.member.rest().unwrap();
        node.store.apply(&writes);
        // The slot of the group that is used comes first in the key.
        let key = [&[0], group.0.as_slice()].concat();
        let data = node.store.get("group_state", &key).unwrap().expect("a stored group");
        let mut storage = InMemoryGroupStateStorage::new();
        storage.write(GroupState { id: group.0.clone(), data }, Vec::new(), Vec::new()).unwrap();
        let client = Client::builder()
            .crypto_provider(engine::crypto_provider())
            .identity_provider(ClientIdentity)
            .mls_rules(GroupRules)
            .group_state_storage(storage)
            .build();
        let group = client.load_group(&group.0).unwrap();
        group.epoch_authenticator().unwrap().as_bytes().to_vec()
    }
}
