//! The echo: every text of somebody else comes back once.

use mls_core::address::ClientId;
use mls_core::content::{self, Content};
use mls_core::member::{CommandId, Event, EventRecord};
use mls_core::wire::GroupId;

use crate::runner::OWN_COMMAND;

/// What stands before an echoed text; a text that begins so is not echoed, or two echoing bots
/// would never end.
pub const PREFIX: &str = "echo: ";

/// A text to send back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Derived from the event, so that a repeated event is not answered twice.
    pub id: CommandId,
    /// Where to.
    pub group: GroupId,
    /// What.
    pub text: String,
}

/// The reply to an event, if it calls for one.
pub fn reply(record: &EventRecord, own: &ClientId) -> Option<Reply> {
    let Event::Message(message) = &record.event else { return None };
    if message.sender.client.user() == own.user() {
        return None;
    }
    let Ok(Content::Text(text)) = content::decode(&message.content) else { return None };
    (!text.starts_with(PREFIX)).then(|| Reply {
        id: format!("{OWN_COMMAND}echo-{}", record.number),
        group: message.group.clone(),
        text: format!("{PREFIX}{text}"),
    })
}

#[cfg(test)]
mod tests {
    use mls_core::content::encode_text;
    use mls_core::member::{MessageEvent, Sender};

    use super::*;

    #[test]
    fn only_texts_of_others_that_are_not_echoes_come_back() {
        let client = |text| ClientId::parse(text).unwrap();
        let own = client("matrix:u/bot:example.org/ONE");
        let text = |text| encode_text(text, [1; 16]).unwrap();
        for (sender, content, echoed) in [
            ("xmpp:bob@example.org/00112233445566ff", text("hi"), Some("echo: hi")),
            ("xmpp:bob@example.org/00112233445566ff", text("echo: hi"), None),
            ("xmpp:bob@example.org/00112233445566ff", b"other".to_vec(), None),
            ("matrix:u/bot:example.org/ONE", text("hi"), None),
            ("matrix:u/bot:example.org/TWO", text("hi"), None),
        ] {
            let sender = Sender { client: client(sender), network_says: None };
            let group = GroupId(vec![1]);
            let message = MessageEvent { group, epoch: 1, sender, sent_ms: 2, content };
            let record = EventRecord { number: 7, time_ms: 3, event: Event::Message(message) };
            let reply = reply(&record, &own);
            assert_eq!(reply.as_ref().map(|reply| reply.text.as_str()), echoed);
            assert!(reply.is_none_or(|reply| reply.id == "mls-bot-echo-7"));
        }
    }
}
