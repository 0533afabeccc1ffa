//! Every name of ours on Matrix, and the names of the cipher suites in them.

/// What the types of all our events start with.
pub const OUR_EVENTS: &str = "dev.mls_bridge.";
/// A client's question to the hub, in a control room.
pub const REQUEST: &str = "dev.mls_bridge.request";
/// The hub's answer, in the same control room.
pub const ANSWER: &str = "dev.mls_bridge.answer";
/// An accepted handshake, in a group's room, by the hub.
pub const HANDSHAKE: &str = "dev.mls_bridge.handshake";
/// A Welcome, to-device, by the hub.
pub const WELCOME: &str = "dev.mls_bridge.welcome";
/// The pool of a device runs low, to-device, by the hub.
pub const KEY_PACKAGES_LOW: &str = "dev.mls_bridge.key_packages_low";
/// Something about a member that people should know, to-device, by the hub.
pub const MEMBERSHIP_WARNING: &str = "dev.mls_bridge.membership_warning";
/// A device asks to be added to a group, to-device, by the hub.
pub const DEVICE_WAITING: &str = "dev.mls_bridge.device_waiting";
/// Somebody asks to be let into a group, to-device, by the hub.
pub const KNOCKED: &str = "dev.mls_bridge.knocked";
/// An admin said no to that, to-device, by the hub.
pub const KNOCK_DENIED: &str = "dev.mls_bridge.knock_denied";
/// The binding of a room to its group, a state event by the hub.
pub const GROUP: &str = "dev.mls_bridge.group";
/// The type of a control room, in its `m.room.create`.
pub const CONTROL_ROOM_TYPE: &str = "dev.mls_bridge.control";
/// The algorithm of a group's room: this and the suite's name.
pub const ALGORITHM_PREFIX: &str = "dev.mls_bridge.v1.";
/// The one-time key algorithm of key packages: this and the suite's name.
pub const KEY_PACKAGE_PREFIX: &str = "dev.mls_bridge.v1.key_package.";
/// The device key that holds the MLS signature key: this, `:` and the device id.
pub const CREDENTIAL_KEY: &str = "dev.mls_bridge.v1.credential.ed25519";
/// What the localpart of every ghost starts with; the namespace that the registration reserves.
pub const GHOST_PREFIX: &str = "mls_";
/// What the alias of every room made by the hub starts with; reserved in the registration too.
pub const ALIAS_PREFIX: &str = "mls_";
/// Version of every content of ours, under `v`.
pub const VERSION: u64 = 1;

/// The `id` of the application service in its registration file.
pub const REGISTRATION_ID: &str = "mls-bridge";
/// The same of an authority that runs alone.
pub const AUTHORITY_REGISTRATION_ID: &str = "mls-bridge-authority";
/// The one device of the hub and of each ghost: without one, Synapse forgets transaction ids at
/// a restart.
pub const APPSERVICE_DEVICE: &str = "MLSBRIDGE";

/// MSC4245: the room's encryption algorithm in its `m.room.create`.
pub const CREATE_ALGORITHM: &str = "org.matrix.msc4245.encryption_algorithm";
/// An encrypted message (Matrix, instant messaging).
pub const ROOM_ENCRYPTED: &str = "m.room.encrypted";
/// The encryption marker of a room.
pub const ROOM_ENCRYPTION: &str = "m.room.encryption";
/// A message in clear.
pub const ROOM_MESSAGE: &str = "m.room.message";
/// A sticker in clear.
pub const STICKER: &str = "m.sticker";
/// Somebody's membership.
pub const ROOM_MEMBER: &str = "m.room.member";
/// A room's first event.
pub const ROOM_CREATE: &str = "m.room.create";

/// RFC 9420 17.1: numbers and names of the cipher suites.
const SUITES: [(u16, &str); 7] = [
    (1, "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519"),
    (2, "MLS_128_DHKEMP256_AES128GCM_SHA256_P256"),
    (3, "MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519"),
    (4, "MLS_256_DHKEMX448_AES256GCM_SHA512_Ed448"),
    (5, "MLS_256_DHKEMP521_AES256GCM_SHA512_P521"),
    (6, "MLS_256_DHKEMX448_CHACHA20POLY1305_SHA512_Ed448"),
    (7, "MLS_256_DHKEMP384_AES256GCM_SHA384_P384"),
];

/// The name of a suite, if RFC 9420 has one.
pub fn suite_name(suite: u16) -> Option<&'static str> {
    SUITES.iter().find(|(number, _)| *number == suite).map(|(_, name)| *name)
}

/// The algorithm of rooms and devices for a suite.
pub fn algorithm(suite: u16) -> Option<String> {
    suite_name(suite).map(|name| format!("{ALGORITHM_PREFIX}{name}"))
}

/// The suite of an algorithm, if the algorithm is ours.
pub fn suite_of(algorithm: &str) -> Option<u16> {
    suite_of_name(algorithm.strip_prefix(ALGORITHM_PREFIX)?)
}

/// The suite of this name.
pub fn suite_of_name(name: &str) -> Option<u16> {
    SUITES.iter().find(|(_, known)| *known == name).map(|(number, _)| *number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suite_has_one_algorithm_and_strangers_have_none() {
        for (number, _) in SUITES {
            assert_eq!(suite_of(&algorithm(number).unwrap()), Some(number));
        }
        for stranger in
            ["m.megolm.v1.aes-sha2", "dev.mls_bridge.v1.", "dev.mls_bridge.v1.key_package.x"]
        {
            assert_eq!(suite_of(stranger), None, "{stranger}");
        }
        assert_eq!(algorithm(8), None);
    }
}
