//! Everything together: both servers, the bridge between them, accounts and their bots.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;

use crate::blindness::{Search, search};
use crate::bot::{Account, Bot};
use crate::bridge::{self, Bridge, Role};
use crate::domain::Domain;
use crate::elsewhere::Elsewhere;
use crate::error::RigError;
use crate::http::{Answer, Request};
use crate::ports::{self, Reserved};
use crate::process::{Keeper, tail};
use crate::prosody::{self, DOMAIN, HUB, Prosody};
use crate::secret::random_hex;
use crate::synapse::{self, Place, RateLimits, Synapse};

/// How a rig is set up.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Synapse's rate limits.
    pub limits: RateLimits,
    /// Accounts are named as asked, without a number behind the name.
    pub plain_names: bool,
    /// The bridge and the bots go by a clock that the test moves ([`Keeper::clock`]).
    pub moving_clock: bool,
    /// The authority is a process of its own.
    pub apart: bool,
    /// There is another domain, and the homeservers of both speak to each other.
    pub other_domain: bool,
    /// Called with a sentence before each step.
    pub progress: Option<fn(&str)>,
}

/// A running rig; when it is dropped, or this process ends in whatever way, all of it is gone.
#[derive(Debug)]
pub struct Rig {
    /// The homeserver.
    pub synapse: Synapse,
    /// The XMPP server.
    pub prosody: Prosody,
    /// The server under test: both services, or the delivery service alone.
    pub bridge: Bridge,
    /// The authority, where it is a process of its own.
    pub authority: Option<Bridge>,
    /// The other domain, if there is one.
    pub elsewhere: Option<Elsewhere>,
    keeper: Arc<Keeper>,
    plaintexts: Arc<Mutex<Vec<String>>>,
    options: Options,
    accounts: AtomicUsize,
    _ports: [Reserved; 6],
}

impl Rig {
    /// Installs what is missing, writes all configurations, starts all three servers at once and
    /// waits until all are ready.
    pub fn start(options: Options) -> Result<Self, RigError> {
        let say = |text: &str| options.progress.map(|progress| progress(text)).unwrap_or_default();
        let mut rig = Self::prepare(options.clone())?;
        match rig.start_all(say) {
            Ok(()) => Ok(rig),
            Err(error) => Err(rig.explain(error)),
        }
    }

    fn start_all(&mut self, say: impl Fn(&str)) -> Result<(), RigError> {
        say("Starting Synapse, Prosody and mls-bridge");
        self.synapse.launch()?;
        self.prosody.launch()?;
        match &mut self.authority {
            // The delivery service starts from what that writes.
            Some(authority) => authority.launch()?,
            None => self.bridge.launch()?,
        }
        say("Waiting for Prosody");
        self.prosody.wait_serving()?;
        say("Waiting for Synapse (it makes its database)");
        self.synapse.wait_healthy()?;
        say("Waiting for mls-bridge");
        if let Some(authority) = &mut self.authority {
            authority.wait_ready()?;
            self.bridge.launch()?;
        }
        self.bridge.wait_ready()?;
        self.elsewhere.as_mut().map_or(Ok(()), Elsewhere::start)
    }

    /// Installs what is missing and writes all configurations; starts nothing.
    pub fn prepare(options: Options) -> Result<Self, RigError> {
        let say = |text: &str| options.progress.map(|progress| progress(text)).unwrap_or_default();
        say("Looking for Prosody, and installing it where it is missing");
        prosody::install()?;
        say("Looking for Synapse, and installing it where it is missing (a minute)");
        let python: PathBuf = synapse::install()?;
        say("Writing configurations with mls-bridge init");
        let keeper = Keeper::start(options.moving_clock)?;
        let reserved: [Reserved; 6] = ports::reserve()?;
        let [homeserver, listen, client, component, beside, federation] =
            reserved.each_ref().map(|r| r.port);
        let domain = match options.other_domain {
            true => Domain::federated(federation, DOMAIN),
            false => Domain::usual(),
        };
        let init = |role: Role, listen| {
            let ports = bridge::Ports { homeserver, listen, component };
            Bridge::init(&keeper, ports, role, &domain, role.folder())
        };
        let apart = options.apart.then(|| init(Role::Authentication, beside)).transpose()?;
        let bridge = init(if options.apart { Role::Delivery } else { Role::Both }, listen)?;
        let folders: Vec<_> = std::iter::once(&bridge).chain(&apart).map(Bridge::folder).collect();
        let other = || Elsewhere::prepare(&keeper, component, &python);
        let elsewhere = options.other_domain.then(other).transpose()?;
        let place = Place { port: homeserver, domain: domain.clone(), folder: "synapse" };
        let synapse = Synapse::prepare(&keeper, place, &folders, options.limits, python)?;
        let (mut domains, mut at_prosody) = (vec![&domain], folders);
        if let Some(other) = &elsewhere {
            domains.push(other.domain());
            at_prosody.push(other.bridge.folder());
        }
        let ports = prosody::Ports { client, component };
        let prosody = Prosody::prepare(&keeper, ports, &domains, &at_prosody)?;
        let plaintexts = Arc::default();
        let accounts = AtomicUsize::new(1);
        Ok(Self {
            synapse,
            prosody,
            bridge,
            authority: apart,
            elsewhere,
            keeper,
            plaintexts,
            options,
            accounts,
            _ports: reserved,
        })
    }

    /// A new account on Synapse, with a random password.
    pub fn matrix_user(&self, name: &str) -> Result<Account, RigError> {
        let (local, password) = (self.unique(name), random_hex(16)?);
        self.synapse.register(&local, &password)?;
        Ok(self.synapse.account(&local, password, &self.synapse.domain.hub_matrix()))
    }

    /// A new account on Prosody, with a random password.
    pub fn xmpp_user(&self, name: &str) -> Result<Account, RigError> {
        let (local, password) = (self.unique(name), random_hex(16)?);
        self.prosody.register(&local, &password)?;
        let address = format!("{local}@{DOMAIN}");
        let server = self.prosody.address();
        let login = ["xmpp", "--server", &server, "--user", &address, "--hub", HUB];
        let login = login.map(str::to_owned).to_vec();
        Ok(Account { address, password, login })
    }

    /// A new device of an account, logged in and running.
    pub fn device(&self, account: &Account, device: &str) -> Result<Bot, RigError> {
        let name = format!("{}-{device}", account.localpart());
        let bot = Bot::login(&self.keeper, &name, account, &self.plaintexts)?;
        bot.start()?;
        Ok(bot)
    }

    /// A new Matrix account with one running device.
    pub fn matrix_bot(&self, name: &str) -> Result<Bot, RigError> {
        self.device(&self.matrix_user(name)?, "matrix")
    }

    /// A new XMPP account with one running device.
    pub fn xmpp_bot(&self, name: &str) -> Result<Bot, RigError> {
        self.device(&self.xmpp_user(name)?, "xmpp")
    }

    /// One Matrix bot and one XMPP bot, started at the same time.
    pub fn pair(&self, matrix: &str, xmpp: &str) -> Result<(Bot, Bot), RigError> {
        thread::scope(|scope| {
            let xmpp = scope.spawn(|| self.xmpp_bot(xmpp));
            let matrix = self.matrix_bot(matrix)?;
            let xmpp = xmpp.join().map_err(|_| RigError::Answer("a thread panicked".to_owned()))?;
            Ok((matrix, xmpp?))
        })
    }

    /// A request to the bridge's own HTTP port, as the homeserver makes them.
    pub fn ask_bridge(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: &[u8],
    ) -> Result<Answer, RigError> {
        Request { port: self.bridge.port, method, path, token, body }.send()
    }

    /// Looks for everything that bots of this rig have sent so far in all that Synapse, Prosody
    /// and the bridge have written: databases, logs, archives.
    pub fn search_plaintexts(&self) -> Result<Search, RigError> {
        let plaintexts = self.plaintexts.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.search(&plaintexts)
    }

    /// Looks for any texts in the same places.
    pub fn search(&self, texts: &[String]) -> Result<Search, RigError> {
        let mut folders = vec![self.synapse.folder(), self.prosody.folder(), self.bridge.folder()];
        folders.extend(self.authority.as_ref().map(Bridge::folder));
        if let Some(other) = &self.elsewhere {
            folders.extend([other.synapse.folder(), other.bridge.folder()]);
        }
        search(&folders, texts)
    }

    /// Number of texts that bots have sent so far.
    pub fn plaintexts(&self) -> usize {
        self.plaintexts.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Fails when a plaintext is where none may be.
    pub fn assert_blind(&self) -> Result<(), RigError> {
        let hits = self.search_plaintexts()?.hits;
        if hits.is_empty() {
            Ok(())
        } else {
            Err(RigError::Answer(format!("plaintexts where none may be: {hits:#?}")))
        }
    }

    /// The keeper of the rig's folder and processes.
    pub fn keeper(&self) -> &Arc<Keeper> {
        &self.keeper
    }

    fn unique(&self, name: &str) -> String {
        if self.options.plain_names {
            return name.to_owned();
        }
        format!("{name}{}", self.accounts.fetch_add(1, Ordering::Relaxed))
    }

    fn explain(&self, error: RigError) -> RigError {
        let _only_for_a_person = self.keeper.keep_folder();
        let log = tail(&self.bridge.log(), 20);
        let folder = self.keeper.folder().display();
        RigError::Answer(format!("{error}\n\n{log}\n\nEverything is left in {folder}"))
    }
}

/// Runs a flow on the rig that all tests of one program share, then checks that everything that
/// was ever sent there is unreadable to the servers and the bridge.
pub fn shared(flow: impl FnOnce(&Rig) -> Result<(), RigError>) -> Result<(), RigError> {
    static RIG: OnceLock<Result<Rig, String>> = OnceLock::new();
    let rig = RIG.get_or_init(|| Rig::start(Options::default()).map_err(|e| e.to_string()));
    let rig = rig.as_ref().map_err(|text| RigError::Answer(text.clone()))?;
    let _kept_if_it_panics = KeepAfterPanic(Arc::clone(&rig.keeper));
    flow(rig).and_then(|()| rig.assert_blind()).map_err(|error| rig.explain(error))
}

/// Runs a flow on a rig of its own, which it may stop, kill and start again.
pub fn own(
    options: Options,
    flow: impl FnOnce(&mut Rig) -> Result<(), RigError>,
) -> Result<(), RigError> {
    let mut rig = Rig::start(options)?;
    let _kept_if_it_panics = KeepAfterPanic(Arc::clone(&rig.keeper));
    flow(&mut rig).and_then(|()| rig.assert_blind()).map_err(|error| rig.explain(error))
}

/// Leaves the folder for somebody to look at when a flow fails by an assertion.
struct KeepAfterPanic(Arc<Keeper>);

impl Drop for KeepAfterPanic {
    fn drop(&mut self) {
        if thread::panicking() {
            let _only_for_a_person = self.0.keep_folder();
            eprintln!("Everything is left in {}", self.0.folder().display());
        }
    }
}
