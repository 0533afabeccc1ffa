//! Files that hold a secret: read only while nobody else may read them.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use zeroize::Zeroizing;

use crate::limits::AUTHORITY_FILE_BYTES_MAX;

/// The bytes of a file that only its owner may read. The error says how to mend it.
pub(super) fn read_private(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let shown = path.display();
    let file = open(path)?;
    let mode = file.metadata().map_err(|error| format!("{shown}: {error}"))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(format!("others may read {shown}, which is secret; run chmod 600 {shown}"));
    }
    read(file, path)
}

/// The bytes of a file that everybody may read.
pub(super) fn read_public(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    read(open(path)?, path)
}

fn open(path: &Path) -> Result<File, String> {
    File::open(path).map_err(|error| format!("cannot open {}: {error}", path.display()))
}

fn read(file: File, path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(AUTHORITY_FILE_BYTES_MAX));
    let longest = u64::try_from(AUTHORITY_FILE_BYTES_MAX).unwrap_or(u64::MAX);
    let read = file.take(longest).read_to_end(&mut bytes);
    let shown = path.display();
    match read {
        Ok(count) if count < AUTHORITY_FILE_BYTES_MAX => Ok(bytes),
        Ok(_) => Err(format!("{shown} has {AUTHORITY_FILE_BYTES_MAX} bytes or more")),
        Err(error) => Err(format!("cannot read {shown}: {error}")),
    }
}
