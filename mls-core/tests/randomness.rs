//! Random bytes are a parameter: a member and a hub take theirs from whom opens them, and nowhere else.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use mls_core::address::UserId;
use mls_core::crypto::Crypto;
use mls_core::engine::{sha256_parts, sign, verify};
use mls_core::hub::{
    AnswerEffect, Effect, Hub, HubSetup, Input as ToHub, Reply, ReplyTo, RequestInput,
};
use mls_core::member::{Input, Member, Output};
use mls_core::policy::CIPHER_SUITES;
use mls_core::randomness::{Randomness, RandomnessError};
use mls_core::store::{MemoryStore, Space, Store, StoreError, Value};

const NOW_MS: u64 = 1_800_000_000_000;

/// Bytes that follow from a seed, counted, and which can end.
#[derive(Default)]
struct Seeded {
    seed: u64,
    drawn: AtomicU64,
    ended: AtomicBool,
}

impl Seeded {
    fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self { seed, ..Self::default() })
    }

    fn drawn(&self) -> u64 {
        self.drawn.load(Ordering::Relaxed)
    }

    fn end(&self, ended: bool) {
        self.ended.store(ended, Ordering::Relaxed);
    }
}

impl Randomness for Seeded {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomnessError> {
        if self.ended.load(Ordering::Relaxed) {
            return Err(RandomnessError);
        }
        for some in bytes.chunks_mut(32) {
            let number = self.drawn.fetch_add(1, Ordering::Relaxed);
            let hash = sha256_parts(&[&self.seed.to_be_bytes(), &number.to_be_bytes()]);
            some.iter_mut().zip(hash.0).for_each(|(place, byte)| *place = byte);
        }
        Ok(())
    }
}

/// One that certifies nobody of ours.
fn hub(source: &Arc<Seeded>) -> Hub {
    let setup =
        HubSetup { matrix: Some("@mls:b.org".to_owned()), xmpp: None, ..HubSetup::default() };
    let store = MemoryStore::default();
    let (hub, writes) = Hub::open_with(Arc::new(store.clone()), setup, source.clone()).unwrap();
    store.apply(&writes);
    hub
}

fn member(source: &Arc<Seeded>, store: &MemoryStore) -> Result<Member, StoreError> {
    let client = UserId::matrix("@alice:a.org").unwrap().device("PHONE").unwrap();
    let (member, writes) = Member::open_with(Arc::new(store.clone()), client, source.clone())?;
    store.apply(&writes);
    Ok(member)
}

/// What a member does on an input, after the writes are in its store.
fn handle(
    member: &mut Member,
    store: &MemoryStore,
    input: Input,
) -> Result<Vec<Output>, StoreError> {
    let outcome = member.handle(NOW_MS, input)?;
    store.apply(&outcome.writes);
    Ok(outcome.outputs)
}

/// A member meets its hub, and makes key packages; what it does then.
fn meet(
    member: &mut Member,
    hub: &mut Hub,
    store: &MemoryStore,
) -> Result<Vec<Output>, StoreError> {
    let from = member.client().user();
    let mut outputs = Vec::new();
    let again = member.pending()?;
    for output in again.into_iter().chain(handle(member, store, Input::Connected)?) {
        let Output::Request(_, id, request) = output else { continue };
        let reply_to = ReplyTo::Jid("nowhere".to_owned());
        let asked = RequestInput { from: from.clone(), reply_to, id, request };
        for effect in hub.handle(NOW_MS, ToHub::Request(asked))?.effects {
            if let Effect::Answer(AnswerEffect { id, reply: Reply::Ok(answer), .. }) = effect {
                outputs.extend(handle(member, store, Input::Answer(id, Ok(answer)))?);
            }
        }
    }
    Ok(outputs)
}

fn uploads(outputs: &[Output]) -> bool {
    outputs.iter().any(|output| matches!(output, Output::UploadKeyPackages(_)))
}

fn entries(store: &MemoryStore, space: Space) -> Vec<(Vec<u8>, Value)> {
    store.scan(space, b"", b"", 1000).unwrap()
}

#[test]
fn a_seed_gives_the_same_signature_keys_and_another_seed_others() {
    let key = |seed| {
        member(&Seeded::new(seed), &MemoryStore::default()).unwrap().signature_key().to_vec()
    };
    assert_eq!(key(1), key(1));
    assert_ne!(key(1), key(2));
    for suite in CIPHER_SUITES {
        let keys = |seed| Crypto::new(Seeded::new(seed)).generate_signature_key(suite).unwrap();
        let (secret, public) = keys(7);
        assert_eq!(public, keys(7).1);
        assert_ne!(public, keys(8).1);
        let signature = sign(suite, &secret, b"tea").unwrap();
        verify(suite, &public, &signature, b"tea").unwrap();
        assert!(verify(suite, &keys(8).1, &signature, b"tea").is_err());
    }
}

#[test]
fn a_hub_draws_its_keys_from_the_source_that_it_is_given() {
    let pin = |seed| {
        let source = Seeded::new(seed);
        let (mut hub, store) = (hub(&source), MemoryStore::default());
        let mut alice = member(&Seeded::new(0), &store).unwrap();
        meet(&mut alice, &mut hub, &store).unwrap();
        assert!(source.drawn() > 0);
        entries(&store, "hub")
    };
    assert_eq!(pin(1), pin(1));
    assert_ne!(pin(1), pin(2));
}

#[test]
fn key_packages_are_made_of_the_source() {
    let (source, store) = (Seeded::new(1), MemoryStore::default());
    let mut alice = member(&source, &store).unwrap();
    let before = source.drawn();
    assert!(uploads(&meet(&mut alice, &mut hub(&Seeded::new(9)), &store).unwrap()));
    // Two HPKE keys each.
    assert!(source.drawn() > before + 200, "{} draws", source.drawn() - before);
}

#[test]
fn a_source_that_fails_fails_the_input_and_leaves_nothing_of_it() {
    let (source, store) = (Seeded::new(1), MemoryStore::default());
    let mut hub = hub(&Seeded::new(9));
    let mut alice = member(&source, &store).unwrap();
    source.end(true);
    let error = meet(&mut alice, &mut hub, &store).unwrap_err();
    assert!(error.to_string().contains("no random bytes"), "{error}");
    assert_eq!((entries(&store, "hub"), entries(&store, "key_package")), (vec![], vec![]));
    assert!(member(&source, &MemoryStore::default()).is_err());
    // As after every failure of the machine, it is opened again.
    source.end(false);
    let mut alice = member(&source, &store).unwrap();
    assert!(uploads(&meet(&mut alice, &mut hub, &store).unwrap()));
}
