//! The server's connection: an external component (XEP-0114) with its own robust stream.
//!
//! [`Component::start`] connects in the background and keeps connecting. What comes in goes out
//! as [`Delivery`]s, one after the other, each stored by the caller before the next; what the hub
//! wants done goes through [`Component::perform`]. The hub's occupant `hub@<domain>/hub` sits in
//! every bound room, and a ghost for each member from Matrix.

mod affiliations;
mod check;
mod ghosts;
mod make_room;
mod open;
mod perform;
mod questions;
mod requests;
mod worker;

pub use check::CheckError;
pub use open::OpenError;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mls_core::address::UserId;
use mls_core::hub::Incoming;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use zeroize::Zeroizing;

use crate::limits::{INCOMING_MAX, STOP_DEADLINE};
use crate::mapping::ghost;
use crate::mapping::namespace::COMPONENT;
use crate::session::backoff::Backoff;
use crate::session::link::{self, Ends, Event, told_to_stop};
use crate::session::{Failure, Session};
use affiliations::Affiliations;
use ghosts::Ghosts;
use worker::Worker;

/// What people see of the hub in a room.
const HUB_NICK: &str = "MLS hub";

/// Where the component connects to, and as what.
#[derive(Clone)]
pub struct ComponentSetup {
    /// `host:port` of the server's component port; on this machine, for the stream is not
    /// encrypted.
    pub address: String,
    /// The component's domain, for example `mls.example.org`; also the hub's address.
    pub domain: String,
    /// The secret that the server's configuration has too.
    pub secret: Zeroizing<String>,
    /// The domain of the multi-user chat service in which rooms are made.
    pub muc_service: String,
    /// The server's own domain.
    pub xmpp_domain: String,
}

/// A room of a live group.
#[derive(Clone, Debug)]
pub struct RoomToJoin {
    /// The room's bare JID.
    pub muc: String,
    /// The [`Mark`] that was stored last for it.
    pub stanza_id: Option<String>,
    /// Users of the other network who have a leaf in its group.
    pub ghosts: Vec<UserId>,
    /// Those of them whose ghosts are known to be on the room's list ([`Component::perform`]):
    /// whose ghost is missing there was put out while we were away.
    pub admitted: Vec<UserId>,
    /// Other users of the other network whose ghosts are to stay outside, for somebody put them out.
    pub put_out: Vec<UserId>,
}

/// To be stored together with what came with it, and given back as [`RoomToJoin::stanza_id`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// `room:` and the room's bare JID.
    pub key: String,
    /// The archive's id of the last message that was handed over.
    pub value: String,
}

/// What came in. Nothing more comes before `done`; dropping it unused has everything since the
/// last stored mark delivered again.
#[derive(Debug)]
pub struct Delivery {
    /// For the hub, in order.
    pub incoming: Vec<Incoming>,
    /// To be stored in the same transaction.
    pub mark: Option<Mark>,
    /// To be told when all of it is stored.
    pub done: oneshot::Sender<()>,
}

/// The connection; see the module.
pub struct Component {
    shared: Arc<Shared>,
    commands: mpsc::Sender<Command>,
    stop: watch::Sender<bool>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

/// What the tasks of a component share.
struct Shared {
    setup: ComponentSetup,
    session: Session,
    affiliations: Mutex<Affiliations>,
    ghosts: Mutex<Ghosts>,
}

/// What the worker is asked to do with rooms.
enum Command {
    /// Enter a room and stay in it.
    Stay { room: String, reply: Option<oneshot::Sender<Result<(), Failure>>> },
    /// It turned out that the hub's occupant is not in it.
    Lost { room: String },
}

impl Component {
    /// Begins to connect, and goes on until [`Self::stop`]. Only what waiting cannot mend is an
    /// error: an address that is none, or not on this machine.
    pub async fn start(
        setup: ComponentSetup,
        rooms: Vec<RoomToJoin>,
        deliveries: mpsc::Sender<Delivery>,
    ) -> Result<Self, OpenError> {
        open::validate(&setup)?;
        let shared = Arc::new(Shared {
            setup,
            session: Session::new(COMPONENT),
            affiliations: Mutex::default(),
            ghosts: Mutex::default(),
        });
        for room in &rooms {
            let (mut ghosts, domain) = (shared.ghosts(), &shared.setup.domain);
            room.ghosts.iter().for_each(|user| ghosts.want(&room.muc, user));
            room.put_out.iter().for_each(|user| ghosts.was_put_out(&room.muc, user, domain));
            room.admitted.iter().for_each(|user| ghosts.was_admitted(&room.muc, user, domain));
        }
        let (commands, commands_in) = mpsc::channel(INCOMING_MAX);
        let (events, events_in) = mpsc::channel(INCOMING_MAX);
        let (stop, stopped) = watch::channel(false);
        let worker = Worker::new(shared.clone(), rooms, deliveries);
        let tasks = vec![
            tokio::spawn(worker.run(events_in, commands_in, stopped.clone())),
            tokio::spawn(connect_forever(shared.clone(), events, stopped)),
        ];
        Ok(Self { shared, commands, stop, tasks: Mutex::new(tasks) })
    }

    /// Whether there is a connection now.
    pub fn is_connected(&self) -> bool {
        self.shared.session.is_up()
    }

    /// Ends the connection in good order.
    pub async fn stop(&self) {
        self.stop.send_replace(true);
        let tasks = std::mem::take(&mut *lock(&self.tasks));
        for task in tasks {
            let abort = task.abort_handle();
            if timeout(STOP_DEADLINE, task).await.is_err() {
                abort.abort();
            }
        }
    }
}

impl Drop for Component {
    fn drop(&mut self) {
        lock(&self.tasks).iter().for_each(JoinHandle::abort);
    }
}

impl Shared {
    /// The full JID of the hub's occupant.
    fn hub(&self) -> String {
        format!("{}/{}", self.hub_bare(), ghost::RESOURCE)
    }

    /// The bare JID of the hub's occupant.
    fn hub_bare(&self) -> String {
        format!("{}@{}", ghost::HUB, self.setup.domain)
    }

    fn affiliations(&self) -> MutexGuard<'_, Affiliations> {
        lock(&self.affiliations)
    }

    fn ghosts(&self) -> MutexGuard<'_, Ghosts> {
        lock(&self.ghosts)
    }
}

async fn connect_forever(
    shared: Arc<Shared>,
    events: mpsc::Sender<Event>,
    mut stop: watch::Receiver<bool>,
) {
    let mut backoff = Backoff::new();
    loop {
        let started = Instant::now();
        let opened = tokio::select! {
            opened = open::open(&shared.setup) => opened,
            () = told_to_stop(&mut stop) => return,
        };
        let why = match opened {
            Ok(stream) => {
                tracing::info!(domain = shared.setup.domain, "component connected");
                let ends = Ends {
                    me: shared.hub(),
                    from: shared.setup.domain.clone(),
                    server: shared.setup.xmpp_domain.clone(),
                };
                match link::run(&shared.session, stream, ends, &events, stop.clone()).await {
                    Some(why) => why,
                    None => return,
                }
            }
            Err(error) => error.to_string(),
        };
        let wait = backoff.wait(started.elapsed());
        tracing::warn!(%why, ?wait, "the component is not connected; trying again");
        tokio::select! {
            () = sleep(wait) => {}
            () = told_to_stop(&mut stop) => return,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
