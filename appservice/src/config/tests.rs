//! Every fault is named by its key, all of them at once, and no secret is repeated.

mod roles;

use std::path::{Path, PathBuf};

use super::{Config, KeyPlace, Token};

const SOUND: &str = r#"
database = "mls-bridge.db"
[matrix]
homeserver = "http://127.0.0.1:8008"
server_name = "example.org"
listen = "127.0.0.1:29341"
as_token = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
hs_token = "hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh"
sender_localpart = "mls"
[xmpp]
domain = "example.net"
component = "mls.example.net"
address = "127.0.0.1:5347"
secret = "ssssssssssssssssssssssssssssssssssssssss"
muc_service = "conference.example.net"
"#;

/// The keys of all faults, after `from` in the sound text was replaced by `to`.
fn keys(from: &str, to: &str) -> Vec<String> {
    assert!(SOUND.contains(from), "{from}");
    match Config::parse(&SOUND.replace(from, to), Path::new("/etc/x")) {
        Ok(_) => Vec::new(),
        Err(faults) => faults.into_iter().map(|fault| fault.key).collect(),
    }
}

#[test]
fn a_sound_configuration_is_read_and_its_paths_start_in_its_folder() {
    let config = Config::parse(SOUND, Path::new("/etc/x")).unwrap();
    assert_eq!(config.database, PathBuf::from("/etc/x/mls-bridge.db"));
    assert_eq!(config.matrix.unwrap().hub(), "@mls:example.org");
    assert_eq!(config.xmpp.unwrap().component, "mls.example.net");
    let absolute = SOUND.replace("\"mls-bridge.db\"", "\"/var/lib/x.db\"");
    let config = Config::parse(&absolute, Path::new("/etc/x")).unwrap();
    assert_eq!(config.database, PathBuf::from("/var/lib/x.db"));
}

#[test]
fn one_network_is_enough_and_none_is_a_fault() {
    let (head, xmpp) = SOUND.split_once("[xmpp]").unwrap();
    let (database, _) = head.split_once("[matrix]").unwrap();
    assert!(Config::parse(head, Path::new("")).unwrap().xmpp.is_none());
    let only = format!("{database}[xmpp]{xmpp}");
    assert!(Config::parse(&only, Path::new("")).unwrap().matrix.is_none());
    let faults = Config::parse(database, Path::new("")).unwrap_err();
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0].key, "matrix, xmpp");
}

#[test]
fn each_fault_is_named_with_its_key() {
    let check =
        |from: &str, to: &str, expected: &[&str]| assert_eq!(keys(from, to), expected, "{to}");
    check("127.0.0.1:29341", "127.0.0.1:29341", &[]);
    check("127.0.0.1:29341", "[::1]:1", &[]);
    check("127.0.0.1:29341", "localhost", &["matrix.listen"]);
    check("127.0.0.1:29341", "0.0.0.0:29341", &["matrix.listen"]);
    check("http://127.0.0.1:8008", "https://matrix.example.org", &[]);
    check("http://127.0.0.1:8008", "http://localhost:8008/", &[]);
    check("http://127.0.0.1:8008", "http://matrix.example.org", &["matrix.homeserver"]);
    check("http://127.0.0.1:8008", "https://example.org/path", &["matrix.homeserver"]);
    check("http://127.0.0.1:8008", "ftp://127.0.0.1", &["matrix.homeserver"]);
    check("http://127.0.0.1:8008", "example.org", &["matrix.homeserver"]);
    check("\"example.org\"", "\"example org\"", &["matrix.server_name"]);
    check("\"example.org\"", "7", &["matrix.server_name"]);
    check("\"mls\"", "\"mls_hub\"", &["matrix.sender_localpart"]);
    check("\"mls\"", "\"@mls\"", &["matrix.sender_localpart"]);
    check("aaaaaaaa", "a", &["matrix.as_token"]);
    check(&"a".repeat(40), &"h".repeat(40), &["matrix.hs_token"]);
    check("127.0.0.1:5347", "xmpp.example.net:5347", &["xmpp.address"]);
    check("127.0.0.1:5347", "localhost:5347", &[]);
    check("127.0.0.1:5347", "127.0.0.1", &["xmpp.address"]);
    check("127.0.0.1:5347", "127.0.0.1:0", &["xmpp.address"]);
    check("\"mls.example.net\"", "\"example.net\"", &["xmpp.component"]);
    check("\"mls.example.net\"", "\"MLS.example.net\"", &["xmpp.component"]);
    check("conference.", "mls.", &["xmpp.muc_service"]);
    check("listen =", "lisen =", &["matrix.listen", "matrix.lisen"]);
    check("[xmpp]", "[jabber]", &["jabber"]);
    check(
        "[xmpp]",
        "",
        &[
            "matrix.address",
            "matrix.component",
            "matrix.domain",
            "matrix.muc_service",
            "matrix.secret",
        ],
    );
    check("database", "data base", &["line 2"]);
}

#[test]
fn the_authority_is_a_section_of_its_own_whose_paths_start_in_the_folder() {
    let text = |section: &str| format!("{SOUND}[authority]\n{section}");
    assert!(Config::parse(SOUND, Path::new("/etc/x")).unwrap().authority.is_none());
    let sound = text("chain = \"chain.pem\"\nkey = \"/safe/authority.key\"\n");
    let authority = Config::parse(&sound, Path::new("/etc/x")).unwrap().authority.unwrap();
    assert_eq!(authority.chain, PathBuf::from("/etc/x/chain.pem"));
    assert!(
        matches!(authority.key, KeyPlace::File(key) if key == Path::new("/safe/authority.key"))
    );
    let token = "chain = \"chain.pem\"\n[authority.pkcs11]\nmodule = \"/usr/lib/x.so\"\n\
                 token = \"mls\"\nkey = \"authority\"\npin_file = \"pin\"\n";
    let authority = Config::parse(&text(token), Path::new("/etc/x")).unwrap().authority.unwrap();
    let KeyPlace::Token(Token { module, token, key, pin_file }) = authority.key else {
        panic!("no token: {:?}", authority.key);
    };
    assert_eq!((module, pin_file), (PathBuf::from("/usr/lib/x.so"), PathBuf::from("/etc/x/pin")));
    assert_eq!((token.as_str(), key.as_str()), ("mls", "authority"));
    let both = "chain = \"chain.pem\"\nkey = \"x\"\n[authority.pkcs11]\nmodule = \"x\"\n";
    let faults = Config::parse(&text(both), Path::new("")).unwrap_err();
    let keys: Vec<&str> = faults.iter().map(|fault| fault.key.as_str()).collect();
    let pkcs11 = ["token", "key", "pin_file"].map(|key| format!("authority.pkcs11.{key}"));
    assert_eq!(keys[0], "authority.key", "beside a token it has no effect");
    assert_eq!(keys[1..], pkcs11);
    let faults = Config::parse(&text("chain = \"\"\nkeys = \"x\"\n"), Path::new("")).unwrap_err();
    let keys: Vec<&str> = faults.iter().map(|fault| fault.key.as_str()).collect();
    assert_eq!(keys, ["authority.chain", "authority.key", "authority.keys"]);
}

#[test]
fn all_faults_come_at_once() {
    let text = SOUND
        .replace("database = \"mls-bridge.db\"", "")
        .replace("127.0.0.1", "10.0.0.1")
        .replace("sender_localpart", "sender");
    let faults = Config::parse(&text, Path::new("")).unwrap_err();
    let keys: Vec<&str> = faults.iter().map(|fault| fault.key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "database",
            "matrix.homeserver",
            "matrix.listen",
            "matrix.sender_localpart",
            "matrix.sender",
            "xmpp.address",
        ]
    );
}

#[test]
fn no_secret_is_shown_by_a_fault_or_by_debug() {
    let secret = "vErYsEcReT";
    for from in [&"a".repeat(40), &"h".repeat(40), &"s".repeat(40)] {
        for to in [secret.to_owned(), format!("{secret} {}", "x".repeat(40))] {
            let faults = Config::parse(&SOUND.replace(from, &to), Path::new("")).unwrap_err();
            assert!(!format!("{faults:?}").contains(secret));
        }
        let unclosed = SOUND.replace(&format!("{from}\""), secret);
        let faults = Config::parse(&unclosed, Path::new("")).unwrap_err();
        assert!(!format!("{faults:?}").contains(secret), "{faults:?}");
        let sound = SOUND.replace(from, &format!("{secret}{from}"));
        let config = Config::parse(&sound, Path::new("")).unwrap();
        assert!(!format!("{config:?}").contains(secret));
    }
}
