//! Logs of certificates of any size: true proofs convince, everything else does not.

use std::sync::OnceLock;

use mls_rs_core::crypto::SignaturePublicKey;
use proptest::prelude::*;
use proptest::sample::Index;
use tlog_tiles::{Hash, HashReader};

use crate::address::UserId;
use crate::authority::Authority;
use crate::crypto::Crypto;
use crate::engine::sha256;
use crate::limits::{LOG_ENTRIES_MAX, LOG_PROOF_HASHES_MAX};
use crate::transparency::{
    Frontier, Issued, LogEntry, LogError, LogLeaf, LogView, SerialNumber, SignedTreeHead, TreeHead,
    check_consistency, check_inclusion, hash_of, proof_from, user_label,
};
use crate::wire::Digest;

/// Entries of the largest log that is played: more than two full levels of five, and odd.
const SIZE_MAX: u64 = 1_300;

/// A whole log, by its stored hashes.
struct Tree {
    entries: Vec<LogEntry>,
    hashes: Vec<Hash>,
}

impl HashReader for Tree {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        Ok(indexes.iter().map(|index| self.hashes[*index as usize]).collect())
    }
}

impl Tree {
    /// Entries of five users in turn; `lie` is another entry at that place.
    fn grown(lie: Option<u64>) -> Self {
        let mut tree = Self { entries: Vec::new(), hashes: Vec::new() };
        for n in 0..SIZE_MAX {
            let entry = entry(n, lie == Some(n));
            let leaf = hash_of(entry.leaf().unwrap().hash());
            let hashes = tlog_tiles::stored_hashes_for_record_hash(n, leaf, &tree).unwrap();
            tree.hashes.extend(hashes);
            tree.entries.push(entry);
        }
        tree
    }

    /// The head at a size; it is signed at a time that grows with that.
    fn head(&self, size: u64) -> TreeHead {
        let root = Digest(tlog_tiles::tree_hash(size, self).unwrap().0);
        TreeHead { size, root, time_ms: 1_000 + size }
    }

    fn inclusion(&self, size: u64, index: u64) -> Vec<Digest> {
        proof_from(tlog_tiles::prove_record(size, index, self).unwrap())
    }

    fn consistency(&self, old: u64, new: u64) -> Vec<Digest> {
        match old {
            0 => Vec::new(),
            old => proof_from(tlog_tiles::prove_tree(new, old, self).unwrap()),
        }
    }
}

fn user(n: u64) -> UserId {
    UserId::matrix(&format!("@user{}:example.org", n % 5)).unwrap()
}

fn entry(n: u64, lie: bool) -> LogEntry {
    LogEntry::Issued(Issued {
        client: user(n).device("PHONE").unwrap(),
        certificate: Digest([u8::from(lie); 32]),
        key: Digest([0; 32]),
        serial: SerialNumber(n.to_be_bytes().to_vec()),
        not_after_s: n,
        at_ms: n,
    })
}

/// The log, and another that differs in entry 3.
fn trees() -> &'static [Tree; 2] {
    static TREES: OnceLock<[Tree; 2]> = OnceLock::new();
    TREES.get_or_init(|| [Tree::grown(None), Tree::grown(Some(3))])
}

fn authority() -> &'static Authority {
    static AUTHORITY: OnceLock<Authority> = OnceLock::new();
    AUTHORITY.get_or_init(|| Authority::make(&Crypto::system(), "test").unwrap().0)
}

fn key() -> SignaturePublicKey {
    authority().public()
}

fn signed(head: TreeHead) -> SignedTreeHead {
    authority().sign_tree_head(head).unwrap()
}

/// A size, and another that is not larger.
fn sizes() -> impl Strategy<Value = (u64, u64)> {
    (0..=SIZE_MAX).prop_flat_map(|new| (0..=new, Just(new)))
}

/// A size, and the place of an entry in that tree.
fn place() -> impl Strategy<Value = (u64, u64)> {
    (1..=SIZE_MAX).prop_flat_map(|size| (0..size, Just(size)))
}

/// A bit of a hash that is another.
fn flip(hashes: &mut [Digest], at: Index, bit: u8) {
    let at = at.index(hashes.len());
    hashes[at].0[usize::from(bit / 8)] ^= 1 << (bit % 8);
}

proptest! {
    #[test]
    fn every_entry_is_shown_to_be_in_every_tree_that_has_it((index, size) in place()) {
        let tree = &trees()[0];
        let proof = tree.inclusion(size, index);
        prop_assert!(proof.len() < LOG_PROOF_HASHES_MAX);
        let view = LogView::first(signed(tree.head(size)), &key()).unwrap();
        view.includes(&tree.entries[index as usize], index, &proof).unwrap();
    }

    #[test]
    fn a_proof_shows_one_entry_at_one_place_of_one_tree(
        (index, size) in place(), at: Index, bit: u8, other: u64, more: Digest
    ) {
        let tree = &trees()[0];
        let (head, proof) = (tree.head(size), tree.inclusion(size, index));
        let leaf = tree.entries[index as usize].leaf().unwrap().hash();
        prop_assert!(check_inclusion(&head, index, leaf, &proof));
        let mut forged = [leaf];
        flip(&mut forged, at, bit);
        prop_assert!(!check_inclusion(&head, index, forged[0], &proof));
        if !proof.is_empty() {
            let mut forged = proof.clone();
            flip(&mut forged, at, bit);
            prop_assert!(!check_inclusion(&head, index, leaf, &forged));
            prop_assert!(!check_inclusion(&head, index, leaf, &proof[1..]));
        }
        let longer = [proof.as_slice(), &[more]].concat();
        prop_assert!(!check_inclusion(&head, index, leaf, &longer));
        for other in [other, other % SIZE_MAX, index + 1, size] {
            let elsewhere = check_inclusion(&head, other, leaf, &proof);
            prop_assert!(other == index || !elsewhere);
        }
        let root = [head.root];
        let mut forged = root;
        flip(&mut forged, at, bit);
        let head = TreeHead { root: forged[0], ..head };
        prop_assert!(!check_inclusion(&head, index, leaf, &proof));
    }

    #[test]
    fn a_log_that_grows_is_followed((old, new) in sizes()) {
        let tree = &trees()[0];
        let proof = tree.consistency(old, new);
        prop_assert!(proof.len() <= LOG_PROOF_HASHES_MAX);
        let view = LogView::first(signed(tree.head(old)), &key()).unwrap();
        let next = signed(tree.head(new));
        let view = view.advance(next.clone(), &proof, &key()).unwrap();
        prop_assert_eq!(view.head(), &next);
    }

    #[test]
    fn a_step_is_taken_by_its_own_proof_only(
        (old, new) in sizes(), other_old: u64, at: Index, bit: u8, more: Digest
    ) {
        let tree = &trees()[0];
        let (old, new, proof) = (tree.head(old), tree.head(new), tree.consistency(old, new));
        prop_assert!(check_consistency(&old, &new, &proof));
        let longer = [proof.as_slice(), &[more]].concat();
        prop_assert!(!check_consistency(&old, &new, &longer));
        if !proof.is_empty() {
            let mut forged = proof.clone();
            flip(&mut forged, at, bit);
            prop_assert!(!check_consistency(&old, &new, &forged));
            prop_assert!(!check_consistency(&old, &new, &proof[1..]));
        }
        prop_assert!(old.size == new.size || !check_consistency(&new, &old, &proof));
        for size in [other_old, other_old % SIZE_MAX] {
            let wrong = TreeHead { size, ..old.clone() };
            prop_assert!(size == old.size || !check_consistency(&wrong, &new, &proof));
        }
        for end in [&old, &new] {
            let mut forged = [end.root];
            flip(&mut forged, at, bit);
            let forged = TreeHead { root: forged[0], ..end.clone() };
            let taken = match end == &old {
                true => check_consistency(&forged, &new, &proof),
                false => check_consistency(&old, &forged, &proof),
            };
            // Everything begins with the empty tree.
            prop_assert!(!taken || (old.size == 0 && new.size > 0));
        }
    }

    #[test]
    fn another_history_is_a_fork_and_both_heads_are_kept((old, new) in sizes()) {
        let [tree, lie] = trees();
        let view = LogView::first(signed(tree.head(old)), &key()).unwrap();
        let next = signed(lie.head(new));
        let taken = view.advance(next.clone(), &lie.consistency(old, new), &key());
        if old <= 3 {
            prop_assert!(taken.is_ok(), "what differs came after the known head");
            return Ok(());
        }
        let Err(LogError::Forked(two)) = taken else { return Err(TestCaseError::fail("taken")) };
        prop_assert_eq!((&two.first, &two.second), (view.head(), &next));
        // Of one size they prove it by themselves.
        prop_assert_eq!(two.verify(&key()).is_ok(), old == new);
    }

    #[test]
    fn a_smaller_tree_at_a_later_time_is_a_fork_and_at_an_earlier_one_only_old(
        (small, large) in sizes(), later_ms in 0..1_000_000u64
    ) {
        let tree = &trees()[0];
        let view = LogView::first(signed(tree.head(large)), &key()).unwrap();
        let earlier = view.advance(signed(tree.head(small)), &[], &key());
        let head = TreeHead { time_ms: tree.head(large).time_ms + later_ms, ..tree.head(small) };
        let later = view.advance(signed(head), &[], &key());
        if small == large {
            prop_assert!(earlier.is_ok() && later.is_ok());
        } else {
            prop_assert!(matches!(earlier, Err(LogError::Older)));
            let Err(LogError::Forked(two)) = later else { return Err(TestCaseError::fail("taken")) };
            two.verify(&key()).unwrap();
        }
    }

    #[test]
    fn nothing_that_a_peer_says_makes_a_check_panic(
        old: TreeHead, new: TreeHead, possible: bool, index: u64, leaf: Digest,
        proof in prop::collection::vec(any::<Digest>(), 0..100)
    ) {
        let within = |mut head: TreeHead| {
            head.size %= if possible { LOG_ENTRIES_MAX + 1 } else { u64::MAX };
            head
        };
        let (old, new) = (within(old), within(new));
        prop_assert!(!check_inclusion(&new, index, leaf, &proof));
        prop_assert!(!check_inclusion(&new, index % new.size.max(1), leaf, &proof));
        let from_nothing = old.size == 0 && proof.is_empty();
        prop_assert!(from_nothing || !check_consistency(&old, &new, &proof));
        prop_assert!(from_nothing || !check_consistency(&new, &old, &proof));
    }

    #[test]
    fn who_reads_all_leaves_finds_its_own_and_the_signed_root(
        size in 0..=SIZE_MAX, page in 1..400usize, who in 0..5u64
    ) {
        let tree = &trees()[0];
        let leaves: Vec<_> =
            tree.entries[..size as usize].iter().map(|entry| entry.leaf().unwrap()).collect();
        let (mut frontier, mut found) = (Frontier::default(), Vec::new());
        for page in leaves.chunks(page) {
            found.extend(frontier.take(frontier.size(), page, user_label(&user(who))).unwrap());
        }
        prop_assert!(frontier.is_tree_of(&tree.head(size)).unwrap());
        let own: Vec<_> = (0..size).filter(|n| n % 5 == who).collect();
        prop_assert_eq!(found.iter().map(|leaf| leaf.index).collect::<Vec<_>>(), own);
        for leaf in found {
            prop_assert_eq!(leaf.entry_hash, tree.entries[leaf.index as usize].hash().unwrap());
        }
    }

    #[test]
    fn a_leaf_that_is_left_out_or_another_shows_in_the_root(
        (index, size) in place(), at: Index, bit: u8
    ) {
        let tree = &trees()[0];
        let mut leaves: Vec<_> =
            tree.entries[..size as usize].iter().map(|entry| entry.leaf().unwrap()).collect();
        let read = |leaves: &[LogLeaf]| {
            let mut frontier = Frontier::default();
            frontier.take(0, leaves, Digest([0; 32])).unwrap();
            frontier.is_tree_of(&tree.head(size)).unwrap()
        };
        prop_assert!(read(&leaves));
        let mut forged = [leaves[index as usize].user_label];
        flip(&mut forged, at, bit);
        leaves[index as usize].user_label = forged[0];
        prop_assert!(!read(&leaves));
        leaves.remove(index as usize);
        prop_assert!(!read(&leaves));
    }

    #[test]
    fn a_frontier_of_any_content_does_not_panic(mut frontier: Frontier, leaf: LogLeaf, head: TreeHead) {
        let before = frontier.clone();
        let from = frontier.size();
        if frontier.take(from, &[leaf.clone(), leaf], head.root).is_err() {
            prop_assert_eq!(&frontier, &before);
        }
        let _ = frontier.is_tree_of(&TreeHead { size: from, ..head });
    }
}

/// The Merkle tree hash as RFC 6962 2.1 defines it.
fn defined_root(leaves: &[LogLeaf]) -> Digest {
    match leaves {
        [] => sha256(b""),
        [leaf] => leaf.hash(),
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            let (left, right) = (defined_root(left), defined_root(right));
            sha256(&[[1].as_slice(), &left.0, &right.0].concat())
        }
    }
}

#[test]
fn the_root_is_the_one_of_rfc_6962() {
    let tree = &trees()[0];
    let leaves: Vec<_> = tree.entries.iter().map(|entry| entry.leaf().unwrap()).collect();
    for size in (0..70).chain([511, 512, 513, SIZE_MAX]) {
        assert_eq!(tree.head(size).root, defined_root(&leaves[..size as usize]), "{size}");
    }
}

#[test]
fn leaves_that_are_not_the_next_ones_are_refused() {
    let leaf = trees()[0].entries[0].leaf().unwrap();
    let mut frontier = Frontier::default();
    for from in [1, u64::MAX] {
        let refused = frontier.take(from, std::slice::from_ref(&leaf), Digest([0; 32]));
        assert!(matches!(refused, Err(LogError::NotNext { known: 0, .. })));
    }
    frontier.take(0, &[leaf], Digest([0; 32])).unwrap();
    assert_eq!(frontier.size(), 1);
}

#[test]
fn a_head_that_another_key_has_signed_is_none() {
    let (other, _) = Authority::make(&Crypto::system(), "test").unwrap();
    let tree = &trees()[0];
    let forged = other.sign_tree_head(tree.head(7)).unwrap();
    assert!(matches!(LogView::first(forged.clone(), &key()), Err(LogError::Signature)));
    let view = LogView::first(signed(tree.head(5)), &key()).unwrap();
    let refused = view.advance(forged, &tree.consistency(5, 7), &key());
    assert!(matches!(refused, Err(LogError::Signature)));
}
