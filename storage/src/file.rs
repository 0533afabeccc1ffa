//! The file itself: made private, locked for one process, set to keep what it was told.

use std::fs::{self, OpenOptions, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::OpenError;

/// How long a start waits for the process before it to let go of the file.
const LOCK_WAIT: Duration = Duration::from_secs(2);

/// Prepared statements kept: four for each space, with room to spare.
const STATEMENTS_KEPT: usize = 256;

/// Durability, for hub and member alike: a commit is on the disk before it returns, unless its
/// caller says that it need not be ([`set_syncs`]).
///
/// With `NORMAL` a commit survives the end of the process, but a power loss may take the last
/// ones back. A hub would then sign one `seq` twice, a member forget that its ratchet's
/// generations are used up. So `FULL` is the rule.
///
/// `secure_delete` overwrites what is deleted, so keys do not stay behind in free pages.
/// `journal_size_limit` cuts the write-ahead log, which still holds old pages, when it restarts.
const SETTINGS: &str = "
    PRAGMA locking_mode = EXCLUSIVE;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA foreign_keys = ON;
    PRAGMA secure_delete = ON;
    PRAGMA temp_store = MEMORY;
    PRAGMA trusted_schema = OFF;
    PRAGMA journal_size_limit = 0;
";

/// Opens `path`, which only this process may use from now on.
pub(crate) fn open(path: &Path) -> Result<Connection, OpenError> {
    make_private(path).map_err(|source| OpenError::File { path: shown(path), source })?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(LOCK_WAIT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    // The lock is taken by the first write and then kept until the connection is closed.
    let locked = connection
        .execute_batch(SETTINGS)
        .and_then(|()| connection.execute_batch("BEGIN EXCLUSIVE; COMMIT"));
    match locked {
        Ok(()) => Ok(connection),
        Err(error) if is_busy(&error) => Err(OpenError::InUse { path: shown(path) }),
        Err(error) => Err(error.into()),
    }
}

/// Whether a commit syncs the write-ahead log. Where it does not (`NORMAL`), the log is still
/// written in order and read up to its first damaged commit, its header is synced when it begins
/// anew, and a checkpoint syncs the log before it touches the database.
pub(crate) fn set_syncs(connection: &Connection, syncs: bool) -> rusqlite::Result<()> {
    // Not a cached statement: this PRAGMA works when it is prepared.
    connection.execute_batch(match syncs {
        true => "PRAGMA synchronous = FULL",
        false => "PRAGMA synchronous = NORMAL",
    })
}

/// SQLite gives the write-ahead log the mode of the database. An existing file is not opened
/// here: closing it would drop the locks that this process may already hold on it.
fn make_private(path: &Path) -> std::io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            fs::set_permissions(path, Permissions::from_mode(0o600))
        }
        Err(error) => Err(error),
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
