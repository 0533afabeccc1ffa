//! Where random bytes come from: a parameter, as time is, for this crate has no source of its own.
//!
//! A member or hub is given one when it is opened, and so is whatever makes a key or a nonce; see
//! [`crate::crypto`] for what is drawn from it and what is not.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use thiserror::Error;

/// A source of bytes that nobody can predict. Keys are made of them: a source that can be guessed, or that
/// repeats itself after a restart, gives away what is encrypted. Only tests and simulations have reason to
/// give another than [`SystemRandomness`].
pub trait Randomness: Send + Sync {
    /// Fills all of `bytes`. An error means that there are none now, which is the machine's fault.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomnessError>;
}

/// There are no random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the machine gives no random bytes")]
pub struct RandomnessError;

/// The operating system's, by aws-lc.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandomness;

impl Randomness for SystemRandomness {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomnessError> {
        SystemRandom::new().fill(bytes).map_err(|_| RandomnessError)
    }
}

/// None, for what only checks.
pub(crate) struct NoRandomness;

impl Randomness for NoRandomness {
    fn fill(&self, _bytes: &mut [u8]) -> Result<(), RandomnessError> {
        Err(RandomnessError)
    }
}
