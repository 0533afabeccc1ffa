//! What is being done: each output as a task of its own, so that a slow one delays no other.

mod rooms;

pub(super) use rooms::RoomTask;

use std::collections::{HashMap, HashSet, VecDeque};
use std::future::Future;
use std::sync::Arc;

use mls_core::address::RoomAddress;
use mls_core::delivery::DeliveryError;
use mls_core::limits::REQUEST_RETRY_MS;
use mls_core::member::{Input, KeyPackageUpload, OutgoingMessage};
use mls_core::service::Service;
use mls_core::wire::refusal::Refusal;
use mls_core::wire::{Answer, Digest, Request, RequestId};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use super::asker::Asker;
use crate::backoff::Backoff;
use crate::courier::{any_blob, fetch_parts, store_parts};
use crate::network::Network;

/// Answers whose blobs are being fetched at the same time; a further one is asked for again.
const FETCHES_MAX: usize = 64;
/// Reports that wait for the runner; a task with one more waits.
const REPORTS_MAX: usize = 64;

/// What a task has to say at its end.
#[derive(Debug)]
pub(super) enum Report {
    /// The front message of this room is posted, or never will be.
    Posted(RoomAddress, Digest, Result<(), String>),
    /// A room was joined or left, or cannot be.
    Room(RoomTask, Result<(), String>),
    /// An answer is complete, or an answer's blobs cannot be had.
    Fetched(Input),
    /// The network will never take this request.
    NotAsked(RequestId, Refusal),
    /// Key packages are uploaded, and of their suite so many are there now.
    Uploaded(Digest, u16, u32),
}

/// A message to be posted.
#[derive(Clone)]
struct Post {
    message: OutgoingMessage,
    /// A former process may have posted it.
    again: bool,
}

/// All tasks; dropping it ends them.
pub(super) struct Work {
    network: Arc<Network>,
    asker: Asker,
    tasks: JoinSet<()>,
    reports: mpsc::Sender<Report>,
    requests: HashMap<RequestId, (Service, AbortHandle)>,
    /// Those of them that read the authority's log, which may be long, and for which nobody waits.
    of_log: HashSet<RequestId>,
    /// Messages that wait, by room; the first is being posted. The member bounds them.
    posts: HashMap<RoomAddress, VecDeque<Post>>,
    uploads: HashSet<Digest>,
    rooms: HashSet<RoomTask>,
    fetches: usize,
}

impl Work {
    pub(super) fn new(network: Arc<Network>) -> (Self, mpsc::Receiver<Report>) {
        let (reports, receiver) = mpsc::channel(REPORTS_MAX);
        let work = Self {
            asker: Asker::new(Arc::clone(&network)),
            network,
            tasks: JoinSet::new(),
            reports,
            requests: HashMap::new(),
            of_log: HashSet::new(),
            posts: HashMap::new(),
            uploads: HashSet::new(),
            rooms: HashSet::new(),
            fetches: 0,
        };
        (work, receiver)
    }

    /// Cuts all tasks short and waits until they are gone; what they did not finish is pending.
    pub(super) async fn end(mut self) {
        self.tasks.shutdown().await;
    }

    /// Nothing is being done but reading the log.
    pub(super) fn is_idle(&self) -> bool {
        self.requests.len() == self.of_log.len()
            && self.posts.is_empty()
            && self.uploads.is_empty()
            && self.rooms.is_empty()
            && self.fetches == 0
    }

    /// The log is being read.
    pub(super) fn is_reading_log(&self) -> bool {
        !self.of_log.is_empty()
    }

    /// The connection is there again.
    pub(super) fn reconnected(&self) {
        self.asker.reconnected();
    }

    /// Puts a request until [`Work::answered`] ends it; one that is being put to this service already is left.
    pub(super) fn request(&mut self, to: Service, id: RequestId, mut request: Request) {
        match self.requests.get(&id) {
            Some((before, _)) if *before == to => return,
            Some((_, task)) => task.abort(),
            None => {}
        }
        if reads_log(&request) {
            self.of_log.insert(id.clone());
        }
        let (asker, name) = (self.asker.of(to.clone()), id.clone());
        let task = self.spawn(async move {
            let refusal = match store_parts(&asker, &mut request).await {
                Ok(()) => asker.repeat(&name, &request).await,
                Err(error) => {
                    tracing::warn!(id = name, %error, "a request cannot be put");
                    error.into_refusal()
                }
            };
            Report::NotAsked(name, refusal)
        });
        self.requests.insert(id, (to, task));
    }

    /// Takes an answer in: what the member is to be told now, if anything.
    pub(super) fn answered(
        &mut self,
        id: RequestId,
        reply: Result<Answer, Refusal>,
    ) -> Option<Input> {
        let reply = self.asker.answered(&id, reply)?;
        let asked = self.forget_request(&id);
        let from = asked.as_ref().map_or(Service::Delivery, |(service, _)| service.clone());
        asked.iter().for_each(|(_, task)| task.abort());
        let mut answer = match reply {
            Ok(answer) => answer,
            Err(refusal) => return Some(Input::Answer(id, Err(refusal))),
        };
        if !any_blob(&answer.parts_mut()) {
            return Some(Input::Answer(id, Ok(answer)));
        }
        if self.fetches >= FETCHES_MAX {
            return Some(Input::Answer(id, Err(Refusal::Unavailable(REQUEST_RETRY_MS))));
        }
        self.fetch_answer(from, id, answer);
        None
    }

    fn fetch_answer(&mut self, from: Service, id: RequestId, mut answer: Answer) {
        self.fetches += 1;
        let asker = self.asker.of(from);
        self.spawn(async move {
            let fetched = fetch_parts(&asker, answer.parts_mut()).await;
            let reply = fetched.map(|()| answer).map_err(|error| {
                tracing::warn!(id, %error, "an answer cannot be completed");
                error.into_refusal()
            });
            Report::Fetched(Input::Answer(id, reply))
        });
    }

    /// Puts a message at the end of its room's queue, `again` if a former process may have posted
    /// it; one that waits already is left.
    pub(super) fn post(&mut self, message: OutgoingMessage, again: bool) {
        let queue = self.posts.entry(message.room.clone()).or_default();
        if queue.iter().any(|waiting| waiting.message.id == message.id) {
            return;
        }
        let post = Post { message, again };
        queue.push_back(post.clone());
        if queue.len() == 1 {
            self.post_now(post);
        }
    }

    fn post_now(&mut self, Post { message, again }: Post) {
        let network = Arc::clone(&self.network);
        self.spawn(async move {
            let result = insist("a message", || network.send(&message, again)).await;
            Report::Posted(message.room, message.id, result)
        });
    }

    /// The front message of a room is done with: the next one goes.
    pub(super) fn posted(&mut self, room: &RoomAddress, id: &Digest) {
        let Some(queue) = self.posts.get_mut(room) else { return };
        if queue.front().is_some_and(|post| post.message.id == *id) {
            queue.pop_front();
        }
        match queue.front().cloned() {
            Some(next) => self.post_now(next),
            None => {
                self.posts.remove(room);
            }
        }
    }

    /// Uploads key packages with the signed announcement; an upload that is going on already is left.
    pub(super) fn upload(&mut self, upload: KeyPackageUpload, signature: Vec<u8>) {
        if !self.uploads.insert(upload.id) {
            return;
        }
        let network = Arc::clone(&self.network);
        self.spawn(async move {
            let mut backoff = Backoff::default();
            loop {
                match network.upload_key_packages(&upload, &signature).await {
                    Ok(left) => return Report::Uploaded(upload.id, upload.suite, left),
                    // Even a refusal passes, when the hub or the server is mended; without key
                    // packages nobody could add this device.
                    Err(error) => {
                        tracing::warn!(%error, "key packages are not published yet");
                        let after_ms = match error {
                            DeliveryError::Later { after_ms, .. } => after_ms,
                            DeliveryError::Refused { .. } => None,
                        };
                        tokio::time::sleep(backoff.next(after_ms)).await;
                    }
                }
            }
        });
    }

    /// An upload has ended.
    pub(super) fn uploaded(&mut self, id: &Digest) {
        self.uploads.remove(id);
    }

    /// A fetch has ended.
    pub(super) fn fetched(&mut self) {
        self.fetches = self.fetches.saturating_sub(1);
    }

    /// A request that the network will never take.
    pub(super) fn not_asked(&mut self, id: &RequestId) {
        self.forget_request(id);
    }

    fn forget_request(&mut self, id: &RequestId) -> Option<(Service, AbortHandle)> {
        self.of_log.remove(id);
        self.requests.remove(id)
    }

    fn spawn(&mut self, task: impl Future<Output = Report> + Send + 'static) -> AbortHandle {
        // Ended tasks leave their results here; taking them out keeps the set small.
        while self.tasks.try_join_next().is_some() {}
        let reports = self.reports.clone();
        self.tasks.spawn(async move {
            // Nobody listens any more when the runner has ended.
            let _ = reports.send(task.await).await;
        })
    }
}

/// Whether a request follows the authority's log.
fn reads_log(request: &Request) -> bool {
    matches!(
        request,
        Request::FetchTreeHead(_)
            | Request::FetchLogLeaves(_)
            | Request::FetchOwnEntries(_)
            | Request::ProveCertificate(_)
    )
}

/// Tries until it is done or refused.
async fn insist<T, F>(what: &str, attempt: impl Fn() -> F) -> Result<T, String>
where
    F: Future<Output = Result<T, DeliveryError>>,
{
    let mut backoff = Backoff::default();
    loop {
        match attempt().await {
            Ok(done) => return Ok(done),
            Err(DeliveryError::Refused { why }) => return Err(why),
            Err(DeliveryError::Later { after_ms, why }) => {
                tracing::info!(what, why, "it is tried again");
                tokio::time::sleep(backoff.next(after_ms)).await;
            }
        }
    }
}

#[cfg(test)]
mod tests;
