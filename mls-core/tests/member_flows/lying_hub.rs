//! A hub that signs whatever it likes: a member on an engine without rules makes commits that break one, and no
//! other member follows them.

use mls_core::crypto::Crypto;
use mls_core::hub;
use mls_core::identity::ClientIdentity;
use mls_core::member::Input;
use mls_core::policy::{BRIDGE_GROUP_EXTENSION, LAST_RESORT_EXTENSION};
use mls_core::receipt::{Receipt, ReceiptKind};
use mls_core::store::Store;
use mls_core::wire::fetch_handshakes::FetchHandshakes;
use mls_core::wire::handshake::Handshake;
use mls_core::wire::{Answer, GroupId, Notice, Request};
use mls_rs::client_builder::{MlsConfig, PaddingMode};
use mls_rs::mls_rules::{DefaultMlsRules, EncryptionOptions};
use mls_rs::psk::ExternalPskId;
use mls_rs::storage_provider::in_memory::{InMemoryGroupStateStorage, InMemoryPreSharedKeyStorage};
use mls_rs::{Client, Group};
use mls_rs_codec::{MlsDecode, MlsSize};
use mls_rs_core::crypto::{SignaturePublicKey, SignatureSecretKey};
use mls_rs_core::extension::ExtensionType;
use mls_rs_core::group::{GroupState, GroupStateStorage};

use crate::network::World;
use crate::story::{ALICE, BOB, JULIET};

/// Who is to follow, or not; the others make commits.
pub(crate) const VICTIM: usize = 1;
/// External PSKs that the engine without rules holds.
pub(crate) const PSKS: u8 = 16;

/// A key pair, as the hub stores it.
#[derive(MlsSize, MlsDecode)]
struct StoredKey {
    secret: SignatureSecretKey,
    _public: SignaturePublicKey,
}

/// Alice's group with Bob, who is to be deceived, and Juliet, who is no admin.
pub(crate) fn deceived() -> (World, GroupId) {
    let (mut world, group) = World::group(&[ALICE, BOB, JULIET]);
    // Or he would come back by an external commit to where the honest hub stands.
    world.tamper = Box::new(|index, input| index != VICTIM || !matches!(input, Input::Answer(..)));
    (world, group)
}

/// A member's group as it is stored, on an engine that keeps to RFC 9420 and to no rule of ours.
pub(crate) fn lawless(
    world: &mut World,
    index: usize,
    group: &GroupId,
) -> Group<impl MlsConfig + use<>> {
    lawless_listing(world, index, group, &[BRIDGE_GROUP_EXTENSION, LAST_RESORT_EXTENSION])
}

/// The same, where each leaf that it makes lists these extensions.
pub(crate) fn lawless_listing(
    world: &mut World,
    index: usize,
    group: &GroupId,
    listed: &[ExtensionType],
) -> Group<impl MlsConfig + use<>> {
    let node = &mut world.nodes[index];
    let writes = node.member.rest().unwrap();
    node.store.apply(&writes);
    // The slot of the group that is used comes first in the key.
    let key = [&[0], group.0.as_slice()].concat();
    let data = node.store.get("group_state", &key).unwrap().expect("a stored group");
    let mut storage = InMemoryGroupStateStorage::new();
    storage.write(GroupState { id: group.0.clone(), data }, Vec::new(), Vec::new()).unwrap();
    let open = EncryptionOptions::new(false, PaddingMode::None);
    let mut psks = InMemoryPreSharedKeyStorage::default();
    (0..PSKS).for_each(|id| psks.insert(ExternalPskId::new(vec![id]), vec![id; 32].into()));
    Client::builder()
        .crypto_provider(Crypto::system())
        .identity_provider(ClientIdentity)
        .mls_rules(DefaultMlsRules::new().with_encryption_options(open))
        .extension_types(listed.to_vec())
        .psk_store(psks)
        .group_state_storage(storage)
        .build()
        .load_group(&group.0)
        .unwrap()
}

/// Hands the victim a handshake with a good receipt as the group's next.
pub(crate) fn deceive(world: &mut World, group: &GroupId, kind: ReceiptKind, message: Vec<u8>) {
    let epoch = world.epoch(VICTIM, group).unwrap();
    let last = last_receipt(world, group);
    let bytes = world.hub_store.get("hub_key", b"receipt").unwrap().unwrap();
    let key = StoredKey::mls_decode(&mut bytes.as_slice()).unwrap().secret;
    let receipt = Receipt::sign(&key, Some(&last), kind, group, epoch, &message, world.now_ms);
    let receipt = receipt.unwrap();
    let handshake = Handshake {
        group: group.clone(),
        seq: receipt.tbs.seq,
        epoch,
        message: message.into(),
        receipt: receipt.to_bytes().unwrap(),
    };
    let sealed = world.keys.seal(&handshake);
    world.give(VICTIM, Input::Notice(Notice::Handshake(sealed)));
    world.run();
}

/// The receipt of the newest handshake, asked of the hub by Alice.
fn last_receipt(world: &mut World, group: &GroupId) -> Receipt {
    let request = Request::FetchHandshakes(FetchHandshakes { group: group.clone(), from_seq: 1 });
    let (from, reply_to) = (world.user(0), hub::ReplyTo::ControlRoom("0".to_owned()));
    let input = hub::RequestInput { from, reply_to, id: "last".to_owned(), request };
    let outcome = world.hub.handle(world.now_ms, hub::Input::Request(input)).unwrap();
    let answer = outcome.effects.into_iter().find_map(|effect| match effect {
        hub::Effect::Answer(answer) => Some(answer.reply),
        _ => None,
    });
    match answer {
        Some(hub::Reply::Ok(Answer::Handshakes(found))) => {
            Receipt::from_bytes(&found.handshakes.last().unwrap().receipt).unwrap()
        }
        other => panic!("{other:?}"),
    }
}
