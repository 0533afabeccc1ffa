//! Stanzas in, as a server would bring them; what strangers and other occupants may send too.

use minidom::Element;
use mls_core::delivery::DeliveryError;
use tokio::sync::mpsc;

use super::archive::Range;
use super::posting::PostError;
use super::*;
use crate::limits::{OCCUPANTS_MAX, OUTGOING_MAX};
use crate::mapping::namespace::CLIENT;

const ME: &str = "me@x.test/r";
const ROOM: &str = "tea@rooms.x.test";

fn session() -> (Session, mpsc::Receiver<String>) {
    let (out, sent) = mpsc::channel(OUTGOING_MAX);
    let session = Session::new(CLIENT);
    session.up(ME, out);
    (session, sent)
}

fn dispatch(session: &Session, stanza: &str) -> Option<Incoming> {
    session.dispatch(stanza.replacen(' ', " xmlns='jabber:client' ", 1).parse().unwrap())
}

/// What a room says of an occupant.
fn presence(nick: &str, jid: &str, status: &str) -> String {
    format!(
        "<presence from='{ROOM}/{nick}' to='{ME}'>\
         <x xmlns='http://jabber.org/protocol/muc#user'>\
         <item affiliation='member' jid='{jid}'/>{status}</x></presence>"
    )
}

fn count(session: &Session, room: &str) -> usize {
    lock(&session.0.occupants).count(room)
}

fn refusal(of: &str, from: &str, id: &str, condition: &str) -> String {
    format!(
        "<{of} from='{from}' to='{ME}' type='error' id='{id}'><error type='cancel'>\
         <{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></{of}>"
    )
}

/// Lets us in, unless somebody else has the nickname; gives the one that we have in the end.
async fn serve(session: Session, mut sent: mpsc::Receiver<String>, taken: fn(&str) -> bool) {
    while let Some(text) = sent.recv().await {
        let asked: Element = text.parse().unwrap();
        let to = asked.attr("to").unwrap();
        let nick = to.split_once('/').unwrap().1;
        let answer = match taken(nick) {
            true => refusal("presence", to, "1", "conflict"),
            false => presence(nick, ME, "<status code='110'/>"),
        };
        dispatch(&session, &answer);
    }
}

async fn enter(taken: fn(&str) -> bool) -> Result<String, DeliveryError> {
    let (session, sent) = session();
    let server = tokio::spawn(serve(session.clone(), sent, taken));
    let entered = session.enter_under_some_nick(ME, ROOM, "alice").await;
    server.abort();
    Ok(entered?.nick)
}

#[tokio::test]
async fn who_holds_every_nickname_that_can_be_guessed_keeps_nobody_out() {
    let guessed = |nick: &str| {
        let number = nick.strip_prefix("alice ").and_then(|n| n.parse::<u8>().ok());
        nick == "alice" || number.is_some()
    };
    let nick = enter(guessed).await.unwrap();
    assert!(nick.starts_with("alice ") && !guessed(&nick), "{nick}");
}

#[tokio::test]
async fn a_nickname_that_is_taken_is_never_a_reason_to_give_up() {
    let entered = enter(|_| true).await;
    assert!(matches!(entered, Err(DeliveryError::Later { .. })), "{entered:?}");
}

#[tokio::test]
async fn strangers_fill_no_list_of_occupants() {
    let (session, _sent) = session();
    for n in 0..3 {
        let stranger = presence(&n.to_string(), "evil@evil.test", "");
        dispatch(&session, &stranger.replace(ROOM, "evil@evil.test"));
    }
    assert_eq!(count(&session, "evil@evil.test"), 0);
}

#[tokio::test]
async fn a_room_that_is_being_entered_says_who_is_there_up_to_a_bound() {
    let (session, sent) = session();
    let server = tokio::spawn(serve(session.clone(), sent, |_| false));
    session.enter(ME, ROOM, "alice").await.unwrap();
    server.abort();
    for n in 0..OCCUPANTS_MAX + 3 {
        dispatch(&session, &presence(&n.to_string(), "bob@x.test", ""));
    }
    assert_eq!(count(&session, ROOM), OCCUPANTS_MAX);
    dispatch(&session, &presence("me again", ME, "<status code='110'/>"));
    let own = format!("<message from='{ROOM}/me again' to='{ME}' type='groupchat'/>");
    assert_eq!(dispatch(&session, &own).unwrap().sender.as_deref(), Some("me@x.test"));
    let gone = presence("me again", ME, "<status code='110'/>");
    dispatch(&session, &gone.replacen("to=", "type='unavailable' to=", 1));
    assert_eq!(count(&session, ROOM), 0, "who is out of a room knows nobody there");
}

/// Posts, and lets `refuse` come from `from`.
async fn post_refused_by(from: &str) -> (Option<Incoming>, Result<(), PostError>) {
    let (session, mut sent) = session();
    session.set_live(ROOM, true);
    let message = stanza::message("groupchat", ROOM, "guessed");
    let posting = tokio::spawn({
        let session = session.clone();
        async move { session.post_once(ME, message, false).await }
    });
    sent.recv().await.unwrap();
    let left = dispatch(&session, &refusal("message", from, "guessed", "forbidden"));
    session.down();
    (left, posting.await.unwrap())
}

#[tokio::test]
async fn only_the_room_itself_refuses_a_post() {
    let (left, posted) = post_refused_by(ROOM).await;
    assert!(left.is_none());
    assert!(matches!(posted, Err(PostError::Other(DeliveryError::Refused { .. }))), "{posted:?}");
    let (left, posted) = post_refused_by(&format!("{ROOM}/eve")).await;
    assert!(left.is_some());
    assert!(matches!(posted, Err(PostError::Other(DeliveryError::Later { .. }))), "{posted:?}");
}

#[tokio::test]
async fn only_the_room_itself_gives_results_of_its_archive() {
    let (session, mut sent) = session();
    let asking = tokio::spawn({
        let session = session.clone();
        async move { session.archive_page(ME, ROOM, Range::After(None)).await }
    });
    let query: Element = sent.recv().await.unwrap().parse().unwrap();
    let id = query.attr("id").unwrap();
    for (from, item) in [(format!("{ROOM}/eve"), "forged"), (ROOM.to_owned(), "real")] {
        dispatch(
            &session,
            &format!(
                "<message from='{from}' to='{ME}'>\
                 <result xmlns='urn:xmpp:mam:2' queryid='{id}' id='{item}'>\
                 <forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client'/>\
                 </forwarded></result></message>"
            ),
        );
    }
    let fin = "<fin xmlns='urn:xmpp:mam:2' complete='true'/>";
    dispatch(&session, &format!("<iq from='{ROOM}' to='{ME}' type='result' id='{id}'>{fin}</iq>"));
    let page = asking.await.unwrap().unwrap();
    let ids: Vec<_> = page.messages.iter().map(|message| message.id.as_deref()).collect();
    assert_eq!(ids, [Some("real")]);
}

#[tokio::test]
async fn nobody_waits_for_a_room_that_does_not_let_us_in() {
    let (session, _sent) = session();
    let start = tokio::time::Instant::now();
    session.set_shut(ROOM);
    assert!(session.wait_until_live(ROOM).await.is_err());
    assert!(start.elapsed() < LIVE_DEADLINE / 2);
    session.set_live(ROOM, false);
    let waiting = tokio::spawn({
        let session = session.clone();
        async move { session.wait_until_live(ROOM).await }
    });
    tokio::task::yield_now().await;
    session.set_live(ROOM, true);
    assert_eq!(waiting.await.unwrap(), Ok(()));
    assert!(start.elapsed() < LIVE_DEADLINE / 2);
}
