//! Affiliations (XEP-0045 5.2): who is in a room's list, told and changed.

use minidom::Element;

use super::element::Build;
use super::namespace::{MUC_ADMIN, MUC_USER};
use super::stanza::bare;

/// A standing association with a room, the weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Affiliation {
    /// Banned.
    Outcast,
    /// None.
    None,
    /// In the list.
    Member,
    /// In the list, and may change it.
    Admin,
    /// In the list, and may change the room.
    Owner,
}

/// The affiliations whose holders are in a room's list.
pub const LISTED: [Affiliation; 3] = [Affiliation::Owner, Affiliation::Admin, Affiliation::Member];

impl Affiliation {
    /// As XEP-0045 writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Outcast => "outcast",
            Self::None => "none",
            Self::Member => "member",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }

    /// From XEP-0045's word.
    pub fn parse(name: &str) -> Option<Self> {
        let all = [Self::Outcast, Self::None, Self::Member, Self::Admin, Self::Owner];
        all.into_iter().find(|affiliation| affiliation.name() == name)
    }

    /// Whether its holder is in the room's list.
    pub fn is_listed(self) -> bool {
        self >= Self::Member
    }
}

/// One account's standing, as a room tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The account's bare JID.
    pub jid: String,
    /// Its affiliation.
    pub affiliation: Affiliation,
}

/// The payload that gives `jid` an affiliation.
pub fn change(jid: &str, affiliation: Affiliation, reason: Option<&str>) -> Element {
    let reason = reason.map(|reason| Element::bare("reason", MUC_ADMIN).saying(reason));
    let item = Element::bare("item", MUC_ADMIN)
        .with("jid", jid)
        .with("affiliation", affiliation.name())
        .holding_all(reason);
    Element::bare("query", MUC_ADMIN).holding(item)
}

/// The payload that asks for all who have an affiliation.
pub fn list(affiliation: Affiliation) -> Element {
    let item = Element::bare("item", MUC_ADMIN).with("affiliation", affiliation.name());
    Element::bare("query", MUC_ADMIN).holding(item)
}

/// Reads the answer to [`list`].
pub fn listed(iq: &Element) -> Vec<Standing> {
    let query = iq.get_child("query", MUC_ADMIN);
    query.into_iter().flat_map(Element::children).filter_map(standing).collect()
}

/// What a room tells in a presence, or in a message about somebody who is not there
/// (XEP-0045 9.8).
pub fn told(stanza: &Element) -> Option<Standing> {
    standing(stanza.get_child("x", MUC_USER)?.get_child("item", MUC_USER)?)
}

fn standing(item: &Element) -> Option<Standing> {
    let affiliation = Affiliation::parse(item.attr("affiliation")?)?;
    Some(Standing { jid: bare(item.attr("jid")?).to_owned(), affiliation })
}
