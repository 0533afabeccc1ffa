//! How long to wait before the same is tried again.

use std::time::Duration;

/// The first wait, in milliseconds.
const FIRST_MS: u64 = 500;
/// The longest wait that we choose ourselves.
const LONGEST_MS: u64 = 30_000;
/// The longest wait that we let a server choose.
const SERVER_LONGEST_MS: u64 = 10 * 60_000;

/// Waits that double from half a second to half a minute, each shortened at random by up to a
/// quarter, so that many clients do not come back at the same moment.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    attempts: u32,
}

impl Backoff {
    /// The next wait; never shorter than what the server asked for.
    pub(crate) fn next(&mut self, after_ms: Option<u64>) -> Duration {
        let doubled = FIRST_MS.saturating_mul(1 << self.attempts.min(10)).min(LONGEST_MS);
        self.attempts = self.attempts.saturating_add(1);
        let wait_ms = doubled - random_below(doubled / 4);
        let asked_ms = after_ms.unwrap_or(0).min(SERVER_LONGEST_MS);
        Duration::from_millis(wait_ms.max(asked_ms))
    }
}

/// Spread for timing only: without random numbers it is 0, which is as correct.
fn random_below(bound: u64) -> u64 {
    getrandom::u64().map_or(0, |random| random % bound.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_half_a_minute_and_honour_the_server_within_bounds() {
        let mut backoff = Backoff::default();
        let waits: Vec<u64> = (0..12).map(|_| backoff.next(None).as_millis() as u64).collect();
        for (wait, full) in waits.iter().zip([500, 1000, 2000, 4000, 8000, 16_000, 30_000]) {
            assert!((full * 3 / 4..=full).contains(wait), "{waits:?}");
        }
        assert!(waits.iter().skip(6).all(|wait| (22_500..=30_000).contains(wait)), "{waits:?}");
        assert_eq!(backoff.next(Some(90_000)).as_millis(), 90_000);
        assert_eq!(backoff.next(Some(u64::MAX)).as_millis(), u128::from(SERVER_LONGEST_MS));
    }
}
