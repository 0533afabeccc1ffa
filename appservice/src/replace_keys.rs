//! `mls-bridge replace-keys`: new keys for the hub, while it is not running.

use std::sync::Arc;

use mls_core::hub::Hub;
use storage::{Database, Role};

use crate::command_line::{ConfigArgument, Exit};
use crate::config::Config;

const DONE: &str = "\
The hub has new keys. Start it again. Members learn of them when they connect, at most a day later,
and an admin of each group takes them into it; until then it goes on with the old keys, which stay in
the database.";

/// Has the keys replaced, and says what follows.
pub fn replace_keys(arguments: &ConfigArgument) -> Exit {
    let config = match Config::load(&arguments.config) {
        Ok(config) => config,
        Err(faults) => {
            eprintln!("mls-bridge: {faults}");
            return Exit::Faulty;
        }
    };
    let replaced = Database::open(&config.database, Role::Hub, None)
        .map_err(|error| error.to_string())
        .and_then(|database| replace(&config, &database));
    match replaced {
        Ok(()) => {
            println!("{DONE}");
            Exit::Done
        }
        Err(error) => {
            eprintln!("mls-bridge replace-keys: database: {error}");
            Exit::Database
        }
    }
}

fn replace(config: &Config, database: &Database) -> Result<(), String> {
    let said = |error: &dyn std::fmt::Display| error.to_string();
    let store = Arc::new(database.clone());
    let (hub, made) = Hub::open(store, config.hub_setup()).map_err(|e| said(&e))?;
    let writes = hub.replace_keys().map_err(|e| said(&e))?;
    database.commit(&[made, writes].concat()).map_err(|e| said(&e))
}
