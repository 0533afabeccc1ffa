//! One space is one table, made when the first value is put into it.

use std::collections::BTreeMap;

use mls_core::store::{Space, StoreError};
use rusqlite::Connection;

/// The statements of one table, written once so that the prepared ones are found again.
pub(crate) struct Table {
    pub(crate) get: String,
    pub(crate) scan: String,
    pub(crate) put: String,
    pub(crate) delete: String,
}

/// Tables that exist, by name.
pub(crate) type Tables = BTreeMap<String, Table>;

impl Table {
    fn new(name: &str) -> Self {
        Self {
            get: format!("SELECT value FROM \"{name}\" WHERE key = ?1"),
            scan: format!("SELECT key, value FROM \"{name}\" WHERE key >= ?1 ORDER BY key"),
            put: format!("INSERT OR REPLACE INTO \"{name}\" (key, value) VALUES (?1, ?2)"),
            delete: format!("DELETE FROM \"{name}\" WHERE key = ?1"),
        }
    }
}

/// The spaces that the file holds.
pub(crate) fn existing(connection: &Connection) -> rusqlite::Result<Tables> {
    let mut statement =
        connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")?;
    let names = statement.query_map([], |row| row.get::<_, String>(0))?;
    let mut tables = Tables::new();
    for name in names {
        let name = name?;
        if is_space(&name) {
            tables.insert(name.clone(), Table::new(&name));
        }
    }
    Ok(tables)
}

/// Makes the table of `space`, inside the transaction that `connection` is in.
pub(crate) fn create(connection: &Connection, space: Space) -> Result<Table, StoreError> {
    check(space)?;
    let sql = format!(
        "CREATE TABLE IF NOT EXISTS \"{space}\" \
         (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID, STRICT"
    );
    connection.execute_batch(&sql).map_err(|e| StoreError(e.to_string()))?;
    Ok(Table::new(space))
}

/// Refuses a name that no table may have.
pub(crate) fn check(space: Space) -> Result<(), StoreError> {
    if is_space(space) {
        Ok(())
    } else {
        Err(StoreError(format!("{space:?} is no name of a space: lower-case letters and _ only")))
    }
}

/// A space's name goes into SQL as it is, so only lower-case letters and `_` may be in it.
fn is_space(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with("sqlite_")
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}
