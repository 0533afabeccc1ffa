//! `mls-bridge authority replace`: the configured authority's root takes the place of the one that
//! members have pinned, while the hub is not running.

use std::sync::Arc;

use mls_core::hub::Hub;
use storage::{Database, Role};

use super::{load, now_ms};
use crate::command_line::{ConfigArgument, Exit};

const DONE: &str = "\
Another root signs from now on. Start mls-bridge again. Certificates of the former stay valid until
they end, at most 90 days, and both roots are named to members until then. A group takes the new one
when an admin adds its anchor.";

const NOTHING: &str =
    "Nothing to do: members have pinned the root of this configuration, or none yet.";

const ELSEWHERE: &str = "\
the authority is another process: replace its root there, put the roots.pem that it then writes in the place of the \
former one here, and start mls-bridge anew";

/// Has the root replaced, and says what follows.
pub fn replace(arguments: &ConfigArgument) -> Exit {
    let (config, setup) = match load(&arguments.config) {
        Ok(loaded) => loaded,
        Err(faults) => {
            eprintln!("mls-bridge: {faults}");
            return Exit::Faulty;
        }
    };
    if !setup.roles.certifies() {
        eprintln!("mls-bridge authority replace: {ELSEWHERE}");
        return Exit::Faulty;
    }
    let said = |error: &dyn std::fmt::Display| error.to_string();
    let replaced = Database::open(&config.database, Role::Hub, None)
        .map_err(|e| said(&e))
        .and_then(|database| {
            let store = Arc::new(database.clone());
            let writes = Hub::replace_root(store, &setup, now_ms()).map_err(|e| said(&e))?;
            database.commit(&writes).map_err(|e| said(&e))?;
            Ok(!writes.is_empty())
        });
    match replaced {
        Ok(changed) => {
            println!("{}", if changed { DONE } else { NOTHING });
            Exit::Done
        }
        Err(error) => {
            eprintln!("mls-bridge authority replace: database: {error}");
            Exit::Database
        }
    }
}
