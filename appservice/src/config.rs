//! The configuration, mls-bridge.toml: read with every fault named by its key, all at once.

mod authority;
mod roles;
mod section;
mod value;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use mls_core::hub::HubSetup;
use thiserror::Error;
use url::Url;
use zeroize::Zeroizing;

pub use authority::{Authority, KeyPlace, Token};
pub use roles::{AUTHENTICATION, AuthorityElsewhere, DELIVERY, DeliveryElsewhere, Roles};
use roles::{Named, Own};
use section::Section;

/// A configuration without faults.
#[derive(Debug)]
pub struct Config {
    /// The database file; where it was relative, it is from the configuration's folder.
    pub database: PathBuf,
    /// Which services it is, and where the other one is.
    pub roles: Roles,
    /// The Matrix side, where it is served.
    pub matrix: Option<Matrix>,
    /// The XMPP side, where it is served.
    pub xmpp: Option<Xmpp>,
    /// What signs certificates, where the operator gives it.
    pub authority: Option<Authority>,
}

/// `[matrix]`: one homeserver, of which this is an application service.
#[derive(Debug)]
pub struct Matrix {
    /// Where its client-server API is reached; without TLS on loopback only.
    pub homeserver: Url,
    /// The part of its user ids after the colon.
    pub server_name: String,
    /// Where it reaches us; loopback only, for there is no TLS.
    pub listen: SocketAddr,
    /// Shows the homeserver that we are we.
    pub as_token: Secret,
    /// Shows us that it is the homeserver.
    pub hs_token: Secret,
    /// The localpart of the hub's user.
    pub sender_localpart: String,
}

/// `[xmpp]`: one XMPP server, of which this is a component (XEP-0114).
#[derive(Debug)]
pub struct Xmpp {
    /// The domain of its accounts.
    pub domain: String,
    /// The domain of the component, which is the hub's address.
    pub component: String,
    /// The component port, `HOST:PORT`; loopback only, for components have no TLS.
    pub address: String,
    /// Shared with the XMPP server.
    pub secret: Secret,
    /// The multi-user chat service in which rooms are made.
    pub muc_service: String,
}

/// Text that is wiped when dropped and never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

/// What is wrong with a configuration, all of it.
#[derive(Debug, Error)]
pub struct Faults {
    /// The file.
    pub file: PathBuf,
    /// At least one.
    pub list: Vec<Fault>,
}

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The key, such as `matrix.listen`, or where in the file.
    pub key: String,
    /// What is wrong and what would be right; never a secret's value.
    pub problem: String,
}

impl Config {
    /// Who the hub is on each network that is configured. What lies outside the configuration is not in
    /// it; see [`crate::authority::set_up`].
    pub fn hub_setup(&self) -> HubSetup {
        HubSetup {
            matrix: self.matrix.as_ref().map(|matrix| matrix.hub()),
            xmpp: self.xmpp.as_ref().map(|xmpp| xmpp.component.clone()),
            ..HubSetup::default()
        }
    }

    /// Reads the file.
    pub fn load(file: &Path) -> Result<Self, Faults> {
        let faults = |list| Faults { file: file.to_owned(), list };
        let text = std::fs::read_to_string(file).map(Zeroizing::new).map_err(|error| {
            faults(vec![Fault { key: "the file".to_owned(), problem: error.to_string() }])
        })?;
        let folder = file.parent().unwrap_or(Path::new(""));
        Self::parse(&text, folder).map_err(faults)
    }

    /// Reads the text of a file that lies in `folder`.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let table =
            text.parse::<toml::Table>().map_err(|error| vec![syntax_fault(text, &error)])?;
        let mut root = Section::new("", table, &mut faults);
        let database = root.take("database", value::path).map(|path| folder.join(path));
        let named = Named::read(&mut root);
        let (matrix, xmpp) = (root.take_section("matrix"), root.take_section("xmpp"));
        let authority = root.take_section("authority");
        let delivery = match named {
            Some(Named::Authentication) => root.take_section("delivery"),
            _ => None,
        };
        root.finish();
        if matrix.is_none() && xmpp.is_none() && faults.is_empty() {
            let problem = "neither [matrix] nor [xmpp] is there; at least one must be".to_owned();
            faults.push(Fault { key: "matrix, xmpp".to_owned(), problem });
        }
        // What cannot be read is `None` and leaves a fault.
        let read = |table| Matrix::read(Section::new("matrix", table, &mut faults));
        let matrix = matrix.and_then(read);
        let xmpp = xmpp.and_then(|table| Xmpp::read(Section::new("xmpp", table, &mut faults)));
        let own = Own { matrix: matrix.as_ref(), xmpp: xmpp.as_ref() };
        let (roles, authority) = match named {
            Some(Named::Delivery) => {
                let table = authority.unwrap_or_default();
                let other = AuthorityElsewhere::read(table, folder, &own, &mut faults);
                (other.map(Roles::Delivery), None)
            }
            Some(Named::Authentication) => {
                let table = delivery.unwrap_or_default();
                let other = DeliveryElsewhere::read(table, folder, &own, &mut faults);
                let own = authority.and_then(|it| Authority::read(it, folder, &mut faults));
                (other.map(Roles::Authentication), own)
            }
            Some(Named::Both) | None => {
                let own = authority.and_then(|it| Authority::read(it, folder, &mut faults));
                (Some(Roles::Both), own)
            }
        };
        match (database, roles) {
            (Some(database), Some(roles)) if faults.is_empty() => {
                Ok(Self { database, roles, matrix, xmpp, authority })
            }
            _ => Err(faults),
        }
    }
}

impl Matrix {
    fn read(mut section: Section<'_>) -> Option<Self> {
        let homeserver = section.take("homeserver", value::homeserver);
        let server_name = section.take("server_name", value::server_name);
        let listen = section.take("listen", value::listen);
        let as_token = section.take("as_token", value::token);
        let hs_token = section.take("hs_token", value::token);
        let sender_localpart = section.take("sender_localpart", value::localpart);
        if as_token.is_some() && as_token == hs_token {
            section.fault("hs_token", "is the same as as_token; each side needs its own");
        }
        section.finish();
        Some(Self {
            homeserver: homeserver?,
            server_name: server_name?,
            listen: listen?,
            as_token: as_token?,
            hs_token: hs_token?,
            sender_localpart: sender_localpart?,
        })
    }

    /// The hub's user id.
    pub fn hub(&self) -> String {
        format!("@{}:{}", self.sender_localpart, self.server_name)
    }
}

impl Xmpp {
    fn read(mut section: Section<'_>) -> Option<Self> {
        let domain = section.take("domain", value::domain);
        let component = section.take("component", value::domain);
        let address = section.take("address", value::component_address);
        let secret = section.take("secret", value::token);
        let muc_service = section.take("muc_service", value::domain);
        if component.is_some() && component == domain {
            section.fault("component", "is the accounts' domain; it must be one of its own");
        }
        if muc_service.is_some() && (muc_service == component || muc_service == domain) {
            section.fault("muc_service", "must be the domain of the multi-user chat service");
        }
        section.finish();
        Some(Self {
            domain: domain?,
            component: component?,
            address: address?,
            secret: secret?,
            muc_service: muc_service?,
        })
    }
}

impl Secret {
    /// The text, for the one place that sends or compares it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is faulty:", self.file.display())?;
        self.list.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.problem)
    }
}

/// Only the line and what the parser misses: its own text would quote the line, secrets and all.
fn syntax_fault(text: &str, error: &toml::de::Error) -> Fault {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.lines().count().max(1);
    Fault { key: format!("line {line}"), problem: format!("not TOML: {}", error.message()) }
}

#[cfg(test)]
mod tests;
