//! One attempt to carry one effect out, and what its end means for the entry.

use mls_core::delivery::DeliveryError;
use mls_core::hub::{Claimed, DeviceKey, DevicesListed, Effect, Expel, Input, RoomsMade};
use tokio::time::timeout;

use crate::carrier::{Carrier, name};
use crate::lanes::Attempt;
use crate::limits::ATTEMPT_DEADLINE;

/// Failed attempts of one entry after which each is worth a warning.
const WARN_FROM: u32 = 4;

/// An attempt that came to an end.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) attempt: Attempt,
    /// What was to be done; not known where the attempt never began.
    pub(super) effect: Option<Effect>,
    pub(super) result: Result<Option<Input>, DeliveryError>,
}

/// What becomes of the entry.
#[derive(Debug)]
pub(super) enum Settled {
    /// It goes; the hub may have to hear of it.
    Gone(Option<Box<Input>>),
    /// It stays and is tried again.
    Again {
        /// After the wait that the network asked for.
        asked_ms: Option<u64>,
    },
}

/// Makes the attempt, within its deadline.
pub(super) async fn make<C: Carrier>(carrier: &C, attempt: Attempt, effect: Effect) -> Finished {
    let carried = timeout(ATTEMPT_DEADLINE, carrier.carry_out(&effect, attempt.tried_before)).await;
    let result = carried.unwrap_or_else(|_| {
        let why = format!("no end within {} s", ATTEMPT_DEADLINE.as_secs());
        Err(DeliveryError::Later { after_ms: None, why })
    });
    Finished { attempt, effect: Some(effect), result }
}

/// Decides what becomes of the entry, and logs what people should know.
pub(super) fn settle(finished: Finished) -> Settled {
    let Finished { attempt: Attempt { number, attempt, .. }, effect, result } = finished;
    let kind = effect.as_ref().map_or("entry", name);
    let lane = effect.as_ref().map(Effect::lane).unwrap_or_default();
    match result {
        Ok(input) => {
            tracing::debug!(kind, lane, number, attempt, "carried out");
            Settled::Gone(input.or_else(|| effect.and_then(expelled)).map(Box::new))
        }
        Err(DeliveryError::Later { after_ms, why }) if attempt < WARN_FROM => {
            tracing::info!(kind, lane, number, attempt, why, "not delivered yet");
            Settled::Again { asked_ms: after_ms }
        }
        Err(DeliveryError::Later { after_ms, why }) => {
            tracing::warn!(kind, lane, number, attempt, why, "still not delivered");
            Settled::Again { asked_ms: after_ms }
        }
        Err(DeliveryError::Refused { why }) => {
            tracing::warn!(kind, lane, number, attempt, why, "refused by the network and given up");
            Settled::Gone(effect.and_then(|effect| refused(effect, why)).map(Box::new))
        }
    }
}

/// From when on the hub takes what a room says for its own doing.
fn expelled(effect: Effect) -> Option<Input> {
    match effect {
        Effect::Expel(Expel { room, user, .. }) => Some(Input::Expelled { room, user }),
        _ => None,
    }
}

/// Whoever waits for a job hears that it came to nothing.
fn refused(effect: Effect, why: String) -> Option<Input> {
    match effect {
        Effect::MakeRooms(job) => {
            Some(Input::RoomsMade(RoomsMade { job: job.job, result: Err(why) }))
        }
        Effect::ClaimMatrix(job) => {
            Some(Input::Claimed(Claimed { job: job.job, clients: Vec::new() }))
        }
        Effect::QueryDevice(job) => {
            Some(Input::DeviceKey(DeviceKey { job: job.job, result: Err(why) }))
        }
        Effect::ListDevices(job) => {
            Some(Input::DevicesListed(DevicesListed { job: job.job, accounts: Vec::new() }))
        }
        effect => expelled(effect),
    }
}
