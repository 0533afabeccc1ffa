//! `mls-bridge replace-keys`: new keys for the hub, while it is not running.

use std::sync::Arc;

use mls_core::hub::{Hub, HubSetup};
use storage::{Database, Role};

use crate::authority;
use crate::command_line::{ConfigArgument, Exit};

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
    let replaced = Database::open(&config.database, Role::Hub, None)
        .map_err(|error| error.to_string())
        .and_then(|database| replace(setup, &database));
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

fn replace(setup: HubSetup, database: &Database) -> Result<(), String> {
    let said = |error: &dyn std::fmt::Display| error.to_string();
    if let Some(text) = authority::other_root(&setup, database).map_err(|e| said(&e))? {
        return Err(format!("the authority: {text}"));
    }
    let store = Arc::new(database.clone());
    let (hub, made) = Hub::open(store, setup).map_err(|e| said(&e))?;
    let writes = hub.replace_keys().map_err(|e| said(&e))?;
    database.commit(&[made, writes].concat()).map_err(|e| said(&e))
}
