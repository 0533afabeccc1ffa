//! The tasks that ask servers about rooms, each with its deadlines; they report with [`Signal`]s.

use std::sync::Arc;
use std::time::Duration;

use minidom::Element;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::sleep;

use crate::mapping::namespace::PING;
use crate::mapping::stanza::StanzaError;
use crate::session::archive::{Page, Range};
use crate::session::waiting::Entered;
use crate::session::{Failure, Session};

/// What a task reports. One with an old turn is of a time that is over.
#[derive(Debug)]
pub(crate) struct Signal {
    pub(super) room: String,
    pub(super) turn: u64,
    pub(super) told: Told,
}

/// What it is.
#[derive(Debug)]
pub(super) enum Told {
    /// We are in, or not.
    Entered(Result<Entered, Failure>),
    /// A page of the archive.
    Page(Result<Page, Failure>),
    /// We are not in it, though nobody told us.
    Lost,
    /// It is time to enter it again.
    Again,
}

/// Where a task reports to.
pub(super) struct Report {
    pub(super) signals: mpsc::Sender<Signal>,
    pub(super) room: String,
    pub(super) turn: u64,
}

impl Report {
    /// Whether anybody still listens.
    async fn tell(&self, told: Told) -> bool {
        let signal = Signal { room: self.room.clone(), turn: self.turn, told };
        self.signals.send(signal).await.is_ok()
    }
}

/// Enters a room.
pub(super) async fn enter(session: Session, report: Report, nick: String, at_once: Arc<Semaphore>) {
    let _place = at_once.acquire().await;
    let entered = session.enter_under_some_nick(&session.me(), &report.room, &nick).await;
    report.tell(Told::Entered(entered)).await;
}

/// Reads the archive after `mark` to its end, page by page.
pub(super) async fn catch_up(session: Session, report: Report, mut mark: Option<String>) {
    loop {
        let range = Range::After(mark.clone());
        let page = session.archive_page(&session.me(), &report.room, range).await;
        let more = matches!(&page, Ok(page) if !page.complete);
        mark = page.as_ref().ok().and_then(|page| page.last.clone()).or(mark);
        if !report.tell(Told::Page(page)).await || !more {
            return;
        }
    }
}

/// Asks our own occupant whether it is there (XEP-0410).
pub(super) async fn self_ping(session: Session, report: Report, nick: String) {
    let occupant = format!("{}/{nick}", report.room);
    let ping = Element::bare("ping", PING);
    let pong = session.ask("get", Some(&session.me()), &occupant, ping).await;
    if matches!(&pong, Err(Failure::Refused(error)) if means_outside(error)) {
        report.tell(Told::Lost).await;
    }
}

/// Lets a room be entered again after a while.
pub(super) async fn again(report: Report, wait: Duration) {
    sleep(wait).await;
    report.tell(Told::Again).await;
}

/// What the errors of a self-ping mean (XEP-0410 3).
fn means_outside(error: &StanzaError) -> bool {
    !error.is_passing() && error.condition != "feature-not-implemented"
}
