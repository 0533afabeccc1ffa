//! The texts of what `init` writes, filled in with answers and fresh secrets.

use std::path::Path;

use matrix_adapter::appservice::registration;
use zeroize::Zeroizing;

use super::answers::own_name;
use super::{
    Answers, CONFIG, HOMESERVER, InitError, MatrixAnswers, PROSODY, REGISTRATION, XmppAnswers,
};
use crate::apart::{REVOKED, ROOTS};
use crate::command_line::InitRole;
use crate::config::{Config, Xmpp};
use crate::networks::appservice_setup;

/// A file's name and its text, which holds secrets.
pub(super) type Text = (&'static str, Zeroizing<String>);

/// Of a process that certifies keys.
const SIGNS: &str = "
# What signs certificates is a key of its own, in the database. An offline root is safer:
# mls-bridge authority --help says how, and what then stands in a section [authority] at the end.
";
/// Secrets have this many random bytes; in the files they stand in hex.
const SECRET_BYTES: usize = 32;

/// All files for `answers`, to lie in `folder`; refuses answers that make a faulty configuration.
pub(super) fn fill_all(answers: &Answers, folder: &Path) -> Result<Vec<Text>, InitError> {
    let text = config(answers)?;
    let config = Config::parse(&text, folder).map_err(InitError::Faulty)?;
    let mut texts = vec![(CONFIG, text)];
    if let (Some(answers), Some(matrix)) = (&answers.matrix, &config.matrix) {
        let setup = appservice_setup(matrix, &config.roles);
        let text = registration(&setup, &answers.appservice_url);
        texts.push((REGISTRATION, Zeroizing::new(text)));
        let path = folder.join(REGISTRATION).display().to_string();
        let values = [("registration", quoted(&path))];
        texts.push((HOMESERVER, fill(include_str!("templates/homeserver.yaml"), &values)));
    }
    if let Some(xmpp) = &config.xmpp {
        texts.push((PROSODY, prosody(xmpp, folder)));
    }
    Ok(texts)
}

/// The configuration, with fresh secrets.
fn config(answers: &Answers) -> Result<Zeroizing<String>, InitError> {
    let head = include_str!("templates/mls-bridge.toml");
    let mut text = fill(
        head,
        &[("roles", roles(answers.role).to_owned()), ("signs", signs(answers.role).to_owned())],
    );
    if let Some(matrix) = &answers.matrix {
        text.push_str(&matrix_config(matrix, answers.role, &secret()?, &secret()?));
    }
    if let Some(xmpp) = &answers.xmpp {
        text.push_str(&xmpp_config(xmpp, &secret()?));
    }
    text.push_str(&other_config(answers));
    Ok(text)
}

/// What there is to know of the key that signs certificates.
fn signs(role: InitRole) -> &'static str {
    match role {
        InitRole::Delivery => "",
        InitRole::Both | InitRole::Authentication => SIGNS,
    }
}

/// The value of `roles`.
fn roles(role: InitRole) -> &'static str {
    match role {
        InitRole::Both => "[\"delivery\", \"authentication\"]",
        InitRole::Delivery => "[\"delivery\"]",
        InitRole::Authentication => "[\"authentication\"]",
    }
}

/// The section about the other process, where there is one.
fn other_config(answers: &Answers) -> Zeroizing<String> {
    let (template, other) = match answers.role {
        InitRole::Both => return Zeroizing::default(),
        InitRole::Delivery => (include_str!("templates/authority.toml"), InitRole::Authentication),
        InitRole::Authentication => (include_str!("templates/delivery.toml"), InitRole::Delivery),
    };
    let name = own_name(other);
    let matrix = answers.matrix.as_ref().map(|own| format!("@{name}:{}", own.server_name));
    let xmpp = answers.xmpp.as_ref().map(|own| format!("{name}.{}", own.domain));
    let line = |key: &str, value: Option<String>| {
        value.map(|value| format!("{key} = {}\n", quoted(&value))).unwrap_or_default()
    };
    let address = [line("matrix", matrix), line("xmpp", xmpp)].concat();
    let file = |name| quoted(&answers.published.join(name).display().to_string());
    fill(template, &[("address", address), ("roots", file(ROOTS)), ("revoked", file(REVOKED))])
}

fn matrix_config(
    answers: &MatrixAnswers,
    role: InitRole,
    as_token: &str,
    hs_token: &str,
) -> Zeroizing<String> {
    fill(
        include_str!("templates/matrix.toml"),
        &[
            ("homeserver", quoted(&answers.homeserver)),
            ("server_name", quoted(&answers.server_name)),
            ("listen", quoted(&answers.listen)),
            ("as_token", quoted(as_token)),
            ("hs_token", quoted(hs_token)),
            ("sender_localpart", quoted(own_name(role))),
        ],
    )
}

fn xmpp_config(answers: &XmppAnswers, secret: &str) -> Zeroizing<String> {
    fill(
        include_str!("templates/xmpp.toml"),
        &[
            ("domain", quoted(&answers.domain)),
            ("component", quoted(&answers.component)),
            ("address", quoted(&answers.address)),
            ("secret", quoted(secret)),
            ("muc_service", quoted(&answers.muc_service)),
        ],
    )
}

fn prosody(config: &Xmpp, folder: &Path) -> Zeroizing<String> {
    let port = config.address.rsplit_once(':').map_or("5347", |(_, port)| port);
    fill(
        include_str!("templates/prosody.cfg.lua"),
        &[
            ("this_file", quoted(&folder.join(PROSODY).display().to_string())),
            ("component_port", port.to_owned()),
            ("muc_service", quoted(&config.muc_service)),
            ("component", quoted(&config.component)),
            ("secret", quoted(config.secret.reveal())),
        ],
    )
}

/// Puts each value in the place of its name in double braces.
fn fill(template: &str, values: &[(&str, String)]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(template.to_owned());
    for (name, value) in values {
        text = Zeroizing::new(text.replace(&format!("{{{{{name}}}}}"), value));
    }
    text
}

/// In double quotes, with `"` and `\` escaped: TOML, YAML and Lua agree on that much. What they
/// do not agree on, control characters, no value of a sound configuration has.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn secret() -> Result<Zeroizing<String>, InitError> {
    let mut bytes = Zeroizing::new([0; SECRET_BYTES]);
    getrandom::fill(&mut *bytes).map_err(|error| InitError::Random(error.to_string()))?;
    Ok(Zeroizing::new(hex::encode(*bytes)))
}
