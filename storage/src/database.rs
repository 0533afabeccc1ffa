//! One open database file as a [`Store`].

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mls_core::store::{Space, Store, StoreError, Value, Write};
use rusqlite::{Connection, OptionalExtension, Row};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::key_check::check_key;
use crate::schema::migrate;
use crate::table::{Table, Tables};
use crate::transaction::Transaction;
use crate::{Key, KeyError, Role, file, schema, table};

/// An open database; clones share it. The last one that goes closes it and frees the lock.
#[derive(Clone)]
pub struct Database(Arc<Shared>);

struct Shared {
    key: Option<Key>,
    state: Mutex<State>,
}

struct State {
    connection: Connection,
    tables: Tables,
    /// Whether a commit syncs the log now; see [`file`].
    syncs: bool,
    /// Whether the log may hold a commit that is not on the disk.
    unsynced: bool,
    /// Whether there ever was one.
    hurried: bool,
}

/// A database that cannot be opened; each says what to do.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The file cannot be made or made private.
    #[error("the database {path}: {source}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another process has it open.
    #[error("the database {path} is in use by another process; stop that one first")]
    InUse {
        /// The file.
        path: String,
    },
    /// It belongs to the other role, or to another program.
    #[error("this is not the database of a {expected:?}; give the path of the right file")]
    WrongRole {
        /// The role that was asked for.
        expected: Role,
    },
    /// A newer program wrote it.
    #[error("the database has schema {found}, this program knows {known}; install the newer one")]
    NewerSchema {
        /// The schema of the file.
        found: u32,
        /// The newest schema that this program knows.
        known: u32,
    },
    /// Its values were written with another key, or without one.
    #[error("the database was not written with this key; give back the key file it was made with")]
    WrongKey,
    /// SQLite said no: a damaged file, a full disk.
    #[error("the database does not open: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The key does not work at all.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl Database {
    /// Opens the file, or makes it; with a `key` its values are encrypted at rest.
    ///
    /// A missing file is made with mode 0600, but not its folder. Waits at most two seconds for
    /// another process to let go of it.
    pub fn open(path: &Path, role: Role, key: Option<Key>) -> Result<Self, OpenError> {
        let mut connection = file::open(path)?;
        migrate(&mut connection, role)?;
        check_key(&connection, key.as_ref())?;
        let tables = table::existing(&connection)?;
        tracing::debug!(path = %path.display(), ?role, tables = tables.len(), "database opened");
        let state = State { connection, tables, syncs: true, unsynced: false, hurried: false };
        Ok(Self(Arc::new(Shared { key, state: Mutex::new(state) })))
    }

    /// Commits all of `writes`, in their order, in one transaction, or none of them. When it
    /// returns they are on the disk, with all that was committed before.
    pub fn commit(&self, writes: &[Write]) -> Result<(), StoreError> {
        self.commit_as(writes, true)
    }

    /// The same, but they are only with the operating system when it returns: nothing that
    /// happens to this process can undo them, a loss of power can. It undoes the last commits
    /// only, never one before another that stays, and none before the last [`Database::commit`]
    /// or [`Database::sync`].
    pub fn commit_unsynced(&self, writes: &[Write]) -> Result<(), StoreError> {
        self.commit_as(writes, false)
    }

    /// When it returns, all that was committed is on the disk. Free where it is already.
    pub fn sync(&self) -> Result<(), StoreError> {
        let mut state = self.lock();
        if !state.unsynced {
            return Ok(());
        }
        state.set_syncs(true)?;
        // SQLite syncs the log when it commits something, so the schema's number is written again.
        schema::write_version(&state.connection).map_err(store_error)?;
        state.unsynced = false;
        state.prepare_unsynced();
        Ok(())
    }

    fn commit_as(&self, writes: &[Write], synced: bool) -> Result<(), StoreError> {
        if writes.is_empty() {
            return if synced { self.sync() } else { Ok(()) };
        }
        let mut state = self.lock();
        state.set_syncs(synced)?;
        state.hurried |= !synced;
        let State { connection, tables, .. } = &mut *state;
        let mut made = Tables::new();
        // One statement is a transaction by itself.
        let alone = matches!(writes, [Write::Put { space, .. }] if tables.contains_key(*space));
        let transaction = match alone {
            true => None,
            false => Some(Transaction::begin(connection).map_err(store_error)?),
        };
        for write in writes {
            match write {
                Write::Put { space, key, value } => {
                    if !tables.contains_key(*space) && !made.contains_key(*space) {
                        made.insert((*space).to_owned(), table::create(connection, space)?);
                    }
                    if let Some(table) = tables.get(*space).or_else(|| made.get(*space)) {
                        self.put(connection, table, space, key, value)?;
                    }
                }
                Write::Delete { space, key } => {
                    if let Some(table) = tables.get(*space).or_else(|| made.get(*space)) {
                        let mut statement =
                            connection.prepare_cached(&table.delete).map_err(store_error)?;
                        statement.execute([key]).map_err(store_error)?;
                    }
                }
            }
        }
        transaction.map_or(Ok(()), Transaction::commit).map_err(store_error)?;
        tables.append(&mut made);
        state.unsynced = !synced;
        if synced {
            state.prepare_unsynced();
        }
        Ok(())
    }

    /// Moves the write-ahead log into the database and empties it, so that what was deleted is
    /// gone from both files. Worth doing now and then; a commit never needs it.
    pub fn checkpoint(&self) -> Result<(), StoreError> {
        let state = self.lock();
        state
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .map_err(store_error)
    }

    fn put(
        &self,
        connection: &Connection,
        table: &Table,
        space: Space,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), StoreError> {
        let mut statement = connection.prepare_cached(&table.put).map_err(store_error)?;
        let done = match &self.0.key {
            Some(secret) => {
                let sealed =
                    secret.seal(space, key, value).map_err(|e| StoreError(e.to_string()))?;
                statement.execute((key, sealed))
            }
            None => statement.execute((key, value)),
        };
        done.map(|_| ()).map_err(store_error)
    }

    /// The value in column `column` of a row found under `key`.
    fn value(
        &self,
        space: Space,
        key: &[u8],
        row: &Row<'_>,
        column: usize,
    ) -> rusqlite::Result<Result<Value, KeyError>> {
        let stored = row.get_ref(column)?.as_blob()?;
        Ok(match &self.0.key {
            Some(secret) => secret.open(space, key, stored),
            None => Ok(Zeroizing::new(stored.to_vec())),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A transaction that a panic cut short was rolled back when it was dropped.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn set_syncs(&mut self, syncs: bool) -> Result<(), StoreError> {
        if self.syncs != syncs {
            file::set_syncs(&self.connection, syncs).map_err(store_error)?;
            self.syncs = syncs;
        }
        Ok(())
    }

    /// Whoever commits without a sync is in a hurry, so the change is made before. Every commit
    /// changes it to what it needs: where this fails, the next one does it.
    fn prepare_unsynced(&mut self) {
        if self.hurried {
            let _ = self.set_syncs(false);
        }
    }
}

impl Store for Database {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Value>, StoreError> {
        table::check(space)?;
        let state = self.lock();
        let Some(table) = state.tables.get(space) else { return Ok(None) };
        let mut statement = state.connection.prepare_cached(&table.get).map_err(store_error)?;
        let found = statement
            .query_row([key], |row| self.value(space, key, row, 0))
            .optional()
            .map_err(store_error)?;
        found.transpose().map_err(|error| damaged(space, error))
    }

    fn scan(
        &self,
        space: Space,
        prefix: &[u8],
        from: &[u8],
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Value)>, StoreError> {
        table::check(space)?;
        let state = self.lock();
        let Some(table) = state.tables.get(space) else { return Ok(Vec::new()) };
        let mut statement = state.connection.prepare_cached(&table.scan).map_err(store_error)?;
        let mut rows = statement.query([prefix.max(from)]).map_err(store_error)?;
        let mut entries = Vec::new();
        while entries.len() < limit {
            let Some(row) = rows.next().map_err(store_error)? else { break };
            let key: Vec<u8> = row.get(0).map_err(store_error)?;
            if !key.starts_with(prefix) {
                break;
            }
            let value = self.value(space, &key, row, 1).map_err(store_error)?;
            entries.push((key, value.map_err(|error| damaged(space, error))?));
        }
        Ok(entries)
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").finish_non_exhaustive()
    }
}

fn store_error(error: rusqlite::Error) -> StoreError {
    StoreError(error.to_string())
}

fn damaged(space: Space, error: KeyError) -> StoreError {
    StoreError(format!("an entry of {space}: {error}"))
}

#[cfg(test)]
mod tests;
