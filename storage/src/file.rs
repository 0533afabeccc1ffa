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

/// Durability, for hub and member alike: every commit is on the disk before it returns.
///
/// With `NORMAL` a commit survives the end of the process, but a power loss may take the last
/// ones back. A hub would then sign one `seq` twice. A member would encrypt a second message
/// with a generation of its ratchet that is already out: the same key, and only the 32 random
/// bits of the reuse guard (RFC 9420 6.3.1) between it and a repeated nonce; the others, who
/// have deleted that key, could not read it. So both pay one fsync for one commit.
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
