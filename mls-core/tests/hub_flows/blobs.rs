//! What is too large for one event: parts as blobs, in chunks, checked by hash.

use mls_core::address::UserId;
use mls_core::engine::sha256;
use mls_core::hub::Input;
use mls_core::limits::{
    BLOB_BYTES_PER_USER_MAX, BLOB_CHUNK_BYTES, DAY_MS, INLINE_BYTES_MAX, OBJECT_BYTES_MAX,
};
use mls_core::wire::blob::{BlobRef, GetBlob, Part, PutBlob};
use mls_core::wire::fetch_welcomes::FetchWelcomes;
use mls_core::wire::refusal::Refusal;
use mls_core::wire::welcome::Welcome;
use mls_core::wire::{Answer, Request};

use crate::device::Device;
use crate::world::World;

fn reference(bytes: &[u8]) -> BlobRef {
    BlobRef { hash: sha256(bytes), size: bytes.len() as u32 }
}

fn put(world: &mut World, user: &UserId, bytes: &[u8]) -> BlobRef {
    let blob = reference(bytes);
    for (index, chunk) in bytes.chunks(10_000).enumerate() {
        let put = PutBlob { blob, offset: index as u32 * 10_000, bytes: chunk.to_vec() };
        assert_eq!(world.request(user, Request::PutBlob(put)), Ok(Answer::Done));
    }
    blob
}

pub(crate) fn get(world: &mut World, user: &UserId, blob: &BlobRef) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    while bytes.len() < blob.size as usize {
        let get = GetBlob { hash: blob.hash, offset: bytes.len() as u32 };
        match world.request(user, Request::GetBlob(get))? {
            Answer::BlobChunk(chunk) => {
                assert_eq!(chunk.size, blob.size);
                assert!(!chunk.bytes.is_empty() && chunk.bytes.len() <= BLOB_CHUNK_BYTES);
                bytes.extend(chunk.bytes);
            }
            other => panic!("{other:?}"),
        }
    }
    Ok(bytes)
}

fn alice() -> UserId {
    UserId::from_human("@alice:example.org").unwrap()
}

#[test]
fn a_blob_comes_back_as_it_went_in() {
    let mut world = World::new();
    let bytes: Vec<u8> = (0..100_000u32).map(|n| (n % 251) as u8).collect();
    let blob = put(&mut world, &alice(), &bytes);
    let bob = UserId::from_human("bob@example.org").unwrap();
    assert_eq!(get(&mut world, &bob, &blob), Ok(bytes));
}

#[test]
fn a_blob_with_another_hash_or_out_of_order_or_too_large_is_refused() {
    let mut world = World::new();
    let put = |world: &mut World, blob, offset, bytes: &[u8]| {
        world.request(&alice(), Request::PutBlob(PutBlob { blob, offset, bytes: bytes.to_vec() }))
    };
    let mut wrong = reference(b"hello");
    wrong.hash.0[0] ^= 1;
    assert!(matches!(put(&mut world, wrong, 0, b"hello"), Err(Refusal::Invalid(_))));
    let blob = reference(b"hello");
    assert!(matches!(put(&mut world, blob, 2, b"llo"), Err(Refusal::Invalid(_))));
    assert!(matches!(put(&mut world, blob, 0, b"hello!"), Err(Refusal::Invalid(_))));
    assert!(matches!(put(&mut world, blob, u32::MAX, b"h"), Err(Refusal::Invalid(_))));
    let huge = BlobRef { size: OBJECT_BYTES_MAX as u32 + 1, ..blob };
    assert!(matches!(put(&mut world, huge, 0, b"h"), Err(Refusal::TooLarge(_))));
    let chunk = vec![0; BLOB_CHUNK_BYTES + 1];
    let large = reference(&chunk);
    assert!(matches!(put(&mut world, large, 0, &chunk), Err(Refusal::TooLarge(_))));
    let missing = Request::GetBlob(GetBlob { hash: blob.hash, offset: 0 });
    assert_eq!(world.request(&alice(), missing), Err(Refusal::Gone));
    // The right bytes are still taken, a repeated chunk too.
    assert_eq!(put(&mut world, blob, 0, b"he"), Ok(Answer::Done));
    assert_eq!(put(&mut world, blob, 0, b"he"), Ok(Answer::Done));
    assert_eq!(put(&mut world, blob, 2, b"llo"), Ok(Answer::Done));
    assert_eq!(get(&mut world, &alice(), &blob), Ok(b"hello".to_vec()));
}

#[test]
fn what_an_account_uploads_and_does_not_use_is_bounded_and_forgotten() {
    let mut world = World::new();
    let begin = |world: &mut World, user: &UserId, number: u8| {
        let blob = BlobRef { hash: sha256(&[number]), size: OBJECT_BYTES_MAX as u32 };
        let put = PutBlob { blob, offset: 0, bytes: vec![number] };
        world.request(user, Request::PutBlob(put))
    };
    let count = (BLOB_BYTES_PER_USER_MAX / OBJECT_BYTES_MAX) as u8;
    for number in 0..count {
        assert_eq!(begin(&mut world, &alice(), number), Ok(Answer::Done));
    }
    assert!(matches!(begin(&mut world, &alice(), count), Err(Refusal::TooLarge(_))));
    let bob = UserId::from_human("bob@example.org").unwrap();
    assert_eq!(begin(&mut world, &bob, count), Ok(Answer::Done));
    world.now += DAY_MS;
    world.happen(Input::Tick);
    assert_eq!(begin(&mut world, &alice(), count), Ok(Answer::Done));
}

#[test]
fn what_was_uploaded_and_never_used_is_gone_when_it_no_longer_counts() {
    let mut world = World::new();
    let blob = put(&mut world, &alice(), b"nobody wants it");
    assert!(get(&mut world, &alice(), &blob).is_ok());
    world.now += DAY_MS;
    world.happen(Input::Tick);
    assert_eq!(get(&mut world, &alice(), &blob), Err(Refusal::Gone));
}

#[test]
fn a_group_is_registered_and_committed_to_through_blobs() {
    let mut world = World::new();
    let mut alice = Device::new("@alice:example.org", "ALICE");
    let user = alice.user();
    let rooms = world.make_rooms(&user);
    let info = world.info(&user);
    alice.create_group(&info, &rooms, world.now);
    let mut registration = alice.registration();
    registration.tree = Part::Blob(put(&mut world, &user, registration.tree.inline().unwrap()));
    world.receipt(&user, Request::RegisterGroup(registration)).unwrap();
    let good = alice.update(world.now);
    let mut commit = good.clone();
    commit.commit = Part::Blob(reference(good.commit.inline().unwrap()));
    assert_eq!(world.submit(&user, commit.clone()), Err(Refusal::Gone));
    put(&mut world, &user, good.commit.inline().unwrap());
    world.submit(&user, commit).unwrap();
}

#[test]
fn a_welcome_waits_until_it_is_acknowledged_and_its_parts_with_it() {
    let mut world = World::new();
    let bob = Device::new("bob@example.org", "00000000000000b0");
    let mut alice = world.alices_group();
    let package = world.claim_one(&alice, &bob);
    let commit = alice.commit_adding(world.now, &[package]);
    world.commit(&mut alice, &mut [], commit).unwrap();
    let pushed = world.take_welcomes();
    let fetch = |world: &mut World, acknowledged| -> Vec<Welcome> {
        let fetch = FetchWelcomes { device: bob.id.device(), acknowledged, held: Vec::new() };
        match world.request(&bob.user(), Request::FetchWelcomes(fetch)).unwrap() {
            Answer::Welcomes(welcomes) => welcomes.welcomes,
            other => panic!("{other:?}"),
        }
    };
    world.now += 30 * DAY_MS;
    world.happen(Input::Tick);
    assert_eq!(fetch(&mut world, Vec::new()), pushed);
    assert_eq!(fetch(&mut world, vec![pushed[0].id]), []);
    world.happen(Input::Tick);
    let tree = reference(pushed[0].tree.inline().unwrap());
    let gone = Request::GetBlob(GetBlob { hash: tree.hash, offset: 0 });
    assert_eq!(world.request(&bob.user(), gone), Err(Refusal::Gone));
}

#[test]
fn a_welcome_into_a_large_group_travels_by_blobs() {
    let mut world = World::new();
    let mut alice = world.alices_group();
    let mut devices: Vec<Device> = (0..160)
        .map(|n| Device::new(&format!("user{n}@example.org"), "00000000000000b0"))
        .collect();
    for joiners in devices.chunks_mut(40) {
        let packages: Vec<Vec<u8>> =
            joiners.iter().map(|joiner| world.claim_one(&alice, joiner)).collect();
        let commit = alice.commit_adding(world.now, &packages);
        world.commit(&mut alice, &mut [], commit).unwrap();
    }
    let mut last = world.take_welcomes().pop().unwrap();
    let inline = |welcome: &mut Welcome| -> usize {
        welcome.parts_mut().iter().map(|part| part.inline_len()).sum()
    };
    assert!(inline(&mut last) <= INLINE_BYTES_MAX);
    assert!(last.parts_mut().iter().any(|part| matches!(part, Part::Blob(_))));
    let device = devices.iter_mut().find(|device| device.id == last.client).unwrap();
    for part in last.parts_mut() {
        if let Part::Blob(blob) = *part {
            *part = Part::Inline(get(&mut world, &device.user(), &blob).unwrap());
        }
    }
    device.join(&last);
    assert_eq!(device.group().roster().members().len(), 161);
}
