//! The authority that the operator gives: read as the configuration says, checked, and watched for its
//! end. Without one the hub makes a key of its own (decision 21).

mod make;
mod opened;
pub(crate) mod pem;
mod private_file;
mod replace;
mod request;
mod token;

use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use mls_core::authority::{Authority, AuthorityKey, ChainError};
use mls_core::hub::{Hub, HubSetup, RootChange};
use mls_core::identity::readable_fingerprint;
use mls_core::store::StoreError;
use storage::Database;
use time::OffsetDateTime;
use tokio::time::interval;

use crate::apart;
use crate::config::{self, Config, Fault, Faults, KeyPlace};
use crate::limits::{AUTHORITY_LOOK, AUTHORITY_WARN_MS};
pub use make::{CHAIN, KEY, MakeError, ROOT, ROOT_KEY, make_intermediate, make_root};
pub(crate) use opened::{OpenError, open_database};
pub use replace::replace;
pub use request::make_request;

/// The configuration in a file, and what the hub opens with.
pub fn load(file: &Path) -> Result<(Config, HubSetup), Faults> {
    let config = Config::load(file)?;
    let setup =
        set_up(&config).map_err(|fault| Faults { file: file.to_owned(), list: vec![fault] })?;
    Ok((config, setup))
}

/// What the hub opens with; what the configuration names is read.
pub fn set_up(config: &Config) -> Result<HubSetup, Fault> {
    let authority = config.authority.as_ref().map(|given| open(given, now_ms())).transpose()?;
    let roles = apart::roles(&config.roles)?;
    Ok(HubSetup { authority, roles, ..config.hub_setup() })
}

fn open(given: &config::Authority, now_ms: u64) -> Result<Authority, Fault> {
    let fault = |key: &str, problem: String| Fault { key: format!("authority.{key}"), problem };
    let chain = pem::read_certificates(&given.chain).map_err(|why| fault("chain", why))?;
    let key: Arc<dyn AuthorityKey> = match &given.key {
        KeyPlace::Token(place) => {
            Arc::new(token::TokenKey::open(place).map_err(|why| fault("pkcs11", why))?)
        }
        KeyPlace::File(path) => {
            Arc::new(pem::FileKey::read(path).map_err(|why| fault("key", why))?)
        }
    };
    Authority::given(key, chain, now_ms).map_err(|error| match error {
        ChainError::Key(why) => fault("key", format!("does not sign: {why}")),
        ChainError::OtherKey => fault(
            "key",
            format!("the first certificate in {} is for another key", given.chain.display()),
        ),
        other => fault("chain", format!("{}: {other}", given.chain.display())),
    })
}

/// What people have to hear if the authority has another root than the one that members have pinned.
pub fn other_root(setup: &HubSetup, database: &Database) -> Result<Option<String>, StoreError> {
    let change = Hub::root_change(Arc::new(database.clone()), setup)?;
    Ok(change.map(|RootChange { pinned, new }| {
        let new = new.map_or_else(|| "a key of the hub's own".to_owned(), |new| new.to_string());
        format!(
            "its root is another ({new}) than the one that members have pinned ({pinned}). If that \
             is a mistake, put the former [authority] back. If it is meant, run `mls-bridge authority \
             replace --config FILE` once"
        )
    }))
}

/// What people compare of the root that members pin; nothing before the first start.
pub fn root_fingerprint(database: &Database) -> Result<Option<String>, StoreError> {
    let root = Hub::root_fingerprint(Arc::new(database.clone()))?;
    Ok(root.map(|root| readable_fingerprint(&root.to_string())))
}

/// When the authority's certificates end, if it is time to think of that.
pub fn end_is_near(authority: &Authority) -> Option<String> {
    let left_ms = authority.ends_ms().saturating_sub(now_ms());
    (left_ms < AUTHORITY_WARN_MS).then(|| {
        let days = left_ms / mls_core::limits::DAY_MS;
        let least = mls_core::policy::CREDENTIAL_LIFETIME_MIN_MS / mls_core::limits::DAY_MS;
        format!(
            "its certificates end on {}, in {days} days: have a new intermediate made (mls-bridge \
             authority intermediate), put it in and start anew; from {least} days before the end no \
             device gets a certificate",
            date(authority.ends_ms())
        )
    })
}

/// Warns, now and each day, while the end of the authority's certificates is near.
pub async fn watch(authority: Option<Authority>) {
    let Some(authority) = authority else { return };
    let mut day = interval(AUTHORITY_LOOK);
    loop {
        day.tick().await;
        if let Some(text) = end_is_near(&authority) {
            tracing::warn!("the authority: {text}");
        }
    }
}

/// A day, for people.
pub(crate) fn date(time_ms: u64) -> String {
    let seconds = i64::try_from(time_ms / 1000).unwrap_or(i64::MAX);
    let time = OffsetDateTime::from_unix_timestamp(seconds);
    time.map_or_else(|_| "a day that no calendar has".to_owned(), |time| time.date().to_string())
}

pub(crate) fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    u64::try_from(now).unwrap_or(u64::MAX)
}
