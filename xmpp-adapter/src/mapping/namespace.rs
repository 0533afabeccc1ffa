//! Namespaces: our own in one place, so that a later standard is a rename, and those of the XEPs.

/// Every element of our own, and the service-discovery feature of a hub.
pub const MLS_BRIDGE: &str = "urn:mls-bridge:0";
/// The PEP node of last-resort key packages (XEP-0163).
pub const KEY_PACKAGES_NODE: &str = "urn:mls-bridge:0:key-packages";
/// The name that a client without MLS shows (XEP-0380).
pub const ENCRYPTION_NAME: &str = "MLS";

/// Stanzas inside this crate, whatever the stream calls them (RFC 6120 4.8.3).
pub const CLIENT: &str = "jabber:client";
/// Stanzas on a component's stream (XEP-0114).
pub const COMPONENT: &str = "jabber:component:accept";
/// The stream element itself (RFC 6120 4.8.1).
pub const STREAM: &str = "http://etherx.jabber.org/streams";
/// Stream error conditions (RFC 6120 4.9.3).
pub const STREAM_ERRORS: &str = "urn:ietf:params:xml:ns:xmpp-streams";
/// Stanza error conditions (RFC 6120 8.3.3).
pub const STANZA_ERRORS: &str = "urn:ietf:params:xml:ns:xmpp-stanzas";
/// Resource binding (RFC 6120 7).
pub const BIND: &str = "urn:ietf:params:xml:ns:xmpp-bind";

/// Data forms (XEP-0004).
pub const DATA_FORMS: &str = "jabber:x:data";
/// Service discovery of an entity (XEP-0030).
pub const DISCO_INFO: &str = "http://jabber.org/protocol/disco#info";
/// Service discovery of what an entity has (XEP-0030).
pub const DISCO_ITEMS: &str = "http://jabber.org/protocol/disco#items";
/// Entering a room (XEP-0045).
pub const MUC: &str = "http://jabber.org/protocol/muc";
/// What a room says of its occupants (XEP-0045).
pub const MUC_USER: &str = "http://jabber.org/protocol/muc#user";
/// Affiliations and roles (XEP-0045).
pub const MUC_ADMIN: &str = "http://jabber.org/protocol/muc#admin";
/// A room's configuration (XEP-0045).
pub const MUC_OWNER: &str = "http://jabber.org/protocol/muc#owner";
/// `FORM_TYPE` of a room's configuration (XEP-0045).
pub const MUC_ROOM_CONFIG: &str = "http://jabber.org/protocol/muc#roomconfig";
/// Publish-subscribe (XEP-0060).
pub const PUBSUB: &str = "http://jabber.org/protocol/pubsub";
/// Conditions to publish under (XEP-0060 7.1.5).
pub const PUBSUB_PUBLISH_OPTIONS: &str = "http://jabber.org/protocol/pubsub#publish-options";
/// Software version (XEP-0092).
pub const VERSION: &str = "jabber:iq:version";
/// Ping (XEP-0199).
pub const PING: &str = "urn:xmpp:ping";
/// Delayed delivery (XEP-0203).
pub const DELAY: &str = "urn:xmpp:delay";
/// Direct invitations (XEP-0249).
pub const CONFERENCE: &str = "jabber:x:conference";
/// Carbons (XEP-0280).
pub const CARBONS: &str = "urn:xmpp:carbons:2";
/// Forwarded stanzas (XEP-0297).
pub const FORWARD: &str = "urn:xmpp:forward:0";
/// Message archives (XEP-0313).
pub const MAM: &str = "urn:xmpp:mam:2";
/// Hints (XEP-0334).
pub const HINTS: &str = "urn:xmpp:hints";
/// Stanza and origin ids (XEP-0359).
pub const STANZA_IDS: &str = "urn:xmpp:sid:0";
/// Which encryption (XEP-0380).
pub const ENCRYPTION: &str = "urn:xmpp:eme:0";
/// Paging (XEP-0059).
pub const RESULT_SETS: &str = "http://jabber.org/protocol/rsm";
