//! The configuration of a group's MUC: people are seen and listed, and everything is archived.

use minidom::Element;

use super::element::Build;
use super::namespace::{DATA_FORMS, DISCO_INFO, MAM, MUC_OWNER, MUC_ROOM_CONFIG, STANZA_IDS};

/// That a room outlives its last occupant.
const PERSISTENT: &str = "muc_persistent";

/// What a group's room must say of itself (XEP-0030), and what it is for.
const REQUIRED: [(&str, &str); 5] = [
    ("muc_nonanonymous", "everybody sees everybody's address"),
    ("muc_membersonly", "only members enter"),
    (PERSISTENT, "it outlives its last occupant"),
    (MAM, "it is archived"),
    (STANZA_IDS, "its messages have stable ids"),
];

/// Asks for a room's configuration form.
pub fn form_request() -> Element {
    Element::bare("query", MUC_OWNER)
}

/// Fills in the form that a room offers; fields that it does not offer are left out, for some
/// services refuse what they do not know.
pub fn filled(offer: &Element, name: &str) -> Element {
    filled_in(offer, name, "1")
}

/// The same for a room on trial, which vanishes with its last occupant.
pub fn filled_on_trial(offer: &Element) -> Element {
    filled_in(offer, "", "0")
}

fn filled_in(offer: &Element, name: &str, persistent: &str) -> Element {
    let form = offer.get_child("query", MUC_OWNER).and_then(|q| q.get_child("x", DATA_FORMS));
    let offered: Vec<&str> = form
        .into_iter()
        .flat_map(Element::children)
        .filter_map(|field| field.attr("var"))
        .collect();
    let wanted = [
        ("muc#roomconfig_roomname", name),
        ("muc#roomconfig_persistentroom", persistent),
        ("muc#roomconfig_publicroom", "0"),
        ("muc#roomconfig_membersonly", "1"),
        ("muc#roomconfig_moderatedroom", "0"),
        ("muc#roomconfig_whois", "anyone"),
        ("muc#roomconfig_enablearchiving", "1"),
        ("muc#roomconfig_enablelogging", "1"),
        ("mam", "1"),
        ("muc#roomconfig_historylength", "0"),
    ];
    let fields = wanted.iter().filter(|(var, _)| offered.contains(var));
    let form = Element::bare("x", DATA_FORMS)
        .with("type", "submit")
        .holding(field("FORM_TYPE", MUC_ROOM_CONFIG))
        .holding_all(fields.map(|(var, value)| field(var, value)));
    Element::bare("query", MUC_OWNER).holding(form)
}

/// What a room lacks for a group, from its service discovery answer; empty if nothing.
pub fn lacks(disco: &Element) -> Vec<&'static str> {
    missing(disco).map(|(_, purpose)| purpose).collect()
}

/// The same for a room on trial.
pub fn lacks_on_trial(disco: &Element) -> Vec<&'static str> {
    let missing = missing(disco).filter(|(feature, _)| *feature != PERSISTENT);
    missing.map(|(_, purpose)| purpose).collect()
}

fn missing(disco: &Element) -> impl Iterator<Item = (&'static str, &'static str)> {
    let features: Vec<&str> = disco
        .get_child("query", DISCO_INFO)
        .into_iter()
        .flat_map(Element::children)
        .filter(|child| child.is("feature", DISCO_INFO))
        .filter_map(|feature| feature.attr("var"))
        .collect();
    REQUIRED.into_iter().filter(move |(feature, _)| !features.contains(feature))
}

fn field(name: &str, value: &str) -> Element {
    let value = Element::bare("value", DATA_FORMS).saying(value);
    Element::bare("field", DATA_FORMS).with("var", name).holding(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_room_offers_is_filled_in() {
        let offer = Element::bare("x", DATA_FORMS)
            .holding(field("muc#roomconfig_whois", "moderators"))
            .holding(field("something-else", "1"));
        let iq = Element::bare("iq", "jabber:client")
            .holding(Element::bare("query", MUC_OWNER).holding(offer));
        let filled = filled(&iq, "a group");
        let form = filled.get_child("x", DATA_FORMS).unwrap();
        let fields: Vec<_> = form
            .children()
            .map(|field| (field.attr("var").unwrap(), field.children().next().unwrap().text()))
            .collect();
        let expected = [
            ("FORM_TYPE", MUC_ROOM_CONFIG.to_owned()),
            ("muc#roomconfig_whois", "anyone".to_owned()),
        ];
        assert_eq!(fields, expected);
    }

    #[test]
    fn a_room_that_is_not_archived_is_named_as_such() {
        let features = ["muc_nonanonymous", "muc_membersonly", STANZA_IDS];
        let features = features.map(|var| Element::bare("feature", DISCO_INFO).with("var", var));
        let query = Element::bare("query", DISCO_INFO).holding_all(features);
        let disco = Element::bare("iq", "jabber:client").holding(query);
        assert_eq!(lacks(&disco), ["it outlives its last occupant", "it is archived"]);
        assert_eq!(lacks_on_trial(&disco), ["it is archived"]);
    }
}
