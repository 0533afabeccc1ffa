//! Stays connected: after every end a new login, until told to stop or the account is refused.

use std::sync::{Arc, OnceLock};

use mls_core::delivery::DeliveryError;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep};

use super::login::{self, ClientStream, LoginError};
use super::{ClientSetup, delivery_error};
use crate::mapping::stanza::domain;
use crate::session::Session;
use crate::session::backoff::Backoff;
use crate::session::link::{self, Ends, Event, told_to_stop};

/// The task; see the module.
pub(super) struct Staying {
    pub(super) setup: Arc<ClientSetup>,
    pub(super) session: Session,
    pub(super) events: mpsc::Sender<Event>,
    /// Ends the worker too.
    pub(super) stop: watch::Sender<bool>,
    /// To be set before that, where nobody asked for the end.
    pub(super) refused: Arc<OnceLock<DeliveryError>>,
}

impl Staying {
    pub(super) async fn run(self, first: ClientStream) {
        let mut stop = self.stop.subscribe();
        let mut backoff = Backoff::new();
        let mut next: Result<ClientStream, LoginError> = Ok(first);
        loop {
            let started = Instant::now();
            let why = match next {
                Ok(stream) => match self.connected(stream).await {
                    Some(why) => why,
                    None => return,
                },
                Err(error @ LoginError::Account(_)) => return self.end(error),
                // All else is the server's configuration, which may be mended.
                Err(error) => error.to_string(),
            };
            let wait = backoff.wait(started.elapsed());
            tracing::warn!(account = self.setup.jid, %why, ?wait, "not connected; trying again");
            tokio::select! {
                () = sleep(wait) => {}
                () = told_to_stop(&mut stop) => return,
            }
            next = tokio::select! {
                next = login::login(&self.setup) => next,
                () = told_to_stop(&mut stop) => return,
            };
        }
    }

    /// While it lasts; why it ended, or `None` if we were told to stop.
    async fn connected(&self, stream: ClientStream) -> Option<String> {
        let server = domain(&self.setup.jid).to_owned();
        let ends = Ends { me: stream.me.clone(), from: stream.me, server };
        let stream = (stream.reader, stream.writer);
        link::run(&self.session, stream, ends, &self.events, self.stop.subscribe()).await
    }

    fn end(&self, error: LoginError) {
        tracing::error!(account = self.setup.jid, %error, "not connected, and not tried again");
        // Nobody else sets it.
        let _ = self.refused.set(delivery_error(error));
        self.stop.send_replace(true);
    }
}
