//! How long to wait before the next connection: doubling, with jitter, so that clients of a server
//! that came back do not all come at once.

use std::time::Duration;

use crate::limits::{RECONNECT_CALM, RECONNECT_FIRST, RECONNECT_LAST};

/// The waits between connections.
pub(crate) struct Backoff {
    next: Duration,
}

impl Backoff {
    /// The first wait is the shortest.
    pub(crate) fn new() -> Self {
        Self { next: RECONNECT_FIRST }
    }

    /// A connection ended that lived so long, or never was: wait so long. A long life lets the
    /// waits start anew.
    pub(crate) fn wait(&mut self, lived: Duration) -> Duration {
        if lived > RECONNECT_CALM {
            self.next = RECONNECT_FIRST;
        }
        let wait = self.next;
        self.next = (self.next * 2).min(RECONNECT_LAST);
        wait.mul_f64(0.5 + random_share() / 2.0)
    }
}

/// From 0 to 1.
fn random_share() -> f64 {
    let mut byte = [128];
    // Without randomness all wait the same time, which is no worse than that.
    let _ = getrandom::fill(&mut byte);
    f64::from(byte[0]) / 255.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_their_bound_and_start_anew_after_a_long_life() {
        let mut backoff = Backoff::new();
        let waits: Vec<_> = (0..8).map(|_| backoff.wait(Duration::ZERO)).collect();
        assert!(waits[0] <= RECONNECT_FIRST && waits[0] >= RECONNECT_FIRST / 2);
        assert!(waits[7] <= RECONNECT_LAST && waits[7] >= RECONNECT_LAST / 2);
        assert!(backoff.wait(RECONNECT_CALM * 2) <= RECONNECT_FIRST);
    }
}
