//! Token buckets: how often one account may do one thing. They live in memory only; after a
//! restart every bucket is full.

use std::collections::HashMap;

use crate::engine::sha256_parts;
use crate::limits::{DROPPED_NOTICE_MS, RATES_FOLLOWED_MAX};
use crate::policy::{
    CLAIMS_PER_HOUR, COMMITS_PER_HOUR, CREDENTIALS_PER_HOUR, GROUPS_PER_HOUR, MESSAGES_BURST,
    MESSAGES_PER_SECOND, ONE_TIME_CLAIMS_PER_DAY, PROPOSALS_PER_HOUR, PUBLICATIONS_PER_HOUR,
    REPORTS_PER_HOUR,
};
use crate::wire::Digest;

const SECOND_MS: u64 = 1000;
const HOUR_MS: u64 = 3600 * SECOND_MS;

/// What is counted.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rate {
    /// Commits, by group and user.
    Commits,
    /// Proposals, by group and user.
    Proposals,
    /// Claims, by claimer and target.
    Claims,
    /// One-time key packages, by target.
    OneTimeClaims,
    /// New groups and rooms, by user.
    Groups,
    /// Messages, by sender.
    Messages,
    /// Notices that messages are dropped, by their sender.
    DroppedNotices,
    /// GroupInfos, by group and user.
    GroupInfos,
    /// A new device's asking to be added, by user.
    Asks,
    /// Key packages published, by user.
    Publications,
    /// Credentials, by user.
    Credentials,
    /// Reports of one handshake, by group and seq.
    Reports,
}

/// The buckets of everybody who was not idle.
#[derive(Default)]
pub(super) struct Rates {
    buckets: HashMap<Digest, Bucket>,
}

struct Bucket {
    rate: Rate,
    /// What is left, in tokens times [`Rate::wait_ms`], so that time adds in whole numbers.
    left: u64,
    at_ms: u64,
}

impl Rate {
    /// Tokens at once, and the milliseconds in which one comes back.
    fn burst_and_wait(self) -> (u64, u64) {
        match self {
            Self::Commits => per_hour(COMMITS_PER_HOUR),
            Self::Proposals => per_hour(PROPOSALS_PER_HOUR),
            Self::Claims | Self::Asks => per_hour(CLAIMS_PER_HOUR),
            Self::OneTimeClaims => {
                let (burst, wait) = per_hour(ONE_TIME_CLAIMS_PER_DAY);
                (burst, wait * 24)
            }
            Self::Groups => per_hour(GROUPS_PER_HOUR),
            Self::Publications => per_hour(PUBLICATIONS_PER_HOUR),
            Self::Credentials => per_hour(CREDENTIALS_PER_HOUR),
            Self::Reports => per_hour(REPORTS_PER_HOUR),
            Self::Messages => {
                (MESSAGES_BURST.into(), SECOND_MS / u64::from(MESSAGES_PER_SECOND).max(1))
            }
            Self::DroppedNotices => (1, DROPPED_NOTICE_MS),
            Self::GroupInfos => per_hour(COMMITS_PER_HOUR),
        }
    }

    /// The milliseconds between two of them, over time.
    pub(super) fn wait_ms(self) -> u64 {
        self.burst_and_wait().1
    }
}

fn per_hour(count: u32) -> (u64, u64) {
    (count.into(), HOUR_MS / u64::from(count).max(1))
}

impl Rates {
    /// Takes one token for `rate` from the bucket that `whose` names; where there is none, the
    /// milliseconds until there is.
    pub(super) fn take(&mut self, rate: Rate, whose: &[&str], now_ms: u64) -> Result<(), u64> {
        let name = format!("{rate:?}");
        let parts: Vec<&[u8]> =
            std::iter::once(name.as_bytes()).chain(whose.iter().map(|w| w.as_bytes())).collect();
        let (burst, wait) = rate.burst_and_wait();
        let full = burst * wait;
        if self.buckets.len() >= RATES_FOLLOWED_MAX {
            self.forget_full(now_ms);
        }
        let bucket = self.buckets.entry(sha256_parts(&parts)).or_insert(Bucket {
            rate,
            left: full,
            at_ms: now_ms,
        });
        bucket.refill(now_ms);
        if bucket.left < wait {
            return Err(wait - bucket.left);
        }
        bucket.left -= wait;
        Ok(())
    }

    /// Forgets who did nothing for so long that the bucket is full again.
    pub(super) fn forget_full(&mut self, now_ms: u64) {
        self.buckets.retain(|_, bucket| !bucket.refill(now_ms));
        if self.buckets.len() >= RATES_FOLLOWED_MAX {
            // Better to be generous for a while than to grow without end.
            self.buckets.clear();
        }
    }
}

impl Bucket {
    /// Lets time pass; whether the bucket is full now.
    fn refill(&mut self, now_ms: u64) -> bool {
        let (burst, wait) = self.rate.burst_and_wait();
        let full = burst * wait;
        self.left = self.left.saturating_add(now_ms.saturating_sub(self.at_ms)).min(full);
        self.at_ms = self.at_ms.max(now_ms);
        self.left == full
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_lets_a_burst_through_and_then_one_in_each_interval() {
        let mut rates = Rates::default();
        let take = |rates: &mut Rates, now| rates.take(Rate::Messages, &["alice"], now);
        for _ in 0..MESSAGES_BURST {
            take(&mut rates, 0).unwrap();
        }
        assert_eq!(take(&mut rates, 0), Err(100));
        assert_eq!(take(&mut rates, 40), Err(60));
        take(&mut rates, 100).unwrap();
        assert!(take(&mut rates, 100).is_err());
        rates.take(Rate::Messages, &["bob"], 100).unwrap();
    }

    #[test]
    fn what_is_counted_by_the_hour_or_day_is_let_through_so_often_and_comes_back_in_that_time() {
        let policies = [
            (Rate::Commits, COMMITS_PER_HOUR, HOUR_MS),
            (Rate::Proposals, PROPOSALS_PER_HOUR, HOUR_MS),
            (Rate::Claims, CLAIMS_PER_HOUR, HOUR_MS),
            (Rate::Asks, CLAIMS_PER_HOUR, HOUR_MS),
            (Rate::Groups, GROUPS_PER_HOUR, HOUR_MS),
            (Rate::Publications, PUBLICATIONS_PER_HOUR, HOUR_MS),
            (Rate::Credentials, CREDENTIALS_PER_HOUR, HOUR_MS),
            (Rate::Reports, REPORTS_PER_HOUR, HOUR_MS),
            (Rate::GroupInfos, COMMITS_PER_HOUR, HOUR_MS),
            (Rate::OneTimeClaims, ONE_TIME_CLAIMS_PER_DAY, 24 * HOUR_MS),
        ];
        let mut rates = Rates::default();
        for (rate, count, window_ms) in policies {
            for now_ms in [0, window_ms] {
                let mut take = || rates.take(rate, &["alice"], now_ms);
                (0..count).for_each(|_| take().unwrap());
                assert_eq!(take(), Err(window_ms / u64::from(count)), "{rate:?}");
            }
        }
    }

    #[test]
    fn a_full_bucket_is_forgotten_and_an_emptied_one_is_not() {
        let mut rates = Rates::default();
        rates.take(Rate::Messages, &["alice"], 0).unwrap();
        rates.forget_full(50);
        assert_eq!(rates.buckets.len(), 1);
        rates.forget_full(100);
        assert_eq!(rates.buckets.len(), 0);
    }
}
