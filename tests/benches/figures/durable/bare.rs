//! What bare mls-rs takes for a message, and the disk for a row: what ours is compared with.

use std::time::Instant;

use mls_core::store::Write;

use super::{MESSAGES, WARM_UP, content};
use crate::peer;
use crate::spread::Spread;
use crate::world::{folder, member_database, now_ms};

/// By mls-rs alone.
pub(super) struct Bare {
    pub(super) encrypt: Spread,
    pub(super) decrypt: Spread,
    /// Right after a row was synced, as our member's messages are.
    pub(super) encrypt_after_sync: Spread,
    pub(super) decrypt_after_sync: Spread,
    pub(super) encrypt_and_write: Spread,
    pub(super) decrypt_and_write: Spread,
}

pub(super) fn measure_bare(members: usize) -> Bare {
    let folder = folder();
    let databases = ["sender.db", "receiver.db"].map(|name| member_database(folder.path(), name));
    let other = member_database(folder.path(), "other.db");
    let (mut sender, mut receiver) = peer::pair(members, databases, now_ms());
    let mut turn = |between: &dyn Fn(), write: bool| {
        let content = content();
        between();
        let begin = Instant::now();
        let message = sender.encrypt(&content);
        if write {
            sender.write();
        }
        let encrypted = begin.elapsed();
        between();
        let begin = Instant::now();
        let read = receiver.decrypt(&message);
        if write {
            receiver.write();
        }
        assert_eq!(read, content);
        (encrypted, begin.elapsed())
    };
    let mut rounds = |between: &dyn Fn(), write| {
        let times = (0..WARM_UP + MESSAGES).map(|_| turn(between, write));
        let (encrypt, decrypt) = times.skip(WARM_UP).unzip();
        (Spread::of(encrypt), Spread::of(decrypt))
    };
    let (encrypt, decrypt) = rounds(&|| (), false);
    let (encrypt_after_sync, decrypt_after_sync) =
        rounds(&|| other.commit(&[small_row(0)]).unwrap(), false);
    let (encrypt_and_write, decrypt_and_write) = rounds(&|| (), true);
    Bare {
        encrypt,
        decrypt,
        encrypt_after_sync,
        decrypt_after_sync,
        encrypt_and_write,
        decrypt_and_write,
    }
}

/// What every durable thing costs at least: one small row in one transaction.
pub(super) fn measure_row() -> Spread {
    let folder = folder();
    let database = member_database(folder.path(), "rows.db");
    let write = |number: usize| {
        let row = small_row(number);
        let begin = Instant::now();
        database.commit(&[row]).unwrap();
        begin.elapsed()
    };
    Spread::of((0..MESSAGES).map(write).collect())
}

fn small_row(number: usize) -> Write {
    let key = number.to_be_bytes().to_vec();
    Write::Put { space: "row", key, value: vec![7; 200].into() }
}
