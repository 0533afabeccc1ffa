//! The random bytes of a node, drawn from its story, so that a story has the same keys whenever it is
//! played. Not the same ciphertexts: aws-lc draws some chances by itself (`mls_core::crypto`).

use std::sync::{Arc, Mutex, PoisonError};

use mls_core::engine::sha256_parts;
use mls_core::randomness::{Randomness, RandomnessError};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The bytes of one node in one story. Each process of the node has others than those before it: one
/// that repeated them would use keys twice.
#[derive(Clone, Debug)]
pub(crate) struct ChanceBytes {
    story: u64,
    node: String,
    processes: u64,
}

impl ChanceBytes {
    /// Those of the node with that name.
    pub(crate) fn new(story: u64, node: &str) -> Self {
        Self { story, node: node.to_owned(), processes: 0 }
    }

    /// The source of the node's next process.
    pub(crate) fn next_process(&mut self) -> Arc<dyn Randomness> {
        self.processes = self.processes.saturating_add(1);
        let (story, process) = (self.story.to_be_bytes(), self.processes.to_be_bytes());
        let seed = sha256_parts(&[&story, self.node.as_bytes(), &process]);
        Arc::new(Stream(Mutex::new(ChaCha20Rng::from_seed(seed.0))))
    }
}

struct Stream(Mutex<ChaCha20Rng>);

impl Randomness for Stream {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomnessError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(source: &Arc<dyn Randomness>) -> [u8; 32] {
        let mut bytes = [0; 32];
        source.fill(&mut bytes).expect("chances never end");
        bytes
    }

    #[test]
    fn each_process_of_each_node_in_each_story_has_bytes_of_its_own_and_the_same_in_each_play() {
        let mut seen = std::collections::BTreeSet::new();
        for story in [1, 2] {
            for node in ["hub", "alice"] {
                let mut bytes = ChanceBytes::new(story, node);
                let mut again = bytes.clone();
                for _ in 0..3 {
                    let (one, other) = (bytes.next_process(), again.next_process());
                    let first = drawn(&one);
                    assert_eq!(first, drawn(&other));
                    assert!(seen.insert(first) && seen.insert(drawn(&one)));
                }
            }
        }
    }
}
