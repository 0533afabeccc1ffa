//! A moment, for people.

use time::OffsetDateTime;

/// Day and time of day in UTC, as `2026-11-28 05:26:40Z`, of milliseconds since 1970.
pub(super) fn at(time_ms: u64) -> String {
    let seconds = i64::try_from(time_ms / 1000).unwrap_or(i64::MAX);
    let Ok(moment) = OffsetDateTime::from_unix_timestamp(seconds) else {
        return "a day that no calendar has".to_owned();
    };
    let (hour, minute, second) = moment.to_hms();
    format!("{} {hour:02}:{minute:02}:{second:02}Z", moment.date())
}

/// Hours and minutes of the day, in UTC.
pub(super) fn clock(time_ms: u64) -> String {
    let minutes = time_ms / 60_000;
    format!("{:02}:{:02}", minutes / 60 % 24, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_reads_as_a_day_and_a_time() {
        for (time_ms, reads) in [
            (0, "1970-01-01 00:00:00Z"),
            (1_700_000_000_999, "2023-11-14 22:13:20Z"),
            (u64::MAX, "a day that no calendar has"),
        ] {
            assert_eq!(at(time_ms), reads);
        }
    }
}
