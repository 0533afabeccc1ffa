//! Invitations to a room: direct (XEP-0249) and through the room itself (XEP-0045 7.8.2).

use minidom::Element;

use super::element::Build;
use super::namespace::{CONFERENCE, MUC_USER};
use super::stanza::{self, bare};

/// An invitation, as it came; whether to believe and accept it is the caller's question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// The room's bare JID.
    pub room: String,
    /// Who invites: a bare JID.
    pub from: String,
    /// Whether the inviter sent it itself, and not through the room.
    pub direct: bool,
    /// What the inviter says.
    pub reason: Option<String>,
}

/// A direct invitation.
pub fn message(to: &str, id: &str, room: &str, reason: &str) -> Element {
    let invitation = Element::bare("x", CONFERENCE).with("jid", room).with("reason", reason);
    stanza::message("normal", to, id).holding(invitation)
}

/// Reads the invitation in a message. One through the room is only believed of that room.
pub fn from_message(message: &Element) -> Option<Invitation> {
    let from = message.attr("from")?;
    let invite = message.get_child("x", MUC_USER).and_then(|x| x.get_child("invite", MUC_USER));
    if let Some(invite) = invite {
        return Some(Invitation {
            room: bare(from).to_owned(),
            from: bare(invite.attr("from")?).to_owned(),
            direct: false,
            reason: invite.get_child("reason", MUC_USER).map(Element::text),
        });
    }
    let direct = message.get_child("x", CONFERENCE)?;
    Some(Invitation {
        room: jid::BareJid::new(direct.attr("jid")?).ok()?.to_string(),
        from: bare(from).to_owned(),
        direct: true,
        reason: direct.attr("reason").map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invitation_through_a_room_is_to_that_room_whatever_it_says_beside() {
        let invite = Element::bare("invite", MUC_USER).with("from", "eve@x.test/y");
        let message = stanza::message("normal", "me@x.test", "1")
            .with("from", "real@muc.test")
            .holding(Element::bare("x", MUC_USER).holding(invite))
            .holding(Element::bare("x", CONFERENCE).with("jid", "other@muc.test"));
        let invitation = from_message(&message).unwrap();
        assert_eq!((&*invitation.room, &*invitation.from), ("real@muc.test", "eve@x.test"));
    }

    #[test]
    fn a_direct_invitation_reads_as_it_was_written() {
        let message = message("me@x.test", "1", "room@muc.test", "come").with("from", "hub.test");
        let expected = Invitation {
            room: "room@muc.test".into(),
            from: "hub.test".into(),
            direct: true,
            reason: Some("come".into()),
        };
        assert_eq!(from_message(&message), Some(expected));
    }
}
