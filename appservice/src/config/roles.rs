//! `roles`, and the section about the service that is another process: `[authority]` of a delivery service,
//! `[delivery]` of an authority.

use std::path::{Path, PathBuf};

use mls_core::service::ServiceAddress;
use toml::Table;

use super::section::Section;
use super::{Fault, Matrix, Xmpp, value};

/// The name of each role in `roles`.
pub const DELIVERY: &str = "delivery";
/// The same.
pub const AUTHENTICATION: &str = "authentication";

/// Which services the process is.
#[derive(Debug)]
pub enum Roles {
    /// Both, which needs no other process.
    Both,
    /// The delivery service alone.
    Delivery(AuthorityElsewhere),
    /// The authentication service alone.
    Authentication(DeliveryElsewhere),
}

/// `[authority]` of a delivery service: the authority that is another process.
#[derive(Debug)]
pub struct AuthorityElsewhere {
    /// Where members find it.
    pub address: ServiceAddress,
    /// PEM: its roots, which members pin.
    pub roots: PathBuf,
    /// Its signed list of who is revoked.
    pub revoked: PathBuf,
}

/// `[delivery]` of an authority: the delivery service that is another process.
#[derive(Debug)]
pub struct DeliveryElsewhere {
    /// Where members find it.
    pub address: ServiceAddress,
    /// The folder into which the authority writes what is for it.
    pub publish: PathBuf,
}

/// What `roles` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    Both,
    Delivery,
    Authentication,
}

impl Named {
    /// Both where nothing is said; `None` leaves a fault.
    pub(super) fn read(root: &mut Section<'_>) -> Option<Self> {
        let Some(mut names) = root.take_list("roles") else { return Some(Self::Both) };
        names.sort();
        match names.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            [AUTHENTICATION, DELIVERY] => Some(Self::Both),
            [AUTHENTICATION] => Some(Self::Authentication),
            [DELIVERY] => Some(Self::Delivery),
            _ => {
                let text = "must be [\"delivery\", \"authentication\"], or one of them";
                root.fault("roles", text);
                None
            }
        }
    }
}

/// Who we are ourselves: the other one must be somebody else, and reached by all whom we serve.
pub(super) struct Own<'a> {
    pub(super) matrix: Option<&'a Matrix>,
    pub(super) xmpp: Option<&'a Xmpp>,
}

impl AuthorityElsewhere {
    pub(super) fn read(
        table: Table,
        folder: &Path,
        own: &Own<'_>,
        faults: &mut Vec<Fault>,
    ) -> Option<Self> {
        let mut section = Section::new("authority", table, faults);
        let address = own.read_other(&mut section);
        let roots = section.take("roots", value::path);
        let revoked = section.take("revoked", value::path);
        section.finish();
        Some(Self { address, roots: folder.join(roots?), revoked: folder.join(revoked?) })
    }
}

impl DeliveryElsewhere {
    pub(super) fn read(
        table: Table,
        folder: &Path,
        own: &Own<'_>,
        faults: &mut Vec<Fault>,
    ) -> Option<Self> {
        let mut section = Section::new("delivery", table, faults);
        let address = own.read_other(&mut section);
        let publish = section.take("publish", value::path);
        section.finish();
        Some(Self { address, publish: folder.join(publish?) })
    }
}

impl Own<'_> {
    /// Where the other service is, in each network that we serve.
    fn read_other(&self, section: &mut Section<'_>) -> ServiceAddress {
        let matrix = self.matrix.and_then(|own| {
            let user = |text: &str| value::user_of(text, &own.server_name);
            let other = section.take("matrix", user)?;
            if other == own.hub() {
                section.fault("matrix", "is our own address; the other process has one of its own");
            }
            Some(other)
        });
        let xmpp = self.xmpp.and_then(|own| {
            let component = |text: &str| value::component_of(text, &own.domain);
            let other = section.take("xmpp", component)?;
            if other == own.component {
                section.fault("xmpp", "is our own address; the other process has one of its own");
            }
            Some(other)
        });
        ServiceAddress { matrix, xmpp }
    }
}
