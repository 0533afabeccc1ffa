//! When a story begins.

use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use mls_core::limits::DAY_MS;

/// 2040-01-01, in milliseconds since 1970.
const IN_2040_MS: u64 = 2_208_988_800_000;
/// How long a story may go on before the machine's clock has not come to it yet.
const BEFORE_TODAY_MS: u64 = 20 * DAY_MS;

/// Some days before that on which the process first asked, at midnight: what a story does not depend on the
/// hour at which it is played.
static BEFORE_TODAY: LazyLock<u64> = LazyLock::new(|| {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now_ms = u64::try_from(since.as_millis()).unwrap_or(0);
    now_ms.saturating_sub(now_ms % DAY_MS).saturating_sub(BEFORE_TODAY_MS)
});

/// When a story begins. A new group that follows a ReInit, or that branches, is made against the machine's
/// clock (docs/decisions/0013), and needs key packages that are good then; nothing else may depend on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Begins {
    /// In 2040: nothing ever follows a ReInit, no branch is made, and whatever looks at a clock shows.
    #[default]
    In2040,
    /// Some days before today: both are made, until the story has passed today.
    BeforeToday,
}

impl Begins {
    /// Milliseconds since 1970.
    pub(crate) fn at_ms(self) -> u64 {
        match self {
            Self::In2040 => IN_2040_MS,
            Self::BeforeToday => *BEFORE_TODAY,
        }
    }

    /// Whether the machine's clock has come to a time of the story, on whatever hour of the day.
    pub(crate) fn is_before_today(self, time_ms: u64) -> bool {
        self == Self::BeforeToday && time_ms <= BEFORE_TODAY.saturating_add(BEFORE_TODAY_MS)
    }
}
