//! One device of one account: an ordinary client of an XMPP server.
//!
//! [`Connection::connect`] logs in and then stays connected, whatever happens; what comes in goes
//! out as [`Batch`]es, each stored by the caller before the next. The stream is TLS, except to
//! this machine itself. Rooms are entered without history and caught up from their archives.

mod iqs;
mod key_packages;
mod login;
mod staying;
mod worker;

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use jid::BareJid;
use mls_core::delivery::DeliveryError;
use mls_core::member::{Input, OutgoingMessage};
use mls_core::seal::{SealError, Sealer};
use mls_core::service::Service;
use mls_core::wire::{Request, RequestId};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::limits::{ENTER_DEADLINE, INCOMING_MAX, STOP_DEADLINE};
use crate::mapping::application_message::{self, Application};
use crate::mapping::invitation::Invitation;
use crate::mapping::iq;
use crate::mapping::namespace::CLIENT;
use crate::session::posting::PostError;
use crate::session::{Failure, Session};
use login::LoginError;
use staying::Staying;
use worker::Worker;

/// Who logs in, where, and what is known already.
#[derive(Clone)]
pub struct ClientSetup {
    /// The account's bare JID.
    pub jid: String,
    /// Its password.
    pub password: Zeroizing<String>,
    /// `host:port` of the server, where it is not found by its domain.
    pub server: Option<String>,
    /// The device's id: 16 lower-case hex digits.
    pub device: String,
    /// The hub's JID, for example `mls.example.org`.
    pub hub: String,
    /// The member's ([`mls_core::member::Member::sealer`]).
    pub sealer: Sealer,
    /// The rooms to be in: bare JID, and the [`Batch::marks`] entry that was stored last.
    pub rooms: Vec<(String, Option<String>)>,
}

/// What came in. Nothing more comes before `done`; dropping it unused has everything since the
/// last stored marks delivered again.
#[derive(Debug)]
pub struct Batch {
    /// For the member, in order.
    pub inputs: Vec<Input>,
    /// To be stored in the same transaction: by room, the place in its archive.
    pub marks: Vec<(String, String)>,
    /// The hub's invitations to rooms; accept one with [`Connection::join_room`].
    pub invitations: Vec<Invitation>,
    /// To be told when all of it is stored.
    pub done: oneshot::Sender<()>,
}

/// The connection; see the module.
pub struct Connection {
    setup: Arc<ClientSetup>,
    session: Session,
    commands: mpsc::Sender<Command>,
    stop: watch::Sender<bool>,
    /// Why it ended by itself.
    refused: Arc<OnceLock<DeliveryError>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

/// What the worker is asked to do with rooms.
enum Command {
    Join { room: String, reply: oneshot::Sender<Result<(), Failure>> },
    Leave { room: String },
    Lost { room: String },
}

impl Connection {
    /// Logs in, and goes on from there until [`Self::stop`], or until the server no longer takes
    /// the account's password (RFC 6120 6.5): then the batches end, and [`Self::refused`] says why.
    /// A wrong password, or an address that is none, is `Refused`; a server that is away is `Later`.
    pub async fn connect(
        setup: ClientSetup,
    ) -> Result<(Self, mpsc::Receiver<Batch>), DeliveryError> {
        let setup = Arc::new(validated(setup)?);
        let stream = login::login(&setup).await.map_err(delivery_error)?;
        let session = Session::new(CLIENT);
        let (batches, batches_out) = mpsc::channel(1);
        let (commands, commands_in) = mpsc::channel(INCOMING_MAX);
        let (events, events_in) = mpsc::channel(INCOMING_MAX);
        let (stop, stopped) = watch::channel(false);
        let worker = Worker::new(setup.clone(), session.clone(), batches);
        let refused = Arc::new(OnceLock::new());
        let staying = Staying {
            setup: setup.clone(),
            session: session.clone(),
            events,
            stop: stop.clone(),
            refused: refused.clone(),
        };
        let tasks = Mutex::new(vec![
            tokio::spawn(worker.run(events_in, commands_in, stopped)),
            tokio::spawn(staying.run(stream)),
        ]);
        Ok((Self { setup, session, commands, stop, refused, tasks }, batches_out))
    }

    /// Why the connection ended by itself, if it did: the server refuses the account.
    pub fn refused(&self) -> Option<DeliveryError> {
        self.refused.get().cloned()
    }

    /// Whether there is a connection now.
    pub fn is_connected(&self) -> bool {
        self.session.is_up()
    }

    /// Sends a request to a service; done when it is on its way. The answer comes as
    /// [`Input::Answer`]; one that gets lost is asked for again by the member.
    pub async fn request(
        &self,
        to: &Service,
        id: &RequestId,
        request: &Request,
    ) -> Result<(), DeliveryError> {
        let sealer = &self.setup.sealer;
        let sealed = sealer.seal(to, id, request)?;
        let at = match to {
            Service::Delivery => self.setup.hub.clone(),
            Service::Authentication => sealer.authority_at().ok_or(SealError::NoKey)?,
            Service::OtherHub(address) => normalised(address)?,
        };
        Ok(self.session.send(&iq::request(&at, id, &sealed)).await?)
    }

    /// Posts a message into its room; done when the room has it.
    pub async fn send(&self, message: &OutgoingMessage) -> Result<(), DeliveryError> {
        self.post(message, false).await
    }

    /// The same for a message that a former process may have put on its way, such as those that
    /// [`mls_core::member::Member::pending`] gives: the room's archive is searched for it first.
    pub async fn send_again(&self, message: &OutgoingMessage) -> Result<(), DeliveryError> {
        self.post(message, true).await
    }

    async fn post(
        &self,
        message: &OutgoingMessage,
        tried_before: bool,
    ) -> Result<(), DeliveryError> {
        let application = Application {
            group: message.group.clone(),
            epoch: message.epoch,
            message: message.message.clone(),
            checkpoint: message.checkpoint.clone(),
        };
        let id = message.id.to_string();
        let stanza = application_message::message(&message.room.address, &id, &application);
        match self.session.post_once(&self.session.me(), stanza, tried_before).await {
            Ok(()) => Ok(()),
            Err(PostError::NotThere { room }) => {
                let why = format!("not in {room}; entering it again");
                self.command(Command::Lost { room }).await?;
                Err(DeliveryError::Later { after_ms: None, why })
            }
            Err(PostError::Other(error)) => Err(error),
        }
    }

    /// Enters a room and stays in it, also after reconnecting. Its archive is read from the
    /// beginning.
    pub async fn join_room(&self, room: &str) -> Result<(), DeliveryError> {
        let (reply, entered) = oneshot::channel();
        self.command(Command::Join { room: normalised(room)?, reply }).await?;
        match timeout(ENTER_DEADLINE, entered).await {
            Ok(Ok(entered)) => Ok(entered?),
            Ok(Err(_)) => Err(Failure::Offline.into()),
            Err(_) => Err(Failure::Timeout.into()),
        }
    }

    /// Leaves a room; the account stays on its list.
    pub async fn leave_room(&self, room: &str) -> Result<(), DeliveryError> {
        self.command(Command::Leave { room: normalised(room)? }).await
    }

    /// Ends the connection in good order.
    pub async fn stop(&self) {
        self.stop.send_replace(true);
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            let abort = task.abort_handle();
            if timeout(STOP_DEADLINE, task).await.is_err() {
                abort.abort();
            }
        }
    }

    async fn command(&self, command: Command) -> Result<(), DeliveryError> {
        let why = "the connection is being ended".to_owned();
        let sent = self.commands.send(command).await;
        sent.map_err(|_| DeliveryError::Later { after_ms: None, why })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Tries an account and its password, and leaves without having been present: nothing that waits
/// for the account goes to this connection. A wrong password is `Refused`, a server that is away
/// is `Later`.
pub async fn check_login(setup: ClientSetup) -> Result<(), DeliveryError> {
    let stream = login::login(&validated(setup)?).await.map_err(delivery_error)?;
    stream.end().await;
    Ok(())
}

fn validated(mut setup: ClientSetup) -> Result<ClientSetup, DeliveryError> {
    setup.jid = normalised(&setup.jid)?;
    if !setup.jid.contains('@') {
        let why = format!("{:?} is no account: write it as name@domain", setup.jid);
        return Err(DeliveryError::Refused { why });
    }
    setup.hub = normalised(&setup.hub)?;
    for (room, _) in &mut setup.rooms {
        *room = normalised(room)?;
    }
    Ok(setup)
}

/// As servers write it, so that addresses can be compared.
fn normalised(jid: &str) -> Result<String, DeliveryError> {
    let why = |error| format!("{jid:?} is no bare JID ({error}): write it as name@domain");
    let jid = BareJid::new(jid).map_err(|error| DeliveryError::Refused { why: why(error) })?;
    Ok(jid.to_string())
}

fn delivery_error(error: LoginError) -> DeliveryError {
    let why = error.to_string();
    match error {
        LoginError::Account(_) | LoginError::Refused(_) | LoginError::Address(_) => {
            DeliveryError::Refused { why }
        }
        LoginError::Unreachable(_) => DeliveryError::Later { after_ms: None, why },
    }
}
