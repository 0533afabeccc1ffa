//! Another domain: a homeserver, a host of the same Prosody, and a bridge of its own.

use std::path::Path;
use std::sync::Arc;

use crate::bot::Account;
use crate::bridge::{self, Bridge, Role};
use crate::domain::Domain;
use crate::error::RigError;
use crate::ports::{self, Reserved};
use crate::process::Keeper;
use crate::secret::random_hex;
use crate::synapse::{Place, RateLimits, Synapse};

/// The other domain's servers.
#[derive(Debug)]
pub struct Elsewhere {
    /// Its homeserver, which the first one reaches.
    pub synapse: Synapse,
    /// Its bridge.
    pub bridge: Bridge,
    _ports: [Reserved; 3],
}

impl Elsewhere {
    /// Writes its configurations; starts nothing.
    pub fn prepare(keeper: &Arc<Keeper>, component: u16, python: &Path) -> Result<Self, RigError> {
        let reserved: [Reserved; 3] = ports::reserve()?;
        let [homeserver, listen, federation] = reserved.each_ref().map(|r| r.port);
        let domain = Domain::federated(federation, "elsewhere.localhost");
        let ports = bridge::Ports { homeserver, listen, component };
        let bridge = Bridge::init(keeper, ports, Role::Both, &domain, "elsewhere")?;
        let place = Place { port: homeserver, domain, folder: "synapse-elsewhere" };
        let limits = RateLimits::Lifted;
        let synapse =
            Synapse::prepare(keeper, place, &[bridge.folder()], limits, python.to_owned())?;
        Ok(Self { synapse, bridge, _ports: reserved })
    }

    /// Its names.
    pub fn domain(&self) -> &Domain {
        &self.synapse.domain
    }

    /// A new account on its homeserver, whose devices go by the hub at `hub`.
    pub fn matrix_user(&self, local: &str, hub: &str) -> Result<Account, RigError> {
        let password = random_hex(16)?;
        self.synapse.register(local, &password)?;
        Ok(self.synapse.account(local, password, hub))
    }

    /// The same, with devices that this domain's hub certifies.
    pub fn certified_matrix_user(&self, local: &str, hub: &str) -> Result<Account, RigError> {
        let mut account = self.matrix_user(local, hub)?;
        account.login.extend(["--authority".to_owned(), self.domain().hub_matrix()]);
        Ok(account)
    }

    /// Starts it, where Prosody runs already.
    pub fn start(&mut self) -> Result<(), RigError> {
        self.synapse.start()?;
        self.bridge.start()
    }
}
