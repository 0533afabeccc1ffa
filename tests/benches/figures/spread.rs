//! Many measured times as the few numbers that are printed of them.

use std::fmt;
use std::time::Duration;

/// What is printed of a set of times.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    pub(crate) median: Duration,
    pub(crate) p95: Duration,
    pub(crate) mean: Duration,
    pub(crate) longest: Duration,
}

impl Spread {
    /// Of at least one time.
    pub(crate) fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let count = u32::try_from(times.len()).unwrap();
        Self {
            median: times[times.len() / 2],
            p95: times[times.len() * 95 / 100],
            mean: times.iter().sum::<Duration>() / count,
            longest: times[times.len() - 1],
        }
    }

    /// How many times as long as `other`, by the medians.
    pub(crate) fn times(&self, other: &Self) -> f64 {
        self.median.as_secs_f64() / other.median.as_secs_f64()
    }

    /// The same by the means.
    pub(crate) fn times_by_mean(&self, other: &Self) -> f64 {
        self.mean.as_secs_f64() / other.mean.as_secs_f64()
    }
}

/// Microseconds: median, 95th percentile, mean, longest.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        let [median, p95, mean, longest] =
            [self.median, self.p95, self.mean, self.longest].map(micros);
        write!(f, "{median:>8.0} {p95:>8.0} {mean:>8.0} {longest:>8.0}")
    }
}
