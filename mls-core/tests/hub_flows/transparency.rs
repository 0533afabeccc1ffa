//! The log of certificates at the hub: what is in it, what it proves, and to whom.

use mls_core::address::{ClientId, UserId};
use mls_core::authority::request_certificate;
use mls_core::crypto::Crypto;
use mls_core::engine;
use mls_core::engine::sha256;
use mls_core::hub::{AnswerEffect, DeviceKey, Effect, Input, Reply};
use mls_core::identity::public_key_of;
use mls_core::limits::{
    CLOCK_SKEW_MS, DAY_MS, INLINE_BYTES_MAX, LOG_ENTRIES_PER_FETCH_MAX, LOG_LEAVES_PER_FETCH_MAX,
};
use mls_core::transparency::{Frontier, LogEntry, LogError, LogLeaf, LogView, OwnLeaf, user_label};
use mls_core::wire::fetch_log_leaves::FetchLogLeaves;
use mls_core::wire::fetch_own_entries::{FetchOwnEntries, OwnEntries};
use mls_core::wire::fetch_tree_head::{FetchTreeHead, FetchedTreeHead};
use mls_core::wire::issue_credential::{IssueCredential, IssuedCredential, proof_of};
use mls_core::wire::prove_certificate::{Logged, ProveCertificate};
use mls_core::wire::refusal::Refusal;
use mls_core::wire::{Answer, Digest, Request};
use mls_rs_codec::MlsSize;
use mls_rs_core::crypto::{SignaturePublicKey, SignatureSecretKey};

use crate::device::SUITE;
use crate::world::World;

/// A device that has a key of its own and gets certificates.
struct Owner {
    client: ClientId,
    key: (SignatureSecretKey, SignaturePublicKey),
}

impl Owner {
    fn new(user: &str, device: &str) -> Self {
        let client = UserId::from_human(user).unwrap().device(device).unwrap();
        Self { client, key: Crypto::system().generate_signature_key(SUITE).unwrap() }
    }

    fn user(&self) -> UserId {
        self.client.user()
    }

    /// A request for a fresh key.
    fn request(&self) -> Request {
        let (secret, public) = Crypto::system().generate_signature_key(SUITE).unwrap();
        let request = request_certificate(&self.client, SUITE, &secret, &public).unwrap();
        let proof = engine::sign(SUITE, &self.key.0, &proof_of(&request)).unwrap();
        let device_key = self.key.1.to_vec();
        Request::IssueCredential(IssueCredential { request, device_key, proof })
    }
}

fn bob() -> Owner {
    Owner::new("bob@example.org", "00000000000000b0")
}

fn carol() -> Owner {
    Owner::new("carol@example.org", "00000000000000c0")
}

fn leaf_of(answer: Answer) -> Vec<u8> {
    let Answer::Credential(IssuedCredential { chain }) = answer else { panic!("{answer:?}") };
    chain[0].0.clone()
}

impl World {
    /// A certificate for a new key of a device on XMPP, DER.
    fn certificate(&mut self, owner: &Owner) -> Vec<u8> {
        let answer = self.request(&owner.user(), owner.request());
        leaf_of(answer.unwrap())
    }

    /// The key of the authority, by the anchor that the hub names.
    fn authority(&mut self) -> SignaturePublicKey {
        let info = self.info(&bob().user());
        public_key_of(&info.anchors[0].certificate).unwrap().into()
    }

    fn tree_head(&mut self, since_size: u64) -> FetchedTreeHead {
        let request = Request::FetchTreeHead(FetchTreeHead { since_size });
        match self.request(&bob().user(), request) {
            Ok(Answer::TreeHead(fetched)) => fetched,
            other => panic!("{other:?}"),
        }
    }

    /// Who hears of the log for the first time.
    fn view(&mut self) -> LogView {
        let key = self.authority();
        LogView::first(self.tree_head(0).head, &key).unwrap()
    }

    fn follow(&mut self, view: &LogView) -> Result<LogView, LogError> {
        let key = self.authority();
        let fetched = self.tree_head(view.head().head.size);
        view.advance(fetched.head, &fetched.consistency, &key)
    }

    fn prove(&mut self, certificate_hash: Digest, size: u64) -> Result<Option<Logged>, Refusal> {
        let request = Request::ProveCertificate(ProveCertificate { certificate_hash, size });
        match self.request(&bob().user(), request)? {
            Answer::CertificateProof(proof) => Ok(proof.logged),
            other => panic!("{other:?}"),
        }
    }

    fn leaves(&mut self, from: u64, size: u64) -> Result<Vec<LogLeaf>, Refusal> {
        let request = Request::FetchLogLeaves(FetchLogLeaves { from, size });
        match self.request(&bob().user(), request)? {
            Answer::LogLeaves(leaves) => Ok(leaves.leaves),
            other => panic!("{other:?}"),
        }
    }

    fn own_entries(&mut self, user: &UserId, from: u64) -> OwnEntries {
        match self.request(user, Request::FetchOwnEntries(FetchOwnEntries { from })) {
            Ok(Answer::OwnEntries(own)) => own,
            other => panic!("{other:?}"),
        }
    }

    /// Reads the whole log of a view; what is in it of a user.
    fn read_all(&mut self, view: &LogView, user: &UserId) -> Vec<OwnLeaf> {
        let head = &view.head().head;
        let (mut frontier, mut own) = (Frontier::default(), Vec::new());
        while frontier.size() < head.size {
            let leaves = self.leaves(frontier.size(), head.size).unwrap();
            assert!(!leaves.is_empty() && leaves.len() <= LOG_LEAVES_PER_FETCH_MAX);
            own.extend(frontier.take(frontier.size(), &leaves, user_label(user)).unwrap());
        }
        assert!(frontier.is_tree_of(head).unwrap());
        own
    }
}

/// Whether a certificate is shown to be in the log of a view.
fn is_logged(world: &mut World, view: &LogView, certificate: &[u8]) -> bool {
    let logged = world.prove(sha256(certificate), view.head().head.size).unwrap();
    logged.is_some_and(|logged| {
        let LogEntry::Issued(issued) = &logged.entry else { return false };
        view.includes(&logged.entry, logged.index, &logged.inclusion).unwrap();
        issued.describes(certificate)
    })
}

#[test]
fn every_certificate_that_is_issued_is_in_the_log() {
    let mut world = World::alone();
    let mut issued = Vec::new();
    for owner in &[bob(), carol()] {
        issued.extend((0..3).map(|_| world.certificate(owner)));
    }
    // On Matrix the homeserver is asked first.
    let alice = Owner::new("@alice:example.org", "ALICE");
    assert!(world.request_as(&alice.user(), "first", alice.request()).is_none());
    let effects = world.take_effects();
    let [Effect::QueryDevice(query)] = effects.as_slice() else { panic!("{effects:?}") };
    let result = Ok(Some(alice.key.1.to_vec()));
    let outcome = world.input(Input::DeviceKey(DeviceKey { job: query.job, result }));
    match outcome.effects.as_slice() {
        [Effect::Answer(AnswerEffect { reply: Reply::Ok(answer), .. })] => {
            issued.push(leaf_of(answer.clone()));
        }
        other => panic!("{other:?}"),
    }
    world.with_twin();
    let view = world.view();
    assert_eq!(view.head().head.size, 7);
    for certificate in &issued {
        assert!(is_logged(&mut world, &view, certificate));
    }
}

#[test]
fn what_was_not_issued_is_not_in_the_log() {
    let mut world = World::alone();
    let bob = bob();
    let request = bob.request();
    let first = world.request_as(&bob.user(), "same", request.clone()).unwrap();
    // The same request again gets the same certificate; another account's is refused.
    assert_eq!(world.request_as(&bob.user(), "same", request), Some(first));
    assert!(world.request(&carol().user(), bob.request()).is_err());
    world.with_twin();
    assert_eq!(world.tree_head(0).head.head.size, 1);
    assert_eq!(world.prove(Digest([7; 32]), 1), Ok(None));
}

#[test]
fn the_log_is_followed_while_it_grows_over_restarts() {
    let mut world = World::alone();
    let bob = bob();
    let (mut view, mut issued) = (world.view(), Vec::new());
    assert_eq!(view.head().head.size, 0);
    for size in 1..=9 {
        issued.push(world.certificate(&bob));
        world.restart();
        view = world.follow(&view).unwrap();
        assert_eq!(view.head().head.size, size);
        for certificate in &issued {
            assert!(is_logged(&mut world, &view, certificate));
        }
    }
    // A clock that goes back and one that stands still change nothing.
    world.now -= DAY_MS;
    view = world.follow(&view).unwrap();
    for _ in 0..2 {
        world.certificate(&bob);
        view = world.follow(&view).unwrap();
    }
    assert!(view.head().head.time_ms < world.now + DAY_MS + CLOCK_SKEW_MS);
}

#[test]
fn a_hub_that_was_restored_from_a_copy_is_found_out() {
    let mut world = World::alone();
    let bob = bob();
    world.certificate(&bob);
    let backup = world.backup();
    for _ in 0..2 {
        world.certificate(&bob);
    }
    let view = world.view();
    world.now += 1000;
    let key = world.authority();
    // Smaller, of the same size, and larger.
    let mut restored = world.restored(&backup);
    for more in 0..4 {
        if more > 0 {
            restored.certificate(&bob);
        }
        let Err(LogError::Forked(two)) = restored.follow(&view) else { panic!("{more}") };
        assert_eq!(&two.first, view.head());
        let convinces_others = two.verify(&key).is_ok();
        assert_eq!(convinces_others, more <= 2, "{more} certificates later");
    }
}

#[test]
fn a_user_gets_its_own_entries_only_and_finds_that_they_are_all() {
    let mut world = World::alone();
    let (bob, carol) = (bob(), carol());
    let mine: Vec<_> = (0..3)
        .map(|_| {
            world.certificate(&carol);
            world.certificate(&bob)
        })
        .collect();
    world.with_twin();
    let view = world.view();
    let OwnEntries { entries, more } = world.own_entries(&bob.user(), 0);
    assert!(!more);
    for (own, certificate) in entries.iter().zip(&mine) {
        let LogEntry::Issued(issued) = &own.entry else { panic!("{own:?}") };
        assert!(issued.describes(certificate));
    }
    let hashes: Vec<_> = entries
        .iter()
        .map(|own| OwnLeaf { index: own.index, entry_hash: own.entry.hash().unwrap() })
        .collect();
    assert_eq!(world.read_all(&view, &bob.user()), hashes);
    assert_eq!(hashes.iter().map(|own| own.index).collect::<Vec<_>>(), [1, 3, 5]);
    assert_eq!(world.own_entries(&bob.user(), 2).entries, entries[1..]);
    let stranger = UserId::from_human("mallory@example.org").unwrap();
    assert_eq!(world.own_entries(&stranger, 0), OwnEntries { entries: Vec::new(), more: false });
    assert_eq!(world.read_all(&view, &stranger), []);
}

#[test]
fn answers_of_the_log_are_bounded() {
    let mut world = World::alone();
    let (bob, carol) = (bob(), carol());
    for owner in [&bob, &carol] {
        for _ in 0..=LOG_LEAVES_PER_FETCH_MAX / 2 {
            world.certificate(owner);
        }
    }
    world.with_twin();
    let view = world.view();
    let size = view.head().head.size;
    assert!(size > LOG_LEAVES_PER_FETCH_MAX as u64);
    let page = world.leaves(0, size).unwrap();
    assert_eq!(page.len(), LOG_LEAVES_PER_FETCH_MAX);
    assert!(page.mls_encoded_len() <= INLINE_BYTES_MAX);
    assert_eq!(world.leaves(0, 3).unwrap(), page[..3]);
    for (from, size) in [(size, size), (u64::MAX, size), (4, 3)] {
        assert_eq!(world.leaves(from, size), Ok(Vec::new()));
    }
    assert_eq!(world.read_all(&view, &bob.user()).len(), LOG_LEAVES_PER_FETCH_MAX / 2 + 1);
    let (mut from, mut got) = (0, 0);
    loop {
        let own = world.own_entries(&carol.user(), from);
        assert!(own.entries.len() <= LOG_ENTRIES_PER_FETCH_MAX);
        assert!(own.mls_encoded_len() <= INLINE_BYTES_MAX);
        got += own.entries.len();
        if !own.more {
            break;
        }
        from = own.entries.last().unwrap().index + 1;
    }
    assert_eq!(got, LOG_LEAVES_PER_FETCH_MAX / 2 + 1);
}

#[test]
fn a_tree_larger_than_the_log_is_refused_and_to_who_knows_one_the_head_is_shown() {
    let mut world = World::alone();
    let certificate = world.certificate(&bob());
    world.with_twin();
    for size in [2, u64::MAX] {
        let refused = world.prove(sha256(&certificate), size);
        assert!(matches!(refused, Err(Refusal::Invalid(_))), "{refused:?}");
        let refused = world.leaves(0, size);
        assert!(matches!(refused, Err(Refusal::Invalid(_))), "{refused:?}");
        let fetched = world.tree_head(size);
        assert_eq!((fetched.head.head.size, fetched.consistency), (1, Vec::new()));
    }
    // In the tree before it, it is not.
    assert_eq!(world.prove(sha256(&certificate), 0), Ok(None));
}
