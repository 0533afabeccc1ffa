//! What a database promises: durable, ordered, all or nothing, private, and used by one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::{Database, Key, OpenError, Role, SCHEMA_VERSION};
use mls_core::store::{Store, Write};
use tempfile::TempDir;

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    (folder, path)
}

fn key() -> Option<Key> {
    Some(Key::from_bytes(&[7; 32]).unwrap())
}

fn put(space: &'static str, key: &[u8], value: &[u8]) -> Write {
    Write::Put { space, key: key.to_vec(), value: value.to_vec().into() }
}

fn delete(space: &'static str, key: &[u8]) -> Write {
    Write::Delete { space, key: key.to_vec() }
}

fn get(database: &Database, space: &'static str, key: &[u8]) -> Option<Vec<u8>> {
    database.get(space, key).unwrap().map(|value| value.to_vec())
}

/// Whether any file of the folder holds `needle`.
fn on_disk(folder: &Path, needle: &[u8]) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        bytes.windows(needle.len()).any(|window| window == needle)
    })
}

#[test]
fn what_was_committed_is_there_after_opening_again() {
    for secret in [false, true] {
        let key = || if secret { key() } else { None };
        let (_folder, path) = folder();
        let database = Database::open(&path, Role::Member, key()).unwrap();
        database.commit(&[put("a", b"k", b"one"), put("b", b"k", b"two")]).unwrap();
        database.commit(&[put("a", b"k", b"three"), delete("b", b"k")]).unwrap();
        drop(database);
        let database = Database::open(&path, Role::Member, key()).unwrap();
        assert_eq!(get(&database, "a", b"k").unwrap(), b"three");
        assert_eq!(get(&database, "b", b"k"), None);
        assert_eq!(get(&database, "never_used", b"k"), None);
    }
}

#[test]
fn a_copy_taken_without_closing_holds_every_commit() {
    let (folder, path) = folder();
    let database = Database::open(&path, Role::Hub, None).unwrap();
    for n in 0..50u8 {
        database.commit(&[put("log", &[n], &[n; 100])]).unwrap();
    }
    // What a process that was killed leaves behind: the files as they are now.
    let copy = folder.path().join("copy.db");
    fs::copy(&path, &copy).unwrap();
    fs::copy(folder.path().join("state.db-wal"), folder.path().join("copy.db-wal")).unwrap();
    let copy = Database::open(&copy, Role::Hub, None).unwrap();
    for n in 0..50u8 {
        assert_eq!(get(&copy, "log", &[n]).unwrap(), [n; 100]);
    }
}

#[test]
fn a_log_that_lost_its_end_holds_a_commit_only_with_all_before_it() {
    let (folder, path) = folder();
    let database = Database::open(&path, Role::Member, key()).unwrap();
    database.commit(&[put("log", &[0], &[0; 100])]).unwrap();
    let log = folder.path().join("state.db-wal");
    let synced = fs::metadata(&log).unwrap().len();
    for n in 1..6u8 {
        database.commit_unsynced(&[put("log", &[n], &[n; 3000])]).unwrap();
    }
    let end = fs::metadata(&log).unwrap().len();
    // What a loss of power may leave behind; at the end, what the end of the process does.
    let mut kept = 0;
    for length in (synced..=end).step_by(1024).chain([end]) {
        let copy = folder.path().join("copy.db");
        let copied_log = folder.path().join("copy.db-wal");
        fs::copy(&path, &copy).unwrap();
        fs::copy(&log, &copied_log).unwrap();
        fs::OpenOptions::new().write(true).open(&copied_log).unwrap().set_len(length).unwrap();
        let copy = Database::open(&copy, Role::Member, key()).unwrap();
        let found = (0..6u8).take_while(|n| get(&copy, "log", &[*n]).is_some()).count();
        assert!((found..6).all(|n| get(&copy, "log", &[n as u8]).is_none()), "a gap at {length}");
        assert!(found >= kept.max(1), "{found} at {length}");
        kept = found;
    }
    assert_eq!(kept, 6);
}

#[test]
fn only_an_unsynced_commit_is_not_synced() {
    let (_folder, path) = folder();
    let database = Database::open(&path, Role::Member, None).unwrap();
    let state = || {
        let state = database.lock();
        let level: u32 =
            state.connection.pragma_query_value(None, "synchronous", |row| row.get(0)).unwrap();
        (level == 2, state.unsynced)
    };
    let write = [put("a", b"k", b"v")];
    assert_eq!(state(), (true, false));
    for (commit, then) in [
        (Database::commit_unsynced as fn(&Database, &[Write]) -> _, (false, true)),
        (Database::commit, (true, false)),
        (Database::commit_unsynced, (false, true)),
        (|database: &Database, _: &[Write]| database.sync(), (true, false)),
        (Database::commit_unsynced, (false, true)),
        (|database: &Database, _: &[Write]| database.commit(&[]), (true, false)),
    ] {
        commit(&database, &write).unwrap();
        assert_eq!(state(), then);
        // Otherwise the next synced commit would leave the level that it did not have.
        database.lock().hurried = false;
    }
    database.commit_unsynced(&write).unwrap();
    database.commit(&write).unwrap();
    assert_eq!(state(), (false, false), "ready for the next in a hurry");
}

#[test]
fn a_commit_that_fails_changes_nothing_and_the_next_one_works() {
    let (_folder, path) = folder();
    let database = Database::open(&path, Role::Hub, None).unwrap();
    database.commit(&[put("a", b"k", b"old")]).unwrap();
    for name in ["", "Bad", "bad name", "x\";--", "sqlite_x", "key-check"] {
        let writes = [put("a", b"k", b"new"), put("fresh", b"k", b"v"), put(name, b"k", b"v")];
        assert!(database.commit(&writes).is_err(), "{name:?}");
        assert!(database.get(name, b"k").is_err(), "{name:?}");
        assert!(database.scan(name, b"", b"", 1).is_err(), "{name:?}");
    }
    assert_eq!(get(&database, "a", b"k").unwrap(), b"old");
    assert_eq!(get(&database, "fresh", b"k"), None);
    database.commit(&[put("fresh", b"k", b"v")]).unwrap();
    assert_eq!(get(&database, "fresh", b"k").unwrap(), b"v");
}

#[test]
fn a_scan_is_in_key_order_within_its_prefix_and_limit() {
    let (_folder, path) = folder();
    let database = Database::open(&path, Role::Member, key()).unwrap();
    let keys: [&[u8]; 6] = [b"b", b"a\xff", b"a", b"a\x00", b"a1", b"\xff\xff"];
    let writes: Vec<Write> = keys.iter().map(|key| put("s", key, key)).collect();
    database.commit(&writes).unwrap();
    let check = |prefix: &[u8], from: &[u8], limit, expected: &[&[u8]]| {
        let found = database.scan("s", prefix, from, limit).unwrap();
        assert!(found.iter().all(|(key, value)| *key == **value));
        let found: Vec<&[u8]> = found.iter().map(|(key, _)| key.as_slice()).collect();
        assert_eq!(found, expected, "{prefix:?} {from:?} {limit}");
    };
    check(b"", b"", 9, &[b"a", b"a\x00", b"a1", b"a\xff", b"b", b"\xff\xff"]);
    check(b"a", b"", 9, &[b"a", b"a\x00", b"a1", b"a\xff"]);
    check(b"a", b"a1", 9, &[b"a1", b"a\xff"]);
    check(b"a", b"", 2, &[b"a", b"a\x00"]);
    check(b"a", b"b", 9, &[]);
    check(b"\xff", b"", 9, &[b"\xff\xff"]);
    check(b"c", b"", 9, &[]);
    check(b"", b"", 0, &[]);
}

#[test]
fn a_deleted_secret_is_gone_from_the_files_after_a_checkpoint() {
    let (folder, path) = folder();
    let database = Database::open(&path, Role::Hub, None).unwrap();
    let small = [0xA5; 48];
    let large = [0x5A; 9000];
    database
        .commit(&[put("k", b"1", &small), put("k", b"2", &large), put("k", b"3", b"x")])
        .unwrap();
    assert!(on_disk(folder.path(), &small) && on_disk(folder.path(), &large[..48]));
    database.checkpoint().unwrap();
    database.commit(&[delete("k", b"1"), delete("k", b"2")]).unwrap();
    database.checkpoint().unwrap();
    assert!(!on_disk(folder.path(), &small) && !on_disk(folder.path(), &large[..48]));
    assert_eq!(get(&database, "k", b"3").unwrap(), b"x");
}

#[test]
fn with_a_key_no_value_lies_in_clear_and_only_that_key_opens_the_file() {
    let (folder, path) = folder();
    let database = Database::open(&path, Role::Member, key()).unwrap();
    database.commit(&[put("k", b"1", b"a secret of an epoch")]).unwrap();
    assert!(!on_disk(folder.path(), b"a secret of an epoch"));
    drop(database);
    let other = Some(Key::from_bytes(&[8; 32]).unwrap());
    for key in [None, other] {
        let refused = Database::open(&path, Role::Member, key);
        assert!(matches!(refused, Err(OpenError::WrongKey)), "{refused:?}");
    }
    assert!(Database::open(&path, Role::Member, key()).is_ok());
}

#[test]
fn a_file_made_without_a_key_does_not_open_with_one() {
    let (_folder, path) = folder();
    drop(Database::open(&path, Role::Hub, None).unwrap());
    let refused = Database::open(&path, Role::Hub, key());
    assert!(matches!(refused, Err(OpenError::WrongKey)), "{refused:?}");
}

#[test]
fn a_newer_schema_the_other_role_and_foreign_files_are_refused() {
    let (folder, path) = folder();
    drop(Database::open(&path, Role::Hub, None).unwrap());
    let refused = Database::open(&path, Role::Member, None);
    assert!(matches!(refused, Err(OpenError::WrongRole { .. })), "{refused:?}");

    let raw = rusqlite::Connection::open(&path).unwrap();
    raw.pragma_update(None, "user_version", SCHEMA_VERSION + 1).unwrap();
    drop(raw);
    let refused = Database::open(&path, Role::Hub, None);
    let newer = SCHEMA_VERSION + 1;
    assert!(
        matches!(refused, Err(OpenError::NewerSchema { found, .. }) if found == newer),
        "{refused:?}"
    );

    let foreign = folder.path().join("foreign.db");
    let raw = rusqlite::Connection::open(&foreign).unwrap();
    raw.execute_batch("CREATE TABLE theirs (a)").unwrap();
    drop(raw);
    let refused = Database::open(&foreign, Role::Hub, None);
    assert!(matches!(refused, Err(OpenError::WrongRole { .. })), "{refused:?}");

    let text = folder.path().join("text");
    fs::write(&text, "not a database, ".repeat(100)).unwrap();
    let refused = Database::open(&text, Role::Hub, None);
    assert!(matches!(refused, Err(OpenError::Sqlite(_))), "{refused:?}");
    let refused = Database::open(&folder.path().join("no/such/folder"), Role::Hub, None);
    assert!(matches!(refused, Err(OpenError::File { .. })), "{refused:?}");
}

#[test]
fn a_second_opening_is_refused_until_the_last_clone_is_gone() {
    let (_folder, path) = folder();
    let first = Database::open(&path, Role::Hub, None).unwrap();
    let clone = first.clone();
    drop(first);
    let refused = Database::open(&path, Role::Hub, None);
    assert!(matches!(refused, Err(OpenError::InUse { .. })), "{refused:?}");
    clone.commit(&[put("a", b"k", b"v")]).unwrap();
    drop(clone);
    assert!(Database::open(&path, Role::Hub, None).is_ok());
}

#[test]
fn the_files_are_private_even_when_they_were_not_before() {
    let (folder, path) = folder();
    fs::write(&path, b"").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let database = Database::open(&path, Role::Hub, None).unwrap();
    database.commit(&[put("a", b"k", b"v")]).unwrap();
    for entry in fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", entry.path());
    }
}
