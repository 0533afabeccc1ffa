//! Who is in the rooms' lists: asked once after entering, then told by the rooms.

use std::collections::{BTreeMap, HashMap};

use crate::mapping::affiliation::{Affiliation, Standing};

/// All rooms' lists.
#[derive(Default)]
pub(super) struct Affiliations(HashMap<String, List>);

#[derive(Default)]
struct List {
    /// What is known of each bare JID.
    known: BTreeMap<String, Affiliation>,
    /// The whole list was read; until then only what was told is known.
    whole: bool,
}

impl Affiliations {
    /// The room was entered: its list is to be read.
    pub(super) fn begin(&mut self, room: &str) {
        self.0.insert(room.to_owned(), List::default());
    }

    /// The room is lost.
    pub(super) fn forget(&mut self, room: &str) {
        self.0.remove(room);
    }

    /// Whether the room was entered, and is not lost.
    pub(super) fn follows(&self, room: &str) -> bool {
        self.0.contains_key(room)
    }

    /// Nothing is known any more.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The room tells a standing. Gives whether the account is listed, if that is news: before
    /// the list was read it is not, for the list will say it.
    pub(super) fn told(&mut self, room: &str, standing: &Standing) -> Option<bool> {
        let list = self.0.get_mut(room)?;
        let before = list.known.insert(standing.jid.clone(), standing.affiliation);
        let was = before.is_some_and(Affiliation::is_listed);
        let is = standing.affiliation.is_listed();
        (list.whole && was != is).then_some(is)
    }

    /// The list was read. What was told meanwhile is newer than it.
    pub(super) fn read(&mut self, room: &str, standings: Vec<Standing>) {
        let Some(list) = self.0.get_mut(room) else { return };
        for standing in standings {
            list.known.entry(standing.jid).or_insert(standing.affiliation);
        }
        list.whole = true;
    }

    /// All bare JIDs in the list.
    pub(super) fn listed(&self, room: &str) -> Vec<String> {
        let known = self.0.get(room).into_iter().flat_map(|list| &list.known);
        known.filter(|(_, a)| a.is_listed()).map(|(jid, _)| jid.clone()).collect()
    }

    /// The affiliation of a bare JID; `None` before the list was read.
    pub(super) fn of(&self, room: &str, jid: &str) -> Option<Affiliation> {
        let list = self.0.get(room).filter(|list| list.whole)?;
        Some(list.known.get(jid).copied().unwrap_or(Affiliation::None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(jid: &str, affiliation: Affiliation) -> Standing {
        Standing { jid: jid.into(), affiliation }
    }

    #[test]
    fn what_is_told_while_the_list_is_read_is_newer_than_the_list() {
        let mut affiliations = Affiliations::default();
        affiliations.begin("r");
        assert_eq!(affiliations.told("r", &standing("a", Affiliation::None)), None);
        assert_eq!(affiliations.of("r", "a"), None);
        let list = ["a", "b"].map(|jid| standing(jid, Affiliation::Member));
        affiliations.read("r", list.to_vec());
        assert_eq!(affiliations.listed("r"), ["b"]);
    }

    #[test]
    fn only_a_change_of_the_list_is_news() {
        let mut affiliations = Affiliations::default();
        affiliations.begin("r");
        affiliations.read("r", vec![standing("a", Affiliation::Member)]);
        for (affiliation, news) in [
            (Affiliation::Owner, None),
            (Affiliation::Outcast, Some(false)),
            (Affiliation::None, None),
            (Affiliation::Member, Some(true)),
        ] {
            assert_eq!(affiliations.told("r", &standing("a", affiliation)), news);
        }
    }
}
