//! `mls-bridge replace-keys`: new keys for the hub, while it is not running.

use std::sync::Arc;

use mls_core::hub::{Hub, HubSetup};

use crate::authority::{self, OpenError, open_database};
use crate::command_line::{ConfigArgument, Exit};
use crate::config::Config;

const DONE: &str = "\
The hub has new keys. Start it again. Members learn of them when they connect, at most a day later,
and an admin of each group takes them into it; until then it goes on with the old keys, which stay in
the database.";

/// Has the keys replaced, and says what follows.
pub fn replace_keys(arguments: &ConfigArgument) -> Exit {
    let (config, setup) = match authority::load(&arguments.config) {
        Ok(loaded) => loaded,
        Err(faults) => {
            eprintln!("mls-bridge: {faults}");
            return Exit::Faulty;
        }
    };
    match replace(&config, setup) {
        Ok(()) => {
            println!("{DONE}");
            Exit::Done
        }
        Err(error) => {
            eprintln!("mls-bridge replace-keys: {error}");
            error.exit()
        }
    }
}

fn replace(config: &Config, setup: HubSetup) -> Result<(), OpenError> {
    let database = open_database(config, &setup)?;
    let (hub, made) = Hub::open(Arc::new(database.clone()), setup)?;
    let writes = hub.replace_keys()?;
    Ok(database.commit(&[made, writes].concat())?)
}
