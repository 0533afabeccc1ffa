//! Writing a file that nobody else may read.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::InitError;

/// Writes `text` to `path` with mode 0600. What was there goes only with `force`, and whole: the
/// new file takes its place, so that neither its mode nor a half-written text stays behind.
pub(crate) fn write_private(path: &Path, text: &str, force: bool) -> Result<(), InitError> {
    let error = |source| InitError::File { what: "write", path: path.to_owned(), source };
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = Path::new(&part);
    match fs::remove_file(part) {
        Err(source) if source.kind() != ErrorKind::NotFound => return Err(error(source)),
        _ => {}
    }
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(part)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
    // A hard link fails where a file is there, a rename does not.
    let placed = written.and_then(|()| match force {
        true => fs::rename(part, path),
        false => fs::hard_link(part, path).and_then(|()| fs::remove_file(part)),
    });
    placed.map_err(|source| {
        // Best effort: the error that is reported is the first one.
        let _ = fs::remove_file(part);
        match source.kind() {
            ErrorKind::AlreadyExists => InitError::Exists(path.to_owned()),
            _ => error(source),
        }
    })
}
