//! A connected device, as the author of a bot sees it: events come out, commands go in.

use std::sync::Arc;

use mls_core::address::{ClientId, UserId};
use mls_core::content::{self, ContentError};
use mls_core::delivery::DeliveryError;
use mls_core::member::{
    Command, CommandId, DomainAnchors, EventRecord, GroupSummary, IdentitySummary, LogSummary,
    LoggedEntry, Member, MembershipEntry, SendCommand, SignDeviceError,
};
use mls_core::store::StoreError;
use mls_core::user_identity::{DeviceRequest, DeviceStatement, Verification, VerificationError};
use mls_core::wire::GroupId;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::network::Network;
use crate::profile::{Profile, ProfileError};
use crate::runner::{Ask, Channels, Options, RunError, Runner, Status};

/// Questions and commands that wait for the runner; one more makes its caller wait.
const ASKS_MAX: usize = 64;
/// Events that wait for [`Bot::next_event`] outside the database.
const EVENTS_MAX: usize = 64;

/// A device that is connected, or connects as soon as its server lets it.
///
/// Commands and events are stored before anything else happens, so neither is lost when the
/// process ends; when [`Bot::command`] returns, not even by a loss of power. Dropping a bot ends it at once; [`Bot::stop`] takes leave of the server first.
#[derive(Debug)]
pub struct Bot {
    client: ClientId,
    asks: mpsc::Sender<Ask>,
    events: mpsc::Receiver<EventRecord>,
    status: watch::Receiver<Status>,
    runner: JoinHandle<Result<(), RunError>>,
    unseen: Option<u64>,
}

/// Why a bot cannot start or go on.
#[derive(Debug, Error)]
pub enum BotError {
    /// The profile cannot be used.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The database cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The connection cannot even be tried, or was refused.
    #[error("no connection: {0}")]
    Connect(DeliveryError),
    /// The connection ended by itself.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The text is too long.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// The system gives no random numbers.
    #[error("no random numbers: {0}")]
    Random(#[from] getrandom::Error),
}

impl Bot {
    /// Opens what the profile holds, goes on with what was not finished, and connects; a server
    /// that is away is tried again until it answers ([`Bot::status`] tells).
    pub async fn connect(profile: Profile, options: Options) -> Result<Self, BotError> {
        let client = profile.client().clone();
        let database = profile.database()?;
        let (member, writes) = Member::open(Arc::new(database.clone()), client.clone())?;
        database.commit(&writes)?;
        let connected = Network::connect(profile.session(), &database, member.sealer()).await?;
        let (asks, asked) = mpsc::channel(ASKS_MAX);
        let (shown, events) = mpsc::channel(EVENTS_MAX);
        let (told, status) = watch::channel(Status::default());
        let channels = Channels { asks: asked, events: shown, status: told };
        let own = client.clone();
        let runner = tokio::spawn(async move {
            let state = (member, database);
            let result = Runner::run(own, state, connected, options, channels).await;
            // The lock is held until the database is closed.
            drop(profile);
            result
        });
        Ok(Self { client, asks, events, status, runner, unseen: None })
    }

    /// This device.
    pub fn client(&self) -> &ClientId {
        &self.client
    }

    /// Whether the connection was there, and key packages are published; changes are told.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// The next event, or `None` when the bot has ended ([`Bot::stop`] says why).
    ///
    /// Asking for the next marks the one before as seen. After a crash in between, that one comes
    /// again with the same number. May be cancelled without losing an event.
    pub async fn next_event(&mut self) -> Option<EventRecord> {
        if let Some(number) = self.unseen {
            let permit = self.asks.reserve().await.ok()?;
            permit.send(Ask::Seen(number));
            self.unseen = None;
        }
        let record = self.events.recv().await?;
        self.unseen = Some(record.number);
        Some(record)
    }

    /// Stores a command, on the disk when this returns; it ends in a `CommandDone` or `CommandFailed` event with this id. The
    /// same id again is the same command, also after a restart.
    pub async fn command(
        &self,
        id: impl Into<CommandId>,
        command: Command,
    ) -> Result<(), RunError> {
        let (taken, answer) = oneshot::channel();
        self.ask(Ask::Command(id.into(), command, taken), answer).await
    }

    /// Sends a text to a group, as the command `id`.
    pub async fn send_text(
        &self,
        id: impl Into<CommandId>,
        group: &GroupId,
        text: &str,
    ) -> Result<(), BotError> {
        let content = content::encode_text(text, random_salt()?)?;
        let send = SendCommand { group: group.clone(), content };
        Ok(self.command(id, Command::Send(send)).await?)
    }

    /// The groups of this device, as far as it has caught up.
    pub async fn groups(&self) -> Result<Vec<GroupSummary>, RunError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Ask::Groups(reply), answer).await
    }

    /// The authorities that this device goes by, by domain.
    pub async fn authorities(&self) -> Result<Vec<DomainAnchors>, RunError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Ask::Authorities(reply), answer).await
    }

    /// Has the device look into the authority's log, where that was not done just now: what it finds comes as
    /// events, and with [`Bot::log_read`] all is seen.
    pub async fn look_into_log(&self) -> Result<(), RunError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Ask::LookIntoLog(reply), answer).await
    }

    /// The authority's log, and what it holds in the name of this user.
    pub async fn certificates(&self) -> Result<(Option<LogSummary>, Vec<LoggedEntry>), RunError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Ask::Certificates(reply), answer).await
    }

    /// A page of a group's membership log (see [`mls_core::member::Member::membership_log`]).
    pub async fn membership_log(
        &self,
        group: &GroupId,
        from_seq: u64,
        limit: usize,
    ) -> Result<Vec<MembershipEntry>, RunError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Ask::MembershipLog(group.clone(), from_seq, limit, reply), answer).await
    }

    /// This device's part in its user's identity.
    pub async fn identity(&self) -> Result<IdentitySummary, RunError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Ask::Identity(reply), answer).await
    }

    /// What this device asks the device that made the identity key to sign.
    pub async fn device_request(&self) -> Result<DeviceRequest, RunError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Ask::DeviceRequest(reply), answer).await
    }

    /// Signs another device of this user.
    pub async fn sign_device(
        &self,
        request: DeviceRequest,
    ) -> Result<Result<DeviceStatement, SignDeviceError>, RunError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Ask::SignDevice(request, reply), answer).await
    }

    /// What a person compares to verify a user.
    pub async fn verification(
        &self,
        user: UserId,
    ) -> Result<Result<Verification, VerificationError>, RunError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Ask::Verification(user, reply), answer).await
    }

    /// Waits until the connection is there and nothing is under way, but for the reading of the authority's log.
    pub async fn settled(&self) -> Result<(), RunError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Ask::Settled(reply), answer).await
    }

    /// Waits until that is read too, which may be long: 500 entries an answer.
    pub async fn log_read(&self) -> Result<(), RunError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Ask::LogRead(reply), answer).await
    }

    /// Ends, after the last event was marked as seen. An error says why it had ended by itself.
    pub async fn stop(mut self) -> Result<(), RunError> {
        if let Some(number) = self.unseen.take() {
            // Where the runner has ended, the event comes again at the next start.
            let _ = self.asks.send(Ask::Seen(number)).await;
        }
        let _ = self.asks.send(Ask::Stop).await;
        // So that a runner with many events to show does not wait for us.
        self.events.close();
        self.runner.await.unwrap_or(Err(RunError::Closed))
    }

    async fn ask<T>(&self, ask: Ask, answer: oneshot::Receiver<T>) -> Result<T, RunError> {
        self.asks.send(ask).await.map_err(|_| RunError::Closed)?;
        answer.await.map_err(|_| RunError::Closed)
    }
}

/// An id for a command that nobody will ask for again.
pub fn random_id() -> Result<CommandId, getrandom::Error> {
    Ok(format!("once-{:016x}", getrandom::u64()?))
}

/// A fresh salt for a message's content.
pub fn random_salt() -> Result<[u8; content::SALT_BYTES], getrandom::Error> {
    let mut salt = [0; content::SALT_BYTES];
    getrandom::fill(&mut salt)?;
    Ok(salt)
}
