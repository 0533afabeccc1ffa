//! Whether the server has what we sent.
//!
//! It deals with the stanzas of a stream in order (RFC 6120 10.1), so the answer to a ping says
//! that everything before it was dealt with: delivered, or stored for who is not there. One ping
//! at a time serves all who wait.

use std::sync::atomic::Ordering;

use minidom::Element;

use super::{Failure, Session, lock};
use crate::mapping::namespace::PING;
use crate::mapping::{Build, stanza};

/// A place in all that was sent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sent {
    /// On which connection.
    turn: u64,
    /// After so many stanzas, of all connections.
    number: u64,
}

impl Session {
    /// Sends a stanza; done when the server `to` has dealt with it. `from` is our address.
    pub(crate) async fn send_confirmed(
        &self,
        stanza: &Element,
        from: &str,
        to: &str,
    ) -> Result<(), Failure> {
        let sent = self.put_out(stanza).await?;
        let mut confirmed = self.0.confirmed.lock().await;
        if confirmed.turn == sent.turn && confirmed.number >= sent.number {
            return Ok(());
        }
        let until_now = Sent { turn: sent.turn, number: self.0.sent.load(Ordering::SeqCst) };
        let ping = stanza::iq("get", to, &self.fresh_id(), Element::bare("ping", PING));
        // Whatever it answers, it has come to this place of the stream.
        self.answer_to(ping.with("from", from)).await?;
        if lock(&self.0.line).turn != sent.turn {
            // The next connection answered: what was sent on this one may be lost.
            return Err(Failure::Offline);
        }
        *confirmed = until_now;
        Ok(())
    }

    /// A stanza waits to be written, behind all that were counted before.
    pub(super) fn count_sent(&self, turn: u64) -> Sent {
        Sent { turn, number: self.0.sent.fetch_add(1, Ordering::SeqCst).wrapping_add(1) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::sync::mpsc;
    use tokio::time::timeout;

    use super::*;
    use crate::limits::OUTGOING_MAX;
    use crate::mapping::namespace::COMPONENT;

    const HUB: &str = "mls.x.test";

    fn up(session: &Session) -> mpsc::Receiver<String> {
        let (out, sent) = mpsc::channel(OUTGOING_MAX);
        session.up("hub@mls.x.test/hub", out);
        sent
    }

    fn notice(n: usize) -> Element {
        stanza::message("chat", "bob@x.test", &n.to_string())
    }

    fn send(session: &Session, n: usize) -> tokio::task::JoinHandle<Result<(), Failure>> {
        let session = session.clone();
        tokio::spawn(async move { session.send_confirmed(&notice(n), HUB, "x.test").await })
    }

    /// The id of the next ping, and how many other stanzas came before it.
    async fn next_ping(sent: &mut mpsc::Receiver<String>) -> (String, usize) {
        let mut before = 0;
        loop {
            let text = timeout(Duration::from_secs(5), sent.recv()).await.unwrap().unwrap();
            let stanza: Element = text.parse().unwrap();
            if stanza.name() == "iq" {
                return (stanza.attr("id").unwrap().to_owned(), before);
            }
            before += 1;
        }
    }

    fn answer(session: &Session, id: &str) {
        let iq = Element::bare("iq", crate::mapping::namespace::CLIENT);
        let iq = iq.with("type", "result").with("id", id).with("from", "x.test").with("to", HUB);
        assert!(session.dispatch(iq).is_none(), "nobody waits for {id}");
    }

    #[tokio::test]
    async fn what_was_sent_is_confirmed_only_when_the_server_answers_behind_it() {
        let session = Session::new(COMPONENT);
        let mut sent = up(&session);
        let sending = send(&session, 1);
        let (ping, before) = next_ping(&mut sent).await;
        assert_eq!(before, 1);
        for _ in 0..100 {
            // Everything that can go on does, in this one thread.
            tokio::task::yield_now().await;
            assert!(!sending.is_finished(), "only in our own memory so far");
        }
        answer(&session, &ping);
        assert_eq!(sending.await.unwrap(), Ok(()));
    }

    #[tokio::test]
    async fn one_ping_serves_all_that_was_sent_before_it() {
        let session = Session::new(COMPONENT);
        let mut sent = up(&session);
        let mut sending = vec![send(&session, 0)];
        let (first, _) = next_ping(&mut sent).await;
        sending.extend((1..20).map(|n| send(&session, n)));
        while session.0.sent.load(Ordering::SeqCst) < 21 {
            tokio::task::yield_now().await;
        }
        answer(&session, &first);
        let (second, before) = next_ping(&mut sent).await;
        assert_eq!(before, 19);
        answer(&session, &second);
        for sending in sending {
            assert_eq!(sending.await.unwrap(), Ok(()));
        }
        assert!(sent.try_recv().is_err(), "one more ping than needed");
    }

    #[tokio::test]
    async fn what_was_sent_on_a_connection_that_ended_is_not_confirmed_by_the_next() {
        let session = Session::new(COMPONENT);
        let first = up(&session);
        // Another asks just now; meanwhile everything is sent anew.
        let held = Arc::new(session.clone());
        let asking = held.0.confirmed.lock().await;
        let sending = send(&session, 1);
        while session.0.sent.load(Ordering::SeqCst) < 1 {
            tokio::task::yield_now().await;
        }
        drop(first);
        session.down();
        let mut sent = up(&session);
        drop(asking);
        let (ping, before) = next_ping(&mut sent).await;
        assert_eq!(before, 0);
        answer(&session, &ping);
        assert_eq!(sending.await.unwrap(), Err(Failure::Offline));
    }
}
