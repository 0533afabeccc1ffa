//! Which services a process is, and what it must then know of the other one.

use std::path::{Path, PathBuf};

use super::SOUND;
use crate::config::{Config, Roles};

const AUTHORITY: &str = r#"
[authority]
matrix = "@authority:example.org"
xmpp = "authority.example.net"
roots = "roots.pem"
revoked = "/srv/revoked.list"
"#;

const DELIVERY: &str = r#"
[delivery]
matrix = "@hub:example.org"
xmpp = "hub.example.net"
publish = "published"
"#;

fn parse(roles: &str, section: &str) -> Result<Config, Vec<String>> {
    let text = format!("roles = {roles}\n{SOUND}{section}");
    let named = |fault: crate::config::Fault| fault.key;
    Config::parse(&text, Path::new("/etc/x"))
        .map_err(|faults| faults.into_iter().map(named).collect())
}

#[test]
fn without_a_word_and_with_both_a_process_is_both_services() {
    assert!(matches!(Config::parse(SOUND, Path::new("")).unwrap().roles, Roles::Both));
    for both in ["[\"delivery\", \"authentication\"]", "[\"authentication\", \"delivery\"]"] {
        assert!(matches!(parse(both, "").unwrap().roles, Roles::Both));
    }
}

#[test]
fn a_service_alone_knows_where_the_other_is_and_where_its_files_lie() {
    let Roles::Delivery(authority) = parse("[\"delivery\"]", AUTHORITY).unwrap().roles else {
        panic!("another role");
    };
    assert_eq!(authority.address.matrix.as_deref(), Some("@authority:example.org"));
    assert_eq!(authority.address.xmpp.as_deref(), Some("authority.example.net"));
    assert_eq!(authority.roots, PathBuf::from("/etc/x/roots.pem"));
    assert_eq!(authority.revoked, PathBuf::from("/srv/revoked.list"));
    let alone = parse("[\"authentication\"]", DELIVERY).unwrap();
    assert!(alone.authority.is_none(), "a key of its own");
    let Roles::Authentication(delivery) = alone.roles else { panic!("another role") };
    assert_eq!(delivery.publish, PathBuf::from("/etc/x/published"));
    let given = format!("{DELIVERY}[authority]\nchain = \"c.pem\"\nkey = \"k\"\n");
    assert!(parse("[\"authentication\"]", &given).unwrap().authority.is_some());
}

#[test]
fn what_is_wrong_between_the_two_is_named_by_its_key() {
    let check = |roles: &str, section: &str, expected: &[&str]| {
        assert_eq!(parse(roles, section).unwrap_err(), expected, "{roles} {section}");
    };
    let (delivery, authentication) = ("[\"delivery\"]", "[\"authentication\"]");
    for roles in ["[]", "[\"hub\"]", "[\"delivery\", \"delivery\"]"] {
        check(roles, "", &["roles"]);
    }
    check("\"delivery\"", "", &["roles"]);
    let all = ["authority.matrix", "authority.xmpp", "authority.roots", "authority.revoked"];
    check(delivery, "", &all);
    check(authentication, "", &["delivery.matrix", "delivery.xmpp", "delivery.publish"]);
    for (from, to, key) in [
        ("@authority:example.org", "@mls:example.org", "authority.matrix"),
        ("@authority:example.org", "@authority:elsewhere.org", "authority.matrix"),
        ("@authority:example.org", "authority", "authority.matrix"),
        ("authority.example.net", "mls.example.net", "authority.xmpp"),
        ("authority.example.net", "authority.example.com", "authority.xmpp"),
        ("roots =", "chain =", "authority.roots"),
    ] {
        let faults = parse(delivery, &AUTHORITY.replace(from, to)).unwrap_err();
        assert_eq!(faults.first().map(String::as_str), Some(key), "{to}");
    }
    // A key that has no effect: the other process signs.
    let with_key = format!("{AUTHORITY}chain = \"chain.pem\"\n");
    check(delivery, &with_key, &["authority.chain"]);
    check("[\"delivery\", \"authentication\"]", DELIVERY, &["delivery"]);
}
