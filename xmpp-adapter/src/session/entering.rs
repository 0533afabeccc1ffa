//! Into a room, and out of it (XEP-0045 7.2, 7.14).

use minidom::Element;
use tokio::time::timeout;

use super::waiting::Entered;
use super::{Failure, Session, lock};
use crate::limits::{ENTER_DEADLINE, NICKNAMES_MAX};
use crate::mapping::Build;
use crate::mapping::namespace::{CLIENT, MUC};
use crate::mapping::stanza::StanzaError;

impl Session {
    /// Enters a room without its history (the archive is read instead).
    pub(crate) async fn enter(
        &self,
        from: &str,
        room: &str,
        nick: &str,
    ) -> Result<Entered, Failure> {
        let history = Element::bare("history", MUC).with("maxstanzas", "0");
        let presence = Element::bare("presence", CLIENT)
            .with("from", from)
            .with("to", format!("{room}/{nick}"))
            .holding(Element::bare("x", MUC).holding(history));
        if from == self.me() {
            lock(&self.0.occupants).expect(room);
        }
        let key = (room.to_owned(), from.to_owned());
        let entered = lock(&self.0.waiting).entry(key.clone());
        let entered = async {
            self.send(&presence).await?;
            let entered = timeout(ENTER_DEADLINE, entered).await.map_err(|_| Failure::Timeout)?;
            entered.map_err(|_| Failure::Offline)?.map_err(Failure::Refused)
        }
        .await;
        lock(&self.0.waiting).forget_entry(&key);
        entered
    }

    /// Enters a room, if need be under another nickname: that somebody else has it must not keep
    /// us out. If all are taken, which cannot be but by chance, the refusal is a passing one.
    pub(crate) async fn enter_under_some_nick(
        &self,
        from: &str,
        room: &str,
        nick: &str,
    ) -> Result<Entered, Failure> {
        for attempt in 1..=NICKNAMES_MAX {
            match self.enter(from, room, &self.nickname(nick, attempt)).await {
                Err(Failure::Refused(error)) if error.condition == "conflict" => {}
                other => return other,
            }
        }
        Err(Failure::Refused(StanzaError::new("wait", "conflict")))
    }

    /// After the second one that nobody can guess, and so nobody can take before us.
    fn nickname(&self, nick: &str, attempt: usize) -> String {
        match attempt {
            1 => nick.to_owned(),
            2 => format!("{nick} 2"),
            _ => {
                let random = getrandom::u32().map(|random| format!("{random:08x}"));
                // Without randomness at least no two of ours are the same.
                format!("{nick} {}", random.unwrap_or_else(|_| self.fresh_id()))
            }
        }
    }

    /// Leaves a room.
    pub(crate) async fn leave(&self, from: &str, room: &str, nick: &str) -> Result<(), Failure> {
        let presence = Element::bare("presence", CLIENT)
            .with("from", from)
            .with("to", format!("{room}/{nick}"))
            .with("type", "unavailable");
        if from == self.me() {
            self.forget_room(room);
        }
        self.send(&presence).await
    }

    /// Who is in a room no longer concerns us.
    pub(crate) fn forget_room(&self, room: &str) {
        lock(&self.0.occupants).forget(room);
    }
}
