//! Identity keys, for people.

use mls_core::address::UserId;
use mls_core::identity::readable_fingerprint;
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

use super::{plain, who};
use crate::json::{IdentityLine, SeenKeyLine};

/// What is known, and what to do with it.
pub(super) fn render(line: &IdentityLine) -> String {
    match line {
        IdentityLine::Identity { client, fingerprint: None, .. } => format!(
            "{} has no identity key: `identity create` makes yours here; where another device of yours has it, \
             `identity request` here and `identity sign` there",
            who(client)
        ),
        IdentityLine::Identity { client, state, fingerprint: Some(print), .. } => {
            let whence = match *state {
                "made_here" => "made on this device, which alone signs others",
                _ => "which another device of yours made, signed this one",
            };
            format!("{}: your identity key {}, {whence}", who(client), readable_fingerprint(print))
        }
        IdentityLine::IdentityRequest { client, device_fingerprint, request, .. } => format!(
            "on the device that made your identity key: `identity sign` and this line, for {}, \
             device key {}\n{request}",
            who(client),
            readable_fingerprint(device_fingerprint)
        ),
        IdentityLine::IdentityStatement { client, device_fingerprint, statement, .. } => format!(
            "signed for {}, device key {}: that device must show the same. There: `identity accept` and this \
             line\n{statement}",
            who(client),
            readable_fingerprint(device_fingerprint)
        ),
        IdentityLine::Verification { user, keys, unsigned, .. } => {
            let mut parts: Vec<_> = keys.iter().map(|key| seen(user, key)).collect();
            if keys.len() > 1 {
                parts.push(
                    "MORE THAN ONE KEY: one may be somebody else's; ask which is theirs".to_owned(),
                );
            }
            parts.extend(unsigned.iter().map(|client| format!("not signed: {}", who(client))));
            parts.join("\n")
        }
    }
}

fn seen(user: &str, key: &SeenKeyLine) -> String {
    let address = UserId::parse(user).map_or_else(|_| user.to_owned(), |user| user.address());
    let state = if key.verified { "verified by you" } else { "not verified" };
    let clients: Vec<_> = key.clients.iter().map(|client| who(client)).collect();
    format!(
        "{}, {state}, signed {}\n      {}\n      they must read you the same digits: \
         `verify {0} --digits '...'`; or they scan this, and you the one that they show:\n{}\n{}",
        plain(&address),
        clients.join(", "),
        key.safety_number,
        qr(&key.code),
        key.code
    )
}

/// The code in half blocks, the light ones drawn: most terminals are dark.
fn qr(text: &str) -> String {
    match QrCode::new(text) {
        Ok(code) => {
            let mut image = code.render::<Dense1x2>();
            image.dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build()
        }
        Err(error) => format!("(no QR code: {error})"),
    }
}
