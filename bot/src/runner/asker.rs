//! Puts a request to a service and repeats it, under the same id, until it is answered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mls_core::delivery::DeliveryError;
use mls_core::limits::REQUEST_RETRY_MS;
use mls_core::service::Service;
use mls_core::wire::refusal::Refusal;
use mls_core::wire::{Answer, Request, RequestId};
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep, sleep_until};

use crate::backoff::Backoff;
use crate::courier::Hub;
use crate::network::Network;

/// Ids of the courier's own requests begin so; a member's never do.
const BLOB_PREFIX: &str = "blob-";
/// A refusal of the network may be the room's, not the request's: it is put so often before it
/// is given up.
const REFUSED_MAX: u32 = 3;
/// An answer that is long in coming is asked for at most this seldom.
const REPEAT_MS_MAX: u64 = 4 * REQUEST_RETRY_MS;

/// The hub of another domain is asked for so long: less than the member waits for it.
const OTHER_HUB_WAIT: Duration = Duration::from_secs(30);

/// An answer or a refusal.
type Reply = Result<Answer, Refusal>;

/// Asks one service; clones share the answers that are waited for.
#[derive(Clone)]
pub(super) struct Asker {
    network: Arc<Network>,
    to: Service,
    waiting: Arc<Mutex<HashMap<RequestId, oneshot::Sender<Reply>>>>,
    connected: Arc<Notify>,
}

impl Asker {
    pub(super) fn new(network: Arc<Network>) -> Self {
        let to = Service::Delivery;
        Self { network, to, waiting: Arc::default(), connected: Arc::default() }
    }

    /// The same for a service.
    pub(super) fn of(&self, to: Service) -> Self {
        Self { to, ..self.clone() }
    }

    /// Puts the request again and again; returns only when the network will never take it, or when
    /// the hub of another domain was silent for long. Who has the answer drops this future.
    pub(super) async fn repeat(&self, id: &str, request: &Request) -> Refusal {
        let mut backoff = Backoff::default();
        let mut repeat_ms = REQUEST_RETRY_MS;
        let mut refused = 0;
        let mut trouble = "nobody answered".to_owned();
        let give_up = Instant::now() + OTHER_HUB_WAIT;
        loop {
            let wait = match self.network.request(&self.to, id, request).await {
                Ok(()) => {
                    let wait = Duration::from_millis(repeat_ms);
                    repeat_ms = (repeat_ms * 2).min(REPEAT_MS_MAX);
                    backoff = Backoff::default();
                    wait
                }
                Err(DeliveryError::Later { after_ms, why }) => {
                    tracing::info!(id, why, "a request is put again later");
                    trouble = why;
                    backoff.next(after_ms)
                }
                Err(DeliveryError::Refused { why }) => {
                    refused += 1;
                    if refused >= REFUSED_MAX {
                        return Refusal::Invalid(why);
                    }
                    tracing::warn!(id, why, "a request was refused");
                    backoff.next(None)
                }
            };
            tokio::select! {
                () = sleep(wait) => {}
                // What was sent before may be lost.
                () = self.connected.notified() => {}
                () = sleep_until(give_up), if matches!(self.to, Service::OtherHub(_)) => {
                    return Refusal::Invalid(trouble);
                }
            }
        }
    }

    /// The connection is there again: what the old one may have lost is put again now.
    pub(super) fn reconnected(&self) {
        if self.network.loses_requests() {
            self.connected.notify_waiters();
        }
    }

    /// Takes an answer to a request of the courier; gives any other back.
    pub(super) fn answered(&self, id: &str, reply: Reply) -> Option<Reply> {
        if !id.starts_with(BLOB_PREFIX) {
            return Some(reply);
        }
        if let Some(waiting) = self.waiting().remove(id) {
            // Nobody waits any more when the task was given up.
            let _ = waiting.send(reply);
        }
        None
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<RequestId, oneshot::Sender<Reply>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hub for Asker {
    async fn ask(&self, request: Request) -> Reply {
        // A fresh id each time: the hub answers an old id with its old answer, but a blob may
        // have gone in the meantime.
        let random = getrandom::u64().map_err(|_| Refusal::Unavailable(REQUEST_RETRY_MS))?;
        let id = format!("{BLOB_PREFIX}{random:016x}");
        let (sender, answer) = oneshot::channel();
        self.waiting().insert(id.clone(), sender);
        let forget = Forget { asker: self, id: &id };
        let reply = tokio::select! {
            refusal = self.repeat(&id, &request) => Err(refusal),
            reply = answer => reply.unwrap_or(Err(Refusal::Unavailable(REQUEST_RETRY_MS))),
        };
        drop(forget);
        reply
    }
}

/// Takes a waiting place away when its task ends, also when it is cut short.
struct Forget<'a> {
    asker: &'a Asker,
    id: &'a str,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.asker.waiting().remove(self.id);
    }
}
