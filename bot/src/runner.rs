//! The loop that owns the member, its database and its connection: one input, one transaction,
//! then the outputs.
//!
//! A message may leave before its transaction is synced, where the member says so
//! ([`Durability`]). Nobody is answered before it is: neither who gave a command, nor the server.
//!
//! The loop waits for nothing but its channels; everything slow is a task of [`work::Work`].

mod asker;
mod channels;
mod pulse;
mod reports;
mod work;

pub(crate) use channels::{Ask, Channels};
pub use channels::{Options, RunError, Status};

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use mls_core::address::ClientId;
use mls_core::member::{
    CommandId, Durability, Event, EventRecord, Input, KeyPackageUpload, Member, Output,
};
use mls_core::store::Write;
use storage::Database;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior};

use crate::clock::now_ms;
use crate::invitations::Invitations;
use crate::network::{Batch, Network};
use work::{Report, Work};

/// Events that wait for the reader before no more is taken from the network.
const EVENTS_WAITING_MAX: usize = 1000;
/// How long the network may take to say goodbye.
const STOP_WAIT: Duration = Duration::from_secs(5);
/// Commands of our own begin so, and no caller's; their ends are not shown.
pub(crate) const OWN_COMMAND: &str = "mls-bot-";
/// Before key packages are published again after a failure.
const PUBLISH_AGAIN: Duration = Duration::from_secs(30);

/// Why serving ended without an error of ours.
enum End {
    /// The user wants it, or is gone.
    Asked,
    /// The connection is over for good.
    Connection,
}

/// The loop's state.
pub(crate) struct Runner {
    client: ClientId,
    member: Member,
    database: Database,
    network: Arc<Network>,
    options: Options,
    work: Work,
    invitations: Invitations,
    channels: Channels,
    /// Events that the reader has not taken yet.
    to_show: VecDeque<EventRecord>,
    /// Events up to this number are seen; written before the next wait.
    seen: Option<u64>,
    connected: bool,
    publishing: Option<CommandId>,
    publish_at: Option<Instant>,
    settling: Vec<oneshot::Sender<()>>,
    reading: Vec<oneshot::Sender<()>>,
    stopping: bool,
    /// When the database's log was last emptied.
    tidied: Instant,
    looked: Instant,
}

impl Runner {
    /// Runs until it is told to stop, its user is gone, or the session has ended.
    pub(crate) async fn run(
        client: ClientId,
        (member, database): (Member, Database),
        (network, batches): (Network, mpsc::Receiver<Batch>),
        options: Options,
        channels: Channels,
    ) -> Result<(), RunError> {
        let network = Arc::new(network);
        let (work, reports) = Work::new(Arc::clone(&network));
        let mut runner = Self {
            client,
            member,
            database,
            network,
            options,
            work,
            invitations: Invitations::default(),
            channels,
            to_show: VecDeque::new(),
            seen: None,
            connected: false,
            publishing: None,
            publish_at: None,
            settling: Vec::new(),
            reading: Vec::new(),
            stopping: false,
            tidied: Instant::now(),
            looked: Instant::now(),
        };
        let served = match runner.resume() {
            Ok(()) => runner.serve(batches, reports).await,
            Err(error) => Err(error),
        };
        // Only now: after an error the database may lack what the member has in memory.
        let rested = served.is_ok().then(|| runner.rest());
        let closed = runner.close().await;
        rested.transpose()?;
        match served? {
            End::Asked => Ok(()),
            End::Connection => Err(RunError::SessionEnded(closed)),
        }
    }

    /// Does again what was not confirmed before the last end.
    fn resume(&mut self) -> Result<(), RunError> {
        self.act_all(self.member.pending()?, true);
        self.invitations = Invitations::read(&self.database)?;
        self.database.commit(&self.invitations.expire(now_ms()))?;
        if self.options.accept_invitations {
            for (room, patience) in self.invitations.waiting(now_ms()) {
                self.work.accept(room, patience);
            }
        }
        Ok(())
    }

    async fn serve(
        &mut self,
        mut batches: mpsc::Receiver<Batch>,
        mut reports: mpsc::Receiver<Report>,
    ) -> Result<End, RunError> {
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let events = self.channels.events.clone();
        while !self.stopping {
            let room_for_more = self.to_show.len() < EVENTS_WAITING_MAX;
            tokio::select! {
                ask = self.channels.asks.recv() => match ask {
                    Some(ask) => self.ask(ask)?,
                    None => return Ok(End::Asked),
                },
                report = reports.recv() => if let Some(report) = report {
                    self.report(report)?;
                },
                batch = batches.recv(), if room_for_more => match batch {
                    Some(batch) => self.batch(batch)?,
                    None => return Ok(End::Connection),
                },
                permit = events.reserve(), if !self.to_show.is_empty() => {
                    match (permit, self.to_show.pop_front()) {
                        (Ok(permit), Some(record)) => permit.send(record),
                        _ => return Ok(End::Asked),
                    }
                },
                _ = tick.tick() => self.tick()?,
            }
            self.after_each();
        }
        Ok(End::Asked)
    }

    /// Commits what an orderly end need not leave open.
    fn rest(&mut self) -> Result<(), RunError> {
        Ok(self.database.commit(&self.member.rest()?)?)
    }

    /// Ends all tasks, takes leave, and empties the database's log; what the server said last.
    async fn close(self) -> String {
        let Self { network, work, database, .. } = self;
        work.end().await;
        let said = match Arc::into_inner(network) {
            Some(network) => tokio::time::timeout(STOP_WAIT, network.stop()).await,
            None => Ok(Ok(())),
        };
        if let Err(error) = database.checkpoint() {
            tracing::warn!(%error, "the database was not tidied up; nothing is lost");
        }
        match said {
            Ok(Ok(())) => "it closed the connection".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "it did not take leave in time".to_owned(),
        }
    }

    fn ask(&mut self, first: Ask) -> Result<(), RunError> {
        let mut next = Some(first);
        let mut stored = Vec::new();
        // All that wait, so that many seen events cost one transaction, and many commands one sync.
        while let Some(ask) = next {
            match ask {
                Ask::Command(id, command, taken) => {
                    self.input(Input::Command(id, command), Vec::new())?;
                    stored.push(taken);
                }
                Ask::Groups(reply) => {
                    let _ = reply.send(self.member.groups()?);
                }
                Ask::Authorities(reply) => {
                    let _ = reply.send(self.member.authorities()?);
                }
                Ask::LookIntoLog(reply) => {
                    self.input(Input::LookIntoLogNow, Vec::new())?;
                    let _ = reply.send(());
                }
                Ask::Certificates(reply) => {
                    let log = self.member.certificate_log()?;
                    let _ = reply.send((log, self.member.own_log_entries()?));
                }
                Ask::MembershipLog(group, from_seq, limit, reply) => {
                    let _ = reply.send(self.member.membership_log(&group, from_seq, limit)?);
                }
                Ask::Identity(reply) => {
                    let _ = reply.send(self.member.identity());
                }
                Ask::DeviceRequest(reply) => {
                    let (request, writes) = self.member.device_request()?;
                    self.database.commit(&writes)?;
                    let _ = reply.send(request);
                }
                Ask::SignDevice(request, reply) => {
                    let _ = reply.send(self.member.sign_device(now_ms(), &request));
                }
                Ask::Verification(user, reply) => {
                    let _ = reply.send(self.member.verification(&user)?);
                }
                Ask::Settled(reply) => self.settling.push(reply),
                Ask::LogRead(reply) => self.reading.push(reply),
                Ask::Seen(number) => self.seen = self.seen.max(Some(number)),
                Ask::Stop => self.stopping = true,
            }
            next = self.channels.asks.try_recv().ok();
        }
        if let Some(number) = self.seen.take() {
            self.database.commit(&self.member.seen(number))?;
        }
        self.database.sync()?;
        for taken in stored {
            // Whoever asked may have gone; the command stays.
            let _ = taken.send(());
        }
        Ok(())
    }

    /// Takes in what came from the network; the mark that it came is committed with the last.
    fn batch(&mut self, batch: Batch) -> Result<(), RunError> {
        let mut inputs = Vec::with_capacity(batch.inputs.len());
        for input in batch.inputs {
            inputs.extend(self.complete(input));
        }
        let mut marks = batch.marks;
        let mut noted = Vec::new();
        marks.extend(self.invitations.expire(now_ms()));
        for room in batch.invitations {
            if let Some((write, patience)) = self.invitations.note(&room, now_ms()) {
                marks.push(write);
                noted.push((room, patience));
            }
        }
        let last = inputs.pop();
        for input in inputs {
            self.input(input, Vec::new())?;
        }
        match last {
            Some(input) => self.input(input, marks)?,
            None => self.database.commit(&marks)?,
        }
        self.publish_if_due()?;
        if self.options.accept_invitations {
            noted.into_iter().for_each(|(room, patience)| self.work.accept(room, patience));
        }
        self.database.sync()?;
        // The connection may have gone; it will give the batch again, to no harm.
        let _ = batch.done.send(());
        Ok(())
    }

    /// The input, unless it is the courier's or waits for its blobs.
    fn complete(&mut self, input: Input) -> Option<Input> {
        match input {
            Input::Answer(id, reply) => self.work.answered(id, reply),
            input => Some(input),
        }
    }

    /// One input, one transaction, then the outputs.
    fn input(&mut self, input: Input, more: Vec<Write>) -> Result<(), RunError> {
        let connected = matches!(input, Input::Connected);
        let mut outcome = self.member.handle(now_ms(), input)?;
        match outcome.durability {
            Durability::Committed if more.is_empty() => {
                self.database.commit_unsynced(&outcome.writes)?;
            }
            Durability::Committed | Durability::Synced => {
                outcome.writes.extend(more);
                self.database.commit(&outcome.writes)?;
            }
        }
        self.act_all(outcome.outputs, false);
        if connected {
            self.work.reconnected();
            if !std::mem::replace(&mut self.connected, true) {
                self.channels.status.send_modify(|status| status.connected = true);
                // Not before the rest of its batch, which may say how many there are.
                self.publish_at = self.options.publish.then(Instant::now);
            }
            self.look_at_authority()?;
        }
        Ok(())
    }

    /// Does them, `again` if a former process may have done some.
    fn act_all(&mut self, outputs: Vec<Output>, again: bool) {
        for output in outputs {
            match output {
                Output::Request(to, id, request) => self.work.request(to, id, request),
                Output::Send(message) => self.work.post(message, again),
                Output::UploadKeyPackages(upload) => self.upload(upload),
                Output::JoinRoom(room) => self.work.enter(room),
                Output::LeaveRoom(room) => self.work.leave(room),
                Output::Event(record) => self.show(record),
            }
        }
    }

    /// Uploads key packages with the announcement of this device, which its signature key signs.
    fn upload(&mut self, upload: KeyPackageUpload) {
        let announcement = self.network.announcement(&self.client, &upload);
        let signed = announcement.and_then(|bytes| match bytes {
            Some(bytes) => self.member.sign(&bytes).map_err(|e| e.to_string()),
            None => Ok(Vec::new()),
        });
        match signed {
            Ok(signature) => self.work.upload(upload, signature),
            Err(why) => tracing::error!(why, "the device cannot be announced"),
        }
    }

    /// Queues an event for the reader; the ends of our own commands are for us.
    fn show(&mut self, record: EventRecord) {
        let (id, why) = match &record.event {
            Event::CommandDone(done) => (&done.id, None),
            Event::CommandFailed(failed) => (&failed.id, Some(&failed.why)),
            _ => return self.to_show.push_back(record),
        };
        if !id.starts_with(OWN_COMMAND) {
            return self.to_show.push_back(record);
        }
        if self.publishing.as_ref() != Some(id) {
            // An echo, or of an earlier start.
            if let Some(why) = why {
                tracing::warn!(id, why, "a command of our own failed");
            }
            return;
        }
        self.publishing = None;
        match why {
            None => {
                self.channels.status.send_modify(|status| status.ready = true);
            }
            Some(why) => {
                tracing::warn!(why, "key packages are not published; it is tried again");
                self.publish_at = Some(Instant::now() + PUBLISH_AGAIN);
            }
        }
    }

    fn after_each(&mut self) {
        if !self.connected || !self.work.is_idle() {
            return;
        }
        let log_is_read = !self.work.is_reading_log();
        let reading = if log_is_read { std::mem::take(&mut self.reading) } else { Vec::new() };
        for reply in self.settling.drain(..).chain(reading) {
            let _ = reply.send(());
        }
    }
}
