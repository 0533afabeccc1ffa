//! Every wait of the rig: a condition, looked at again and again until it holds or time is up.

use std::time::{Duration, Instant};

use crate::error::RigError;

/// One step of a conversation: a command, an answer, an event at every member.
///
/// Generous, because all servers and clients share one small machine; a wait ends as soon as its
/// condition holds, so only failures take this long.
pub const STEP: Duration = Duration::from_secs(90);
/// A server that starts, or comes back.
pub const START: Duration = Duration::from_secs(60);
/// A program that was asked to end.
pub const STOP: Duration = Duration::from_secs(20);

const PAUSE: Duration = Duration::from_millis(50);

/// Asks `look` until it answers `Some`; after `limit` fails with `what` and what `seen` tells.
pub fn until<T>(
    what: &str,
    limit: Duration,
    look: impl FnMut() -> Result<Option<T>, RigError>,
    seen: impl FnOnce() -> String,
) -> Result<T, RigError> {
    until_each(PAUSE, what, limit, look, seen)
}

/// The same, asking after each `pause`: for who measures when it was.
pub fn until_each<T>(
    pause: Duration,
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> Result<Option<T>, RigError>,
    seen: impl FnOnce() -> String,
) -> Result<T, RigError> {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if Instant::now() >= end {
            return Err(RigError::Deadline {
                what: what.to_owned(),
                seconds: limit.as_secs(),
                seen: seen(),
            });
        }
        std::thread::sleep(pause);
    }
}
