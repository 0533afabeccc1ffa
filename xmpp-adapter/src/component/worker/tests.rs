//! A room as its server shows it: what the hub is told of ghosts and rooms that are gone, until it
//! has stored it.

use std::time::Duration;

use mls_core::delivery::DeliveryError;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::*;
use crate::component::ComponentSetup;
use crate::limits::OUTGOING_MAX;
use crate::mapping::ghost;
use crate::mapping::namespace::{COMPONENT, MUC_ADMIN};
use crate::session::Session;

const ROOM: &str = "tea@rooms.x.test";
const HUB: &str = "hub@mls.x.test/hub";
/// Shorter than any wait of the worker's.
const QUIET: Duration = Duration::from_millis(1);

/// A component whose one room holds the hub, Bob, and Alice's ghost.
struct Bench {
    worker: Worker,
    sent: mpsc::Receiver<String>,
    deliveries: mpsc::Receiver<Delivery>,
    /// The bare JIDs on the room's list.
    listed: Vec<String>,
}

fn alice() -> UserId {
    UserId::from_human("@alice:hs.test").unwrap()
}

fn ghost_jid() -> String {
    ghost::jid(&alice(), "mls.x.test")
}

async fn entered() -> Bench {
    let setup = ComponentSetup {
        address: "127.0.0.1:1".into(),
        domain: "mls.x.test".into(),
        secret: "s".to_owned().into(),
        muc_service: "rooms.x.test".into(),
        xmpp_domain: "x.test".into(),
    };
    let session = Session::new(COMPONENT);
    let (out, sent) = mpsc::channel(OUTGOING_MAX);
    session.up(HUB, out);
    let (affiliations, ghosts) = Default::default();
    let shared = Arc::new(Shared { setup, session, affiliations, ghosts });
    shared.ghosts().want(ROOM, &alice());
    let (deliver, deliveries) = mpsc::channel(8);
    let (muc, ghosts, none) = (ROOM.to_owned(), vec![alice()], Vec::new());
    let room = RoomToJoin { muc, stanza_id: None, ghosts, admitted: none.clone(), put_out: none };
    let worker = Worker::new(shared, vec![room], deliver);
    let listed = ["hub@mls.x.test", "bob@x.test", &ghost_jid()].map(str::to_owned).to_vec();
    let mut bench = Bench { worker, sent, deliveries, listed };
    assert_eq!(bench.told(true).await, ["listed"]);
    assert!(bench.worker.shared.ghost_in(ROOM, &alice()).await.is_ok());
    bench
}

impl Bench {
    /// Lets everything that is under way come to its end, as the server would. The clock stands still
    /// while anything can go on, so the quiet is that of all tasks.
    async fn settle(&mut self) {
        while timeout(QUIET, self.go_on()).await.is_ok() {}
    }

    /// The next thing that the worker asks, or hears from its own tasks.
    async fn go_on(&mut self) {
        tokio::select! {
            Some(text) = self.sent.recv() => self.serve(&text.parse().unwrap()),
            Some(signal) = self.worker.signals.recv() => {
                let said = self.worker.rooms.on_signal(signal);
                self.worker.on_room_events(said);
            }
            Some(list) = self.worker.lists.recv() => self.worker.on_list(list),
        }
    }

    fn serve(&mut self, asked: &Element) {
        let [from, to, id] = ["from", "to", "id"].map(|name| asked.attr(name).unwrap_or_default());
        let answer = match (asked.name(), asked.attr("type")) {
            ("presence", None) => presence(to, from, "", "member", from, "<status code='110'/>"),
            ("iq", Some("get")) => {
                let query = asked.get_child("query", MUC_ADMIN).unwrap();
                let asked_for = query.children().next().and_then(|item| item.attr("affiliation"));
                let jids = self.listed.iter().filter(|_| asked_for == Some("member"));
                let items: String =
                    jids.map(|jid| format!("<item affiliation='member' jid='{jid}'/>")).collect();
                let query = format!("<query xmlns='{MUC_ADMIN}'>{items}</query>");
                format!("<iq from='{to}' to='{from}' id='{id}' type='result'>{query}</iq>")
            }
            ("iq", _) => {
                let fin = "<fin xmlns='urn:xmpp:mam:2' complete='true'/>";
                format!("<iq from='{to}' to='{from}' id='{id}' type='result'>{fin}</iq>")
            }
            _ => return,
        };
        self.comes(&answer);
    }

    /// A stanza of the server.
    fn comes(&mut self, stanza: &str) {
        let stanza = stanza.replacen(' ', " xmlns='jabber:client' ", 1).parse().unwrap();
        if let Some(incoming) = self.worker.shared.session.dispatch(stanza) {
            self.worker.on_event(Event::Stanza(incoming));
        }
    }

    /// What the hub is told; it is stored or not.
    async fn told(&mut self, stored: bool) -> Vec<&'static str> {
        self.settle().await;
        let (mut told, deliveries) = (Vec::new(), &mut self.deliveries);
        let (done, mut flushed) = oneshot::channel();
        let hub = async {
            loop {
                let delivery = tokio::select! {
                    Some(delivery) = deliveries.recv() => delivery,
                    _ = &mut flushed => return,
                };
                told.extend(delivery.incoming.iter().map(|incoming| match incoming {
                    HubIncoming::GhostExpelled { ghost, .. } if *ghost == ghost_jid() => "ghost",
                    HubIncoming::Input(Input::RoomLost { .. }) => "lost",
                    HubIncoming::Input(Input::Listed { .. }) => "listed",
                    other => panic!("{other:?}"),
                }));
                if stored {
                    delivery.done.send(()).unwrap();
                }
            }
        };
        let flush = async {
            assert!(!self.worker.flush().await);
            done.send(()).unwrap();
        };
        timeout(Duration::from_secs(5), async { tokio::join!(hub, flush) }).await.unwrap();
        told
    }

    /// Loses the connection and has a new one.
    async fn reconnects(&mut self) {
        self.worker.shared.session.down();
        self.worker.on_event(Event::Down);
        let (out, sent) = mpsc::channel(OUTGOING_MAX);
        self.worker.shared.session.up(HUB, out);
        self.sent = sent;
        self.worker.on_event(Event::Up);
    }
}

fn presence(from: &str, to: &str, kind: &str, affiliation: &str, jid: &str, more: &str) -> String {
    format!(
        "<presence from='{from}' to='{to}' {kind}><x xmlns='http://jabber.org/protocol/muc#user'>\
         <item affiliation='{affiliation}' jid='{jid}'/>{more}</x></presence>"
    )
}

/// How the room shows that the hub goes.
fn hub_goes(affiliation: &str, more: &str) -> String {
    let more = format!("<status code='110'/>{more}");
    presence(&format!("{ROOM}/MLS hub"), HUB, "type='unavailable'", affiliation, HUB, &more)
}

#[tokio::test(start_paused = true)]
async fn a_ghost_that_was_put_out_stays_out_also_while_the_hub_could_not_store_it() {
    let mut bench = entered().await;
    bench.listed.pop();
    let jid = ghost_jid();
    let put_out = "<status code='321'/>";
    let nick = format!("{ROOM}/alice");
    bench.comes(&presence(&nick, HUB, "type='unavailable'", "none", &jid, put_out));
    bench.comes(&presence(&nick, &format!("{jid}/ghost"), "type='unavailable'", "none", &jid, ""));
    assert_eq!(bench.told(false).await, ["ghost"]);
    let entering = bench.worker.shared.ghost_in(ROOM, &alice()).await;
    assert!(matches!(entering, Err(DeliveryError::Refused { .. })), "{entering:?}");
    // The room is entered again, and its list lacks the ghost.
    bench.reconnects().await;
    assert_eq!(bench.told(true).await, ["listed", "ghost"]);
    bench.reconnects().await;
    assert_eq!(bench.told(true).await, ["listed"]);
    let entering = bench.worker.shared.ghost_in(ROOM, &alice()).await;
    assert!(matches!(entering, Err(DeliveryError::Refused { .. })), "{entering:?}");
}

#[tokio::test(start_paused = true)]
async fn a_destroyed_room_is_reported_until_the_hub_has_stored_it_and_then_forgotten() {
    let mut bench = entered().await;
    bench.comes(&hub_goes("owner", "<destroy/>"));
    assert_eq!(bench.told(false).await, ["lost"]);
    assert_eq!(bench.told(true).await, ["lost"]);
    assert!(!bench.worker.rooms.contains(ROOM));
    let ghost_leaves = std::iter::from_fn(|| bench.sent.try_recv().ok())
        .filter(|text| text.contains("unavailable") && text.contains(&ghost_jid()));
    assert_eq!(ghost_leaves.count(), 1);
    assert_eq!(bench.told(true).await, Vec::<&str>::new());
}

#[tokio::test(start_paused = true)]
async fn a_room_is_lost_when_the_hub_is_put_off_its_list_and_not_when_its_service_goes_down() {
    for (affiliation, code, lost) in [
        ("none", "321", true),
        ("outcast", "301", true),
        ("none", "322", true),
        ("none", "332", false),
        ("owner", "307", false),
    ] {
        let mut bench = entered().await;
        bench.comes(&hub_goes(affiliation, &format!("<status code='{code}'/>")));
        let told = bench.told(true).await;
        assert_eq!(told == ["lost"], lost, "{affiliation} {code}: {told:?}");
    }
    let mut bench = entered().await;
    bench.comes(&presence(&format!("{ROOM}/MLS hub"), HUB, "", "none", HUB, ""));
    assert_eq!(bench.told(true).await, ["lost"]);
}

#[tokio::test(start_paused = true)]
async fn in_another_room_under_the_same_name_nobody_is_missed() {
    let mut bench = entered().await;
    bench.listed.clear();
    bench.reconnects().await;
    assert_eq!(bench.told(true).await, ["lost"]);
}
