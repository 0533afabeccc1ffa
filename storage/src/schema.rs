//! Whose file it is, and which numbered migrations it has seen.

use rusqlite::Connection;

use crate::OpenError;

/// Who keeps the file. It is written into it, and a file of the other role is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The delivery service, `mls-bridge`.
    Hub,
    /// One device of one account.
    Member,
}

/// The newest schema that this program knows; `PRAGMA user_version`.
pub const SCHEMA_VERSION: u32 = MIGRATIONS.len() as u32;

/// The table of the one row that tells whether the key is right. No space has a `-` in its name.
pub(crate) const KEY_CHECK: &str = "key-check";

/// Number n of the list takes a file from schema n to n + 1. Only ever add to the end.
const MIGRATIONS: [&str; 1] = [
    "CREATE TABLE \"key-check\" (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID, STRICT",
];

impl Role {
    /// `PRAGMA application_id`: `MLSH` or `MLSM`.
    fn application_id(self) -> u32 {
        match self {
            Self::Hub => 0x4D4C_5348,
            Self::Member => 0x4D4C_534D,
        }
    }
}

/// Refuses a file of another role, program or future; brings ours to [`SCHEMA_VERSION`].
pub(crate) fn migrate(connection: &mut Connection, role: Role) -> Result<(), OpenError> {
    let found: u32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let tables: u32 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let fresh = found == 0 && version == 0 && tables == 0;
    if !fresh && found != role.application_id() {
        return Err(OpenError::WrongRole { expected: role });
    }
    let pending = usize::try_from(version).ok().and_then(|seen| MIGRATIONS.get(seen..));
    let Some(pending) = pending else {
        return Err(OpenError::NewerSchema { found: version, known: SCHEMA_VERSION });
    };
    if pending.is_empty() {
        return Ok(());
    }
    let transaction = connection.transaction()?;
    for migration in pending {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "application_id", role.application_id())?;
    write_version(&transaction)?;
    Ok(transaction.commit()?)
}

/// Notes that the file has seen all migrations; a write even where it was noted before.
pub(crate) fn write_version(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "user_version", SCHEMA_VERSION)
}
