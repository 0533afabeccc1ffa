//! The one task that owns the hub and the database.
//!
//! It takes what came in and what was carried out, decides, and commits everything that follows
//! in one transaction; only then are senders answered and effects started. After an error nothing
//! of that turn has happened: hub and lanes are read again from the database.

mod attempt;
mod decision;

use std::collections::HashMap;
use std::future::{self, Future};
use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use mls_core::delivery::DeliveryError;
use mls_core::hub::{HubSetup, Input};
use mls_core::store::StoreError;
use storage::Database;
use tokio::sync::mpsc;
use tokio::task::{Id, JoinError, JoinSet, block_in_place};
use tokio::time::{MissedTickBehavior, interval, sleep_until, timeout};

use crate::apart::{Listed, Publisher};
use crate::carrier::{Carrier, Delivery};
use crate::lanes::{Attempt, backoff};
use crate::limits::{
    GROUP_COMMIT_MAX, OUTBOX_ENTRIES_MAX, STOP_DEADLINE, TICK, TICKS_PER_CHECKPOINT,
};
use crate::operator_socket::Ordered;
use attempt::{Finished, Settled};
pub use decision::{Decision, LiveRoom};

/// The runtime; [`Runtime::run`] is its life.
pub struct Runtime<C> {
    setup: HubSetup,
    database: Database,
    carrier: Arc<C>,
    deliveries: mpsc::Receiver<Delivery>,
    orders: mpsc::Receiver<Ordered>,
    /// What an authority that is another process says; nothing comes where there is none.
    lists: mpsc::Receiver<Listed>,
    /// Writes for a delivery service that is another process.
    publisher: Option<Publisher>,
    decision: Decision,
    attempts: JoinSet<Finished>,
    /// Which attempt a task makes, for the case that it panics.
    tasks: HashMap<Id, Attempt>,
    /// How many pieces of work share the next transaction.
    together: usize,
    ticks: u32,
}

/// What stands between this process and the one that is the other service.
#[derive(Debug)]
pub enum Beside {
    /// This process is both.
    Nobody,
    /// The authority's lists of who is revoked come here.
    Authority(mpsc::Receiver<Listed>),
    /// What is for the delivery service goes there.
    Delivery(Publisher),
}

/// What one turn works on.
#[derive(Debug)]
enum Work {
    Delivered(Delivery),
    Ordered(Ordered),
    Finished(Box<Finished>),
    Revoked(Listed),
    Tick,
    /// The hub wanted to be called now.
    Due,
}

impl<C: Carrier> Runtime<C> {
    /// Puts the parts together; `decision` was opened from `database` for `setup`.
    pub fn new(
        setup: HubSetup,
        database: Database,
        decision: Decision,
        carrier: Arc<C>,
        deliveries: mpsc::Receiver<Delivery>,
        orders: mpsc::Receiver<Ordered>,
    ) -> Self {
        Self {
            setup,
            database,
            carrier,
            deliveries,
            orders,
            lists: mpsc::channel(1).1,
            publisher: None,
            decision,
            attempts: JoinSet::new(),
            tasks: HashMap::new(),
            together: GROUP_COMMIT_MAX,
            ticks: 0,
        }
    }

    /// The same beside another process, which is the other of the two services.
    #[must_use]
    pub fn beside(self, other: Beside) -> Self {
        match other {
            Beside::Nobody => self,
            Beside::Authority(lists) => Self { lists, ..self },
            Beside::Delivery(publisher) => Self { publisher: Some(publisher), ..self },
        }
    }

    /// Works until `stop` is ready; then attempts under way get a little time to end.
    ///
    /// Needs a tokio runtime of several threads: a transaction blocks its thread.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            self.start_attempts();
            let (retry, due) = (self.decision.lanes.next_due(), self.decision.due());
            let takes_more = self.decision.lanes.len() < OUTBOX_ENTRIES_MAX;
            let first = tokio::select! {
                biased;
                () = &mut stop => break,
                Some(end) = self.attempts.join_next_with_id() => self.finished(end),
                _ = tick.tick() => Some(Work::Tick),
                Some(ordered) = self.orders.recv() => Some(Work::Ordered(ordered)),
                Some(list) = self.lists.recv() => Some(Work::Revoked(list)),
                Some(delivery) = self.deliveries.recv(), if takes_more => {
                    Some(Work::Delivered(delivery))
                }
                () = until(due), if takes_more => Some(Work::Due),
                () = until(retry) => None,
            };
            let Some(first) = first else { continue };
            let mut work = self.gather(first, takes_more);
            // However much is brought in, what is held back gets its turn; but what failed, alone.
            let overdue = due.is_some_and(|due| due <= Instant::now());
            if overdue && takes_more && self.together > 1 {
                work.push(Work::Due);
            }
            if let Err(error) = self.turn(work) {
                tracing::error!(%error, "nothing of this turn was kept; starting again from the database");
                tokio::select! {
                    () = &mut stop => break,
                    () = self.recover() => {}
                }
            }
        }
        self.wind_down().await;
    }

    /// Adds what else is there already, so that one transaction serves it all.
    fn gather(&mut self, first: Work, takes_more: bool) -> Vec<Work> {
        let mut work = vec![first];
        while work.len() < self.together {
            let before = work.len();
            if let Some(end) = self.attempts.try_join_next_with_id() {
                work.extend(self.finished(end));
            }
            if takes_more && let Ok(delivery) = self.deliveries.try_recv() {
                work.push(Work::Delivered(delivery));
            }
            if work.len() == before {
                break;
            }
        }
        work
    }

    /// Decides about all of `work`, commits, and then answers.
    fn turn(&mut self, work: Vec<Work>) -> Result<(), StoreError> {
        let (mut answers, mut ended, mut followed) = (Vec::new(), Vec::new(), Vec::new());
        let (pieces, ticks) = (work.len(), work.iter().any(|piece| matches!(piece, Work::Tick)));
        let carrier = Arc::clone(&self.carrier);
        let decision = &mut self.decision;
        block_in_place(|| {
            for piece in work {
                match piece {
                    Work::Delivered(delivery) => {
                        decision.deliver(delivery.incoming, &*carrier)?;
                        decision.mark(delivery.network, delivery.mark);
                        answers.push(delivery.done);
                    }
                    Work::Ordered(Ordered { order, done }) => {
                        followed.push((done, decision.order(order)?));
                    }
                    Work::Finished(finished) => {
                        let number = finished.attempt.number;
                        match attempt::settle(*finished) {
                            Settled::Gone(input) => {
                                input.map_or(Ok(()), |input| decision.decide(*input))?;
                                decision.remove(number);
                                ended.push(number);
                            }
                            Settled::Again { asked_ms } => {
                                decision.lanes.later(number, Instant::now(), asked_ms);
                            }
                        }
                    }
                    Work::Revoked(Listed { list, done }) => {
                        decision.decide(Input::Revoked(list))?;
                        answers.push(done);
                    }
                    Work::Tick => decision.decide(Input::Tick)?,
                    Work::Due => decision.decide(Input::Due)?,
                }
            }
            decision.commit()
        })?;
        tracing::debug!(pieces, waiting = decision.lanes.len(), "committed");
        ended.into_iter().for_each(|number| decision.lanes.done(number));
        // Who is gone needs no answer.
        for done in answers {
            let _ = done.send(());
        }
        for (done, answer) in followed {
            let _ = done.send(answer);
        }
        self.together = self.together.saturating_mul(2).min(GROUP_COMMIT_MAX);
        self.publish(ticks);
        if ticks {
            self.keep_house();
        }
        Ok(())
    }

    /// Tells a delivery service that is another process who is revoked: at once where others are than before, and
    /// with a tick where it is time.
    fn publish(&mut self, ticks: bool) {
        let changed = self.decision.take_revoked_changed();
        let wanted = |it: &&mut Publisher| changed || (ticks && it.is_due());
        let Some(publisher) = self.publisher.as_mut().filter(wanted) else { return };
        // What cannot be written now is tried again with the next tick.
        publisher.outdate();
        let decision = &mut self.decision;
        let written = block_in_place(|| {
            let list = decision.signed_revoked_list().map_err(|error| error.to_string())?;
            publisher.write(&list).map_err(|error| error.to_string())
        });
        if let Err(error) = written {
            tracing::warn!(error, "the delivery service is not told who is revoked");
        }
    }

    /// Now and then, what was deleted leaves the write-ahead log too.
    fn keep_house(&mut self) {
        self.ticks = self.ticks.wrapping_add(1);
        if self.ticks.is_multiple_of(TICKS_PER_CHECKPOINT)
            && let Err(error) = block_in_place(|| self.database.checkpoint())
        {
            tracing::warn!(%error, "the write-ahead log was not moved into the database");
        }
    }

    /// Starts every attempt that may be made now.
    fn start_attempts(&mut self) {
        while let Some(attempt) = self.decision.lanes.next(Instant::now()) {
            let effect = block_in_place(|| self.decision.effect(attempt.number));
            let carrier = Arc::clone(&self.carrier);
            let task = self.attempts.spawn(async move {
                match effect {
                    Ok(Some(effect)) => attempt::make(&*carrier, attempt, effect).await,
                    // Somebody took it away: there is nothing to do.
                    Ok(None) => Finished { attempt, effect: None, result: Ok(None) },
                    Err(error) => {
                        let why = error.to_string();
                        let result = Err(DeliveryError::Later { after_ms: None, why });
                        Finished { attempt, effect: None, result }
                    }
                }
            });
            self.tasks.insert(task.id(), attempt);
        }
    }

    /// What an ended task means; a panic in an adapter is an attempt that failed.
    fn finished(&mut self, end: Result<(Id, Finished), JoinError>) -> Option<Work> {
        match end {
            Ok((id, finished)) => {
                self.tasks.remove(&id);
                Some(Work::Finished(Box::new(finished)))
            }
            Err(error) => {
                let attempt = self.tasks.remove(&error.id())?;
                let why = "the attempt ended in a panic".to_owned();
                let result = Err(DeliveryError::Later { after_ms: None, why });
                let finished = Finished { attempt, effect: None, result };
                Some(Work::Finished(Box::new(finished)))
            }
        }
    }

    /// Reads everything again from the database, as after a crash, until that works.
    async fn recover(&mut self) {
        self.attempts.shutdown().await;
        self.tasks.clear();
        // If one piece of work is what fails, it fails alone from now on.
        self.together = 1;
        for attempts in 1u32.. {
            tokio::time::sleep(backoff(attempts)).await;
            match block_in_place(|| Decision::open(&self.setup, &self.database)) {
                Ok(decision) => {
                    self.decision = decision;
                    return;
                }
                Err(error) => tracing::error!(%error, "the database still does not work"),
            }
        }
    }

    /// Lets attempts under way end and keeps what they led to.
    async fn wind_down(mut self) {
        // What waits here was not acknowledged and comes again.
        self.deliveries.close();
        let rest = async {
            while let Some(end) = self.attempts.join_next_with_id().await {
                let work: Vec<Work> = self.finished(end).into_iter().collect();
                if let Err(error) = self.turn(work) {
                    tracing::error!(%error, "the end of an attempt was not kept");
                    break;
                }
            }
        };
        if timeout(STOP_DEADLINE, rest).await.is_err() {
            tracing::info!(
                "attempts under way were cut off; they are made again at the next start"
            );
        }
        self.attempts.shutdown().await;
        if let Err(error) = block_in_place(|| self.database.checkpoint()) {
            tracing::warn!(%error, "the write-ahead log was not moved into the database");
        }
    }
}

/// Waits for a moment, or for ever where there is none.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment.into()).await,
        None => future::pending().await,
    }
}

#[cfg(test)]
mod tests;
