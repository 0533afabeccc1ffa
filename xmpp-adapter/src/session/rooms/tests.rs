//! What refusals and errors mean for a room that we want to be in.

use super::*;
use crate::limits::{ARCHIVE_ATTEMPTS, OUTGOING_MAX};
use crate::mapping::namespace::CLIENT;

const ROOM: &str = "tea@rooms.x.test";

struct Bench {
    rooms: Rooms,
    // Kept, so that sending does not fail.
    _sent: mpsc::Receiver<String>,
    _signals: mpsc::Receiver<Signal>,
}

/// A room that is entered and caught up.
fn live() -> Bench {
    let (out, sent) = mpsc::channel(OUTGOING_MAX);
    let (signals_out, signals) = mpsc::channel(8);
    let session = Session::new(CLIENT);
    session.up("me@x.test/r", out);
    let mut rooms = Rooms::new(session, "me".into(), false, signals_out);
    rooms.add(ROOM, Some("7".into()), None);
    let mut bench = Bench { rooms, _sent: sent, _signals: signals };
    bench.told(Told::Entered(Ok(Entered { nick: "me".into(), created: false })));
    bench.told(Told::Page(Ok(Page { messages: vec![], first: None, last: None, complete: true })));
    assert_eq!(bench.state(), Some(State::Live));
    bench
}

impl Bench {
    fn told(&mut self, told: Told) -> Vec<RoomEvent> {
        let turn = self.rooms.feeds[ROOM].turn;
        self.rooms.on_signal(Signal { room: ROOM.into(), turn, told })
    }

    fn state(&self) -> Option<State> {
        self.rooms.feeds.get(ROOM).map(|feed| feed.state)
    }

    fn refused(&mut self, kind: &str, condition: &str) -> Failure {
        let (reply, mut replied) = oneshot::channel();
        self.rooms.feeds.get_mut(ROOM).unwrap().replies.push(reply);
        let failure = Failure::Refused(StanzaError::new(kind, condition));
        let events = self.told(Told::Entered(Err(failure)));
        let for_good = self.state().is_none();
        assert!(matches!(&*events, [RoomEvent::Left { for_good: said, .. }] if *said == for_good));
        replied.try_recv().unwrap().unwrap_err()
    }
}

#[tokio::test]
async fn only_the_rooms_own_word_ends_a_membership() {
    use mls_core::delivery::DeliveryError;
    for (kind, condition, for_good) in [
        ("cancel", "gone", true),
        ("auth", "forbidden", true),
        ("auth", "registration-required", true),
        // Prosody while the room's module is reloaded, or its host is not there yet.
        ("cancel", "service-unavailable", false),
        ("cancel", "item-not-found", false),
        ("cancel", "remote-server-not-found", false),
        // Prosody without federation, while the room's host is not active.
        ("cancel", "not-allowed", false),
        ("cancel", "conflict", false),
    ] {
        let mut bench = live();
        let failure = bench.refused(kind, condition);
        assert_eq!(bench.state().is_none(), for_good, "{condition}");
        let refused = matches!(DeliveryError::from(failure), DeliveryError::Refused { .. });
        assert_eq!(refused, for_good, "who waits is told the same: {condition}");
    }
}

#[tokio::test]
async fn only_the_room_itself_says_that_we_are_not_in_it() {
    for (from, state) in [(format!("{ROOM}/eve"), State::Live), (ROOM.to_owned(), State::Entering)]
    {
        let mut bench = live();
        let error = StanzaError::new("cancel", "not-acceptable").to_xml();
        let stanza = Element::builder("message", CLIENT)
            .attr("from".try_into().unwrap(), &*from)
            .attr("type".try_into().unwrap(), "error")
            .append(error)
            .build();
        bench.rooms.on_stanza(Incoming { stanza, sender: None });
        assert_eq!(bench.state(), Some(state), "{from}");
    }
}

#[tokio::test]
async fn an_archive_that_is_away_for_a_moment_is_asked_again_before_it_counts_as_none() {
    let mut bench = live();
    for attempt in 1..=ARCHIVE_ATTEMPTS {
        bench.told(Told::Entered(Ok(Entered { nick: "me".into(), created: false })));
        assert_eq!(bench.state(), Some(State::CatchingUp), "attempt {attempt}");
        let unavailable = StanzaError::new("cancel", "service-unavailable");
        bench.told(Told::Page(Err(Failure::Refused(unavailable))));
        assert_eq!(bench.state() == Some(State::Live), attempt == ARCHIVE_ATTEMPTS, "{attempt}");
    }
}
