//! The date, for members, which have no clock.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970; a clock before that reads as 1970, and every receipt is too new.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
