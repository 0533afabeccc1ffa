//! What each kind of value must look like. The errors never repeat a secret.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use matrix_adapter::is_protected;
use url::{Host, Url};

use super::Secret;

/// Tokens shorter than this can be guessed.
const TOKEN_CHARACTERS_MIN: usize = 32;

/// RFC 1035: a domain name.
const DOMAIN_CHARACTERS_MAX: usize = 253;

pub(super) fn path(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() { Err("is empty".to_owned()) } else { Ok(PathBuf::from(text)) }
}

pub(super) fn label(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("is empty".to_owned()) } else { Ok(text.to_owned()) }
}

pub(super) fn homeserver(text: &str) -> Result<Url, String> {
    let url = Url::parse(text)
        .map_err(|_| format!("{text:?} is not a URL such as http://127.0.0.1:8008"))?;
    let plain = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
    if !plain || !url.username().is_empty() || url.password().is_some() {
        return Err("must be scheme, host and port only".to_owned());
    }
    match url.scheme() {
        _ if is_protected(&url) => Ok(url),
        "http" => {
            Err("is not on this machine, so it must be https (the token would go in clear)"
                .to_owned())
        }
        _ => Err("must be https, or http on this machine".to_owned()),
    }
}

pub(super) fn server_name(text: &str) -> Result<String, String> {
    let fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    if !text.is_empty() && text.len() <= DOMAIN_CHARACTERS_MAX && text.chars().all(fit) {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "{text:?} is not a server name such as example.org (what stands after the \
                     colon of user ids)"
        ))
    }
}

pub(super) fn listen(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text
        .parse()
        .map_err(|_| format!("{text:?} is not an IP address and port such as 127.0.0.1:29341"))?;
    if address.ip().is_loopback() {
        Ok(address)
    } else {
        Err("must be a loopback address, for there is no TLS here; for a homeserver on another \
             machine put a reverse proxy with TLS in front"
            .to_owned())
    }
}

pub(super) fn token(text: &str) -> Result<Secret, String> {
    if text.len() < TOKEN_CHARACTERS_MIN {
        Err(format!("must have at least {TOKEN_CHARACTERS_MIN} characters (openssl rand -hex 32)"))
    } else if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(Secret::from(text.to_owned()))
    } else {
        Err("must be ASCII without spaces".to_owned())
    }
}

pub(super) fn localpart(text: &str) -> Result<String, String> {
    let fit = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._=-".contains(c);
    if text.is_empty() || text.len() > 100 || !text.chars().all(fit) {
        Err(format!("{text:?} is not a localpart such as mls (a-z 0-9 . _ = -)"))
    } else if text.starts_with("mls_") {
        Err("must not start with mls_, as ghosts do".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

pub(super) fn domain(text: &str) -> Result<String, String> {
    let forbidden =
        |c: char| c.is_whitespace() || c.is_control() || c.is_uppercase() || "@/:\"'\\".contains(c);
    if text.is_empty() || text.len() > DOMAIN_CHARACTERS_MAX || text.contains(forbidden) {
        Err(format!("{text:?} is not a domain in lower case such as example.org"))
    } else {
        Ok(text.to_owned())
    }
}

/// A Matrix user id of this server.
pub(super) fn user_of(text: &str, server_name: &str) -> Result<String, String> {
    let named = text.strip_prefix('@').and_then(|rest| rest.split_once(':'));
    match named {
        Some((name, server)) if server == server_name => localpart(name).map(|_| text.to_owned()),
        _ => Err(format!("{text:?} is not a user id of {server_name}, such as @mls:{server_name}")),
    }
}

/// The domain of a component of this XMPP server.
pub(super) fn component_of(text: &str, server: &str) -> Result<String, String> {
    match text.split_once('.') {
        Some((_, rest)) if rest == server => domain(text),
        _ => Err(format!("{text:?} is not a component of {server}, such as mls.{server}")),
    }
}

pub(super) fn component_address(text: &str) -> Result<String, String> {
    let split = text.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok_and(|p| p > 0));
    let Some((host, _)) = split else {
        return Err(format!("{text:?} is not a host and port such as 127.0.0.1:5347"));
    };
    match Host::parse(host) {
        Ok(host) if is_loopback(&host) => Ok(text.to_owned()),
        Ok(_) => Err("must be on this machine: components have no TLS; for an XMPP server on \
                      another machine use a tunnel (ssh, WireGuard with a local forward, stunnel)"
            .to_owned()),
        Err(_) => Err(format!("{host:?} is not a host")),
    }
}

fn is_loopback<S: AsRef<str>>(host: &Host<S>) -> bool {
    match host {
        Host::Domain(name) => name.as_ref() == "localhost",
        Host::Ipv4(address) => IpAddr::from(*address).is_loopback(),
        Host::Ipv6(address) => IpAddr::from(*address).is_loopback(),
    }
}
