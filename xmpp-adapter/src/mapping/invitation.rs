//! Direct invitations to a room (XEP-0249). Those through a room (XEP-0045 7.8.2) are not read:
//! whoever sends one writes in it who invites, and need be no room.

use minidom::Element;

use super::element::Build;
use super::ghost;
use super::namespace::CONFERENCE;
use super::stanza::{self, bare};

/// An invitation, as it came; whether to accept it is the caller's question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// The room's bare JID.
    pub room: String,
    /// Who invites, as the servers say: a bare JID.
    pub from: String,
    /// What the inviter says.
    pub reason: Option<String>,
}

impl Invitation {
    /// Whether the hub at this address, or its occupant in rooms, sent it.
    pub fn is_by_hub(&self, hub: &str) -> bool {
        self.from == hub || self.from.split_once('@') == Some((ghost::HUB, hub))
    }
}

/// An invitation.
pub fn message(to: &str, id: &str, room: &str, reason: &str) -> Element {
    let invitation = Element::bare("x", CONFERENCE).with("jid", room).with("reason", reason);
    stanza::message("normal", to, id).holding(invitation)
}

/// Reads the invitation in a message.
pub fn from_message(message: &Element) -> Option<Invitation> {
    let invitation = message.get_child("x", CONFERENCE)?;
    Some(Invitation {
        room: jid::BareJid::new(invitation.attr("jid")?).ok()?.to_string(),
        from: bare(message.attr("from")?).to_owned(),
        reason: invitation.attr("reason").map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::super::namespace::MUC_USER;
    use super::*;

    #[test]
    fn who_sends_an_invitation_is_who_invites() {
        for (from, by_hub) in [
            ("hub.test", true),
            ("hub@hub.test/hub", true),
            ("ghost@hub.test/hub", false),
            ("hub@evil.test", false),
            ("evilhub.test", false),
            ("hub.test@evil.test/hub@hub.test", false),
        ] {
            let message = message("me@x.test", "1", "room@muc.test", "come").with("from", from);
            let expected = Invitation {
                room: "room@muc.test".into(),
                from: bare(from).into(),
                reason: Some("come".into()),
            };
            let read = from_message(&message).unwrap();
            assert_eq!((read.is_by_hub("hub.test"), read), (by_hub, expected), "{from}");
        }
    }

    #[test]
    fn whom_an_invitation_through_a_room_names_is_not_believed() {
        let invite = Element::bare("invite", MUC_USER).with("from", "hub@hub.test");
        let x = Element::bare("x", MUC_USER).holding(invite);
        let forged = stanza::message("normal", "me@x.test", "1").with("from", "evil@evil.test");
        assert_eq!(from_message(&forged.clone().holding(x.clone())), None);
        let beside = Element::bare("x", CONFERENCE).with("jid", "evil@evil.test");
        let read = from_message(&forged.holding(x).holding(beside)).unwrap();
        assert!(!read.is_by_hub("hub.test"), "{read:?}");
    }
}
