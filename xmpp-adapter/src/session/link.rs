//! One connection while it lasts: reads, writes, shows and expects signs of life.

use std::pin::pin;

use minidom::Element;
use tokio::io::{AsyncBufRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::{Incoming, Session};
use crate::limits::{
    OUTGOING_MAX, PING_AFTER, PING_DEADLINE, STOP_DEADLINE, WATCH_EVERY, WHITESPACE_AFTER,
    WRITE_DEADLINE,
};
use crate::mapping::Build;
use crate::mapping::namespace::{PING, STREAM};
use crate::mapping::stanza::{self, StanzaError};
use crate::stream::{Frame, StanzaReader, stream_error};

/// What the task that looks at everything is told, in order.
#[derive(Debug)]
pub(crate) enum Event {
    /// A connection is there.
    Up,
    /// It is gone.
    Down,
    /// A stanza that nobody waited for.
    Stanza(Incoming),
}

/// Who we are on a connection, and whom we ping.
pub(crate) struct Ends {
    /// The full JID whose view of the rooms counts.
    pub(crate) me: String,
    /// The address that pings.
    pub(crate) from: String,
    /// The server that is pinged.
    pub(crate) server: String,
}

/// Runs a connection to its end and says why it ended; `None` if we were told to stop.
pub(crate) async fn run<R, W>(
    session: &Session,
    (reader, writer): (StanzaReader<R>, W),
    ends: Ends,
    events: &mpsc::Sender<Event>,
    stop: watch::Receiver<bool>,
) -> Option<String>
where
    R: AsyncBufRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let (out, queue) = mpsc::channel(OUTGOING_MAX);
    session.up(&ends.me, out);
    // Who looks at events is gone only when everything stops.
    let _ = events.send(Event::Up).await;
    let mut writing = pin!(write(writer, queue, stop.clone()));
    let ended = tokio::select! {
        why = &mut writing => Err(why),
        why = read(session, reader, &ends, events) => Ok(why),
    };
    let stopping = *stop.borrow();
    let ended = match ended {
        // Nobody looks at what comes in any more, but what waits is still written.
        Ok(_) if stopping => writing.await,
        Ok(why) => Some(why),
        Err(why) => why,
    };
    session.down();
    let _ = events.send(Event::Down).await;
    ended
}

async fn read<R: AsyncBufRead + Unpin>(
    session: &Session,
    mut reader: StanzaReader<R>,
    ends: &Ends,
    events: &mpsc::Sender<Event>,
) -> String {
    let mut heard = Instant::now();
    let mut pinged = false;
    let mut watch = interval(WATCH_EVERY);
    watch.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let frame = tokio::select! {
            frame = reader.next() => frame,
            _ = watch.tick() => {
                if heard.elapsed() > PING_AFTER + PING_DEADLINE {
                    return "the server is silent".to_owned();
                }
                if heard.elapsed() > PING_AFTER && !pinged {
                    pinged = true;
                    ping(session, ends).await;
                }
                continue;
            }
        };
        match frame {
            Ok(Frame::Stanza(stanza)) if stanza.has_ns(STREAM) => {
                if stanza.name() == "error" {
                    return format!("the server ended the stream: {}", stream_error(&stanza));
                }
            }
            Ok(Frame::Stanza(stanza)) => {
                if let Some(incoming) = session.dispatch(stanza)
                    && events.send(Event::Stanza(incoming)).await.is_err()
                {
                    return "nobody looks at what comes in".to_owned();
                }
            }
            Ok(Frame::Skipped(head)) => skipped(session, &head).await,
            Ok(Frame::Header { .. }) => {}
            Ok(Frame::End) => return "the server closed the stream".to_owned(),
            Err(error) => return format!("the stream broke: {error}"),
        }
        heard = Instant::now();
        pinged = false;
    }
}

/// The answer needs nobody: it is a sign of life whatever it says.
async fn ping(session: &Session, ends: &Ends) {
    let ping = Element::bare("ping", PING);
    let iq = stanza::iq("get", &ends.server, &session.fresh_id(), ping).with("from", &ends.from);
    if let Err(error) = session.send(&iq).await {
        tracing::debug!(%error, "no ping");
    }
}

async fn skipped(session: &Session, head: &Element) {
    tracing::warn!(stanza = head.name(), from = head.attr("from"), "a stanza is too large to read");
    if head.name() == "iq" && matches!(head.attr("type"), Some("get" | "set")) {
        let error =
            StanzaError::new("modify", "policy-violation").saying("the stanza is too large");
        let _ = session.send(&stanza::refusal(head, &error)).await;
    }
}

/// Gives the reason for a failure, or `None` when told to stop: then what waits is written first.
async fn write<W: AsyncWrite + Unpin>(
    mut writer: W,
    mut queue: mpsc::Receiver<String>,
    mut stop: watch::Receiver<bool>,
) -> Option<String> {
    loop {
        let text = tokio::select! {
            text = timeout(WHITESPACE_AFTER, queue.recv()) => match text {
                Ok(Some(text)) => text,
                Ok(None) => return Some("nobody sends any more".to_owned()),
                Err(_) => " ".to_owned(),
            },
            () = told_to_stop(&mut stop) => {
                queue.close();
                let end = async {
                    while let Some(text) = queue.recv().await {
                        writer.write_all(text.as_bytes()).await?;
                    }
                    writer.write_all(b"</stream:stream>").await?;
                    writer.shutdown().await
                };
                // The server closes in any case when we are gone.
                let _ = timeout(STOP_DEADLINE, end).await;
                return None;
            }
        };
        let written = async {
            writer.write_all(text.as_bytes()).await?;
            writer.flush().await
        };
        match timeout(WRITE_DEADLINE, written).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Some(format!("the server takes no more: {error}")),
            Err(_) => return Some("the server takes no more".to_owned()),
        }
    }
}

/// Done when we are told to stop, or nobody is left who could.
pub(crate) async fn told_to_stop(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, BufReader, duplex};

    use super::*;
    use crate::mapping::namespace::COMPONENT;

    #[tokio::test]
    async fn what_waits_is_written_before_an_orderly_end() {
        let (here, mut server) = duplex(64);
        let (reader, writer) = tokio::io::split(here);
        let session = Session::new(COMPONENT);
        let (events, mut looked) = mpsc::channel(8);
        let (stop, stopped) = watch::channel(false);
        let link = tokio::spawn({
            let session = session.clone();
            async move {
                let ends = Ends { me: "h/h".into(), from: "h".into(), server: "s".into() };
                let stream = (
                    StanzaReader::after_header(BufReader::new(reader), COMPONENT).unwrap(),
                    writer,
                );
                run(&session, stream, ends, &events, stopped).await
            }
        });
        assert!(matches!(looked.recv().await, Some(Event::Up)));
        for n in 0..20 {
            let message = stanza::message("chat", "bob@x.test", &format!("number-{n}"));
            session.send(&message).await.unwrap();
        }
        // As when everything stops: nobody looks any more, and something still comes in.
        drop(looked);
        stop.send_replace(true);
        server.write_all(b"<message xmlns='jabber:component:accept'/>").await.unwrap();
        let mut text = String::new();
        server.read_to_string(&mut text).await.unwrap();
        assert_eq!(text.matches("<message").count(), 20, "{text}");
        assert!(text.ends_with("</stream:stream>"), "{text}");
        assert_eq!(link.await.unwrap(), None);
    }
}
