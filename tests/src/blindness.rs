//! Looks for plaintexts in everything that servers and the bridge have written.
//!
//! Each plaintext is looked for as it is, in hex (both cases) and in base64 (each of the three
//! alignments, both alphabets). Every file is searched as bytes, with SQLite's `-wal` files; every
//! SQLite database also value by value, because a long value is cut into pages in the file.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use rusqlite::Connection;
use rusqlite::types::ValueRef;

use crate::deadline::{STOP, until};
use crate::error::RigError;

/// A plaintext shorter than this is refused: it could turn up by chance.
pub const PLAINTEXT_BYTES_MIN: usize = 12;

const WINDOW: usize = 8;
const FILTER_BITS: usize = 1 << 16;

/// What was looked through, and what was found.
#[derive(Debug, Default)]
pub struct Search {
    /// Number of files.
    pub files: usize,
    /// Bytes in them, and in the values of databases.
    pub bytes: u64,
    /// Where a plaintext was found.
    pub hits: Vec<Hit>,
}

/// A plaintext where none may be.
#[derive(Debug, PartialEq, Eq)]
pub struct Hit {
    /// The file.
    pub file: PathBuf,
    /// The plaintext.
    pub plaintext: String,
    /// In what form it was there.
    pub form: &'static str,
}

/// Looks for `plaintexts` in all files under `folders`.
pub fn search(folders: &[&Path], plaintexts: &[String]) -> Result<Search, RigError> {
    let named = |text: &String| (text.clone(), text.as_bytes().to_vec());
    search_bytes(folders, &plaintexts.iter().map(named).collect::<Vec<_>>())
}

/// Looks for bytes, each with a name for people, in all files under `folders`.
pub fn search_bytes(folders: &[&Path], wanted: &[(String, Vec<u8>)]) -> Result<Search, RigError> {
    let needles = Needles::new(wanted)?;
    let mut search = Search::default();
    let mut open: Vec<PathBuf> = folders.iter().map(|folder| folder.to_path_buf()).collect();
    while let Some(folder) = open.pop() {
        let entries = fs::read_dir(&folder).map_err(RigError::file("list", &folder))?;
        for entry in entries.flatten() {
            let path = entry.path();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => open.push(path),
                Ok(kind) if kind.is_file() => search.look_into(&path, &needles)?,
                _ => {}
            }
        }
    }
    Ok(search)
}

impl Search {
    fn look_into(&mut self, path: &Path, needles: &Needles) -> Result<(), RigError> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            // Servers remove their temporary files while we look.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(RigError::file("read", path)(e)),
        };
        self.files += 1;
        self.look_at(&bytes, path, needles);
        if bytes.starts_with(b"SQLite format 3\0") {
            self.look_into_database(path, needles)?;
        }
        Ok(())
    }

    /// In a copy, because the bridge keeps its database to itself. A copy of a database that is
    /// being written may be torn: then another one is taken.
    fn look_into_database(&mut self, path: &Path, needles: &Needles) -> Result<(), RigError> {
        let folder = tempfile::tempdir().map_err(RigError::io("cannot make a folder"))?;
        let copy = folder.path().join("copy.db");
        let mut last = String::new();
        let look = || {
            copy_database(path, &copy)?;
            let values = read_values(&copy, |value| self.look_at(value, path, needles));
            Ok(values.map_err(|error| last = error.to_string()).ok())
        };
        let what = format!("the database {} can be searched", path.display());
        until(&what, STOP, look, String::new)
            .map_err(|error| RigError::Answer(format!("{error}{last}")))
    }

    fn look_at(&mut self, bytes: &[u8], path: &Path, needles: &Needles) {
        self.bytes += bytes.len() as u64;
        for (plaintext, form) in needles.find(bytes) {
            let hit = Hit { file: path.to_owned(), plaintext: plaintext.to_owned(), form };
            if !self.hits.contains(&hit) {
                self.hits.push(hit);
            }
        }
    }
}

fn copy_database(path: &Path, copy: &Path) -> Result<(), RigError> {
    for ending in ["", "-wal"] {
        let with_ending = |path: &Path| PathBuf::from(format!("{}{ending}", path.display()));
        match fs::copy(with_ending(path), with_ending(copy)) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(RigError::file("copy", path)(e));
            }
            _ => {}
        }
    }
    Ok(())
}

/// All texts and blobs of one table in the SQLite databases of a folder.
pub fn values_of(folder: &Path, table: &str) -> Result<Vec<Vec<u8>>, RigError> {
    let mut values = Vec::new();
    let entries = fs::read_dir(folder).map_err(RigError::file("list", folder))?;
    for path in entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()) {
        let bytes = fs::read(&path).map_err(RigError::file("read", &path))?;
        if bytes.starts_with(b"SQLite format 3\0") {
            let copies = tempfile::tempdir().map_err(RigError::io("cannot make a folder"))?;
            let copy = copies.path().join("copy.db");
            copy_database(&path, &copy)?;
            let database = Connection::open(&copy);
            let read = database
                .and_then(|db| read_table(&db, table, &mut |value| values.push(value.to_vec())));
            read.map_err(|error| RigError::Answer(format!("{}: {error}", path.display())))?;
        }
    }
    Ok(values)
}

/// Hands every text and every blob of every table to `look_at`.
fn read_values(path: &Path, mut look_at: impl FnMut(&[u8])) -> rusqlite::Result<()> {
    let database = Connection::open(path)?;
    let mut names = database.prepare(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'",
    )?;
    let tables: Vec<String> = names.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    tables.iter().try_for_each(|table| read_table(&database, table, &mut look_at))
}

fn read_table(
    database: &Connection,
    table: &str,
    look_at: &mut impl FnMut(&[u8]),
) -> rusqlite::Result<()> {
    let mut rows = database.prepare(&format!("SELECT * FROM \"{table}\""))?;
    let columns = rows.column_count();
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        for column in 0..columns {
            if let ValueRef::Text(value) | ValueRef::Blob(value) = row.get_ref(column)? {
                look_at(value);
            }
        }
    }
    Ok(())
}

struct Needle {
    bytes: Vec<u8>,
    plaintext: String,
    form: &'static str,
}

/// All forms of all plaintexts, found by their first eight bytes.
struct Needles {
    by_start: HashMap<u64, Vec<Needle>>,
    filter: Vec<bool>,
}

impl Needles {
    fn new(wanted: &[(String, Vec<u8>)]) -> Result<Self, RigError> {
        let mut needles = Self { by_start: HashMap::new(), filter: vec![false; FILTER_BITS] };
        for (plaintext, bytes) in wanted {
            if bytes.len() < PLAINTEXT_BYTES_MIN {
                return Err(RigError::Answer(format!("{plaintext:?} is too short to look for")));
            }
            needles.insert(bytes.clone(), plaintext, "as it is");
            needles.insert(hex::encode(bytes).into_bytes(), plaintext, "in hex");
            needles.insert(hex::encode_upper(bytes).into_bytes(), plaintext, "in hex");
            for shift in 0..3 {
                for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
                    let text = engine.encode([&[0; 3][..shift], bytes].concat());
                    // The first and last characters hold bits of what stands beside the plaintext.
                    let start = (shift * 8).div_ceil(6);
                    let end = (shift + bytes.len()) * 8 / 6;
                    let inner = text.get(start..end).unwrap_or_default();
                    needles.insert(inner.as_bytes().to_vec(), plaintext, "in base64");
                }
            }
        }
        Ok(needles)
    }

    fn insert(&mut self, bytes: Vec<u8>, plaintext: &str, form: &'static str) {
        let start = bytes.iter().take(WINDOW).fold(0, |all, byte| push(all, *byte));
        if let Some(slot) = self.filter.get_mut(slot(start)) {
            *slot = true;
        }
        let needle = Needle { bytes, plaintext: plaintext.to_owned(), form };
        self.by_start.entry(start).or_default().push(needle);
    }

    fn find<'a>(&'a self, bytes: &[u8]) -> Vec<(&'a str, &'static str)> {
        let mut found = Vec::new();
        let mut window = 0;
        for (at, byte) in bytes.iter().enumerate() {
            window = push(window, *byte);
            if !self.filter.get(slot(window)).copied().unwrap_or(true) {
                continue;
            }
            let rest = bytes.get((at + 1).saturating_sub(WINDOW)..).unwrap_or_default();
            for needle in self.by_start.get(&window).into_iter().flatten() {
                if rest.starts_with(&needle.bytes) {
                    found.push((needle.plaintext.as_str(), needle.form));
                }
            }
        }
        found
    }
}

fn push(window: u64, byte: u8) -> u64 {
    (window << 8) | u64::from(byte)
}

fn slot(window: u64) -> usize {
    // The top 16 bits of a multiplicative hash are a slot of the filter.
    usize::try_from(window.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 48).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

    use super::search;

    const TEXT: &str = "tea?>at the ~harbour~ at five";

    fn check(content: &[u8], expected: Option<&str>) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("deep")).unwrap();
        std::fs::write(folder.path().join("deep/file"), content).unwrap();
        let search = search(&[folder.path()], &[TEXT.to_owned()]).unwrap();
        assert_eq!(search.files, 1);
        assert_eq!(search.hits.first().map(|hit| hit.form), expected);
    }

    #[test]
    fn a_plaintext_is_found_in_each_form_and_alignment() {
        check(format!("log: {TEXT}.").as_bytes(), Some("as it is"));
        check(hex::encode(TEXT).as_bytes(), Some("in hex"));
        check(hex::encode_upper(format!("ab{TEXT}cd")).as_bytes(), Some("in hex"));
        for before in ["", "a", "ab", "abc"] {
            let text = format!("{before}{TEXT}x");
            check(STANDARD.encode(&text).as_bytes(), Some("in base64"));
            check(URL_SAFE_NO_PAD.encode(&text).as_bytes(), Some("in base64"));
        }
    }

    #[test]
    fn other_content_is_no_hit() {
        check(b"tea at the harbour at six, and much else besides", None);
        check(b"", None);
    }

    #[test]
    fn a_plaintext_that_is_cut_into_pages_of_a_database_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let database = rusqlite::Connection::open(folder.path().join("a.db")).unwrap();
        database.execute_batch("CREATE TABLE t (v TEXT)").unwrap();
        // The overflow of a long value starts somewhere inside; one of these straddles it.
        for before in 0..32 {
            let value = format!("{}{TEXT}{}", "x".repeat(4000 + before), "y".repeat(6000));
            database.execute("INSERT INTO t VALUES (?1)", [value]).unwrap();
        }
        drop(database);
        let search = search(&[folder.path()], &[TEXT.to_owned()]).unwrap();
        assert_eq!(search.hits.len(), 1);
    }

    #[test]
    fn a_short_plaintext_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(search(&[folder.path()], &["tea".to_owned()]).is_err());
    }
}
