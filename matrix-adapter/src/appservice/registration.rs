//! The registration file that the homeserver loads (Matrix application service API,
//! "Registration").

use url::Url;

use super::setup::AppserviceSetup;
use crate::mapping::namespace::{ALIAS_PREFIX, GHOST_PREFIX};

/// The text of `registration.yaml`; `url` is where the homeserver reaches [`AppserviceSetup::listen`].
///
/// It holds both tokens: write it for the homeserver's eyes only.
pub fn registration(setup: &AppserviceSetup, url: &Url) -> String {
    let server = escaped(&setup.server_name);
    let (as_token, hs_token) = (quoted(&setup.as_token), quoted(&setup.hs_token));
    let (url, sender) = (quoted(url.as_str()), quoted(&setup.sender_localpart));
    let reserved = |prefix: String| match setup.has_rooms {
        true => format!("[{{exclusive: true, regex: {}}}]", quoted(&prefix)),
        false => "[]".to_owned(),
    };
    let users = reserved(format!("^@{GHOST_PREFIX}.*:{server}$"));
    let aliases = reserved(format!("^#{ALIAS_PREFIX}.*:{server}$"));
    let id = setup.registration_id();
    format!(
        "# Names the bridge to the homeserver; keep it secret. In homeserver.yaml:\n\
         #   app_service_config_files: [/path/to/registration.yaml]\n\
         id: {id}\n\
         url: {url}\n\
         as_token: {as_token}\n\
         hs_token: {hs_token}\n\
         sender_localpart: {sender}\n\
         rate_limited: false\n\
         receive_ephemeral: false\n\
         io.element.msc4190: true\n\
         namespaces:\n\
         \x20 users: {users}\n\
         \x20 aliases: {aliases}\n\
         \x20 rooms: []\n"
    )
}

/// A YAML single-quoted scalar.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A text as a regular expression that matches just it.
fn escaped(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() * 2);
    for character in text.chars() {
        if !character.is_alphanumeric() && character != '-' {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    #[test]
    fn the_registration_reserves_ghosts_and_aliases_of_this_server() {
        let setup = AppserviceSetup {
            listen: ([127, 0, 0, 1], 29400).into(),
            homeserver: Url::parse("https://hs.example").unwrap(),
            server_name: "example.org:8448".to_owned(),
            as_token: Zeroizing::new("as'token".to_owned()),
            hs_token: Zeroizing::new("hs".to_owned()),
            sender_localpart: "mls".to_owned(),
            has_rooms: true,
        };
        let text = registration(&setup, &Url::parse("http://127.0.0.1:29400").unwrap());
        for line in [
            "id: mls-bridge",
            "as_token: 'as''token'",
            "sender_localpart: 'mls'",
            "io.element.msc4190: true",
            "  users: [{exclusive: true, regex: '^@mls_.*:example\\.org\\:8448$'}]",
            "  aliases: [{exclusive: true, regex: '^#mls_.*:example\\.org\\:8448$'}]",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
        let alone = AppserviceSetup { has_rooms: false, ..setup };
        let text = registration(&alone, &Url::parse("http://127.0.0.1:29400").unwrap());
        for line in ["id: mls-bridge-authority", "  users: []", "  aliases: []"] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
    }
}
