//! Whether a file's values were written with the key that it is opened with.

use rusqlite::{Connection, OptionalExtension};

use crate::schema::KEY_CHECK;
use crate::{Key, OpenError};

/// What the row of the key check says, under the same name.
const KEY_IS_RIGHT: &[u8] = b"the key is right";

/// The first opening notes whether there is a key, and which; every later one must agree.
pub(crate) fn check_key(connection: &Connection, key: Option<&Key>) -> Result<(), OpenError> {
    let noted: Option<Vec<u8>> = connection
        .query_row("SELECT value FROM \"key-check\" WHERE key = ?1", [KEY_IS_RIGHT], |row| {
            row.get(0)
        })
        .optional()?;
    match (noted, key) {
        (Some(noted), Some(key)) => {
            key.open(KEY_CHECK, KEY_IS_RIGHT, &noted).map_err(|_| OpenError::WrongKey)?;
        }
        (Some(noted), None) if noted == KEY_IS_RIGHT => {}
        (Some(_), None) => return Err(OpenError::WrongKey),
        (None, key) => {
            let note = match key {
                Some(key) => key.seal(KEY_CHECK, KEY_IS_RIGHT, KEY_IS_RIGHT)?,
                None => KEY_IS_RIGHT.to_vec(),
            };
            let insert = "INSERT INTO \"key-check\" (key, value) VALUES (?1, ?2)";
            connection.execute(insert, (KEY_IS_RIGHT, note))?;
        }
    }
    Ok(())
}
