//! What an authority that runs alone writes for the delivery service. Each file takes the place of the former one
//! whole.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::limits::REVOKED_LIST_AGAIN;

/// The roots, PEM.
pub const ROOTS: &str = "roots.pem";
/// Who is revoked, signed.
pub const REVOKED: &str = "revoked.list";
/// Characters of a line in PEM (RFC 7468 2).
const PEM_LINE: usize = 64;

/// Writes into one folder.
#[derive(Debug)]
pub struct Publisher {
    folder: PathBuf,
    /// When the list was written last.
    written: Option<Instant>,
}

impl Publisher {
    /// Makes the folder where it is missing, and writes the roots (X.509, DER).
    pub fn start(folder: &Path, roots: &[Vec<u8>]) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let pem: String = roots.iter().map(|root| pem(root)).collect();
        put(&folder.join(ROOTS), pem.as_bytes())?;
        Ok(Self { folder: folder.to_owned(), written: None })
    }

    /// Whether the list is old, or was never written.
    pub fn is_due(&self) -> bool {
        self.written.is_none_or(|written| written.elapsed() >= REVOKED_LIST_AGAIN)
    }

    /// The list says too little, until it is written.
    pub fn outdate(&mut self) {
        self.written = None;
    }

    /// Writes the list.
    pub fn write(&mut self, list: &[u8]) -> io::Result<()> {
        put(&self.folder.join(REVOKED), list)?;
        self.written = Some(Instant::now());
        Ok(())
    }
}

/// Whether what is for the delivery service lies in the folder, or can be written there.
pub fn publishes(folder: &Path) -> Result<String, String> {
    let shown = folder.display();
    if folder.join(REVOKED).exists() {
        return Ok(format!("{ROOTS} and {REVOKED} lie in {shown}, for the delivery service"));
    }
    let made = if folder.exists() { folder.is_dir() } else { true };
    let above = folder.parent().is_none_or(|above| above.as_os_str().is_empty() || above.is_dir());
    match made && above {
        true => {
            Ok(format!("{ROOTS} and {REVOKED} will be written into {shown} at the first start"))
        }
        false => Err(format!("{shown} is no folder and cannot become one; make the one above it")),
    }
}

/// The group may read it: the delivery service may be another system user.
fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let part = path.with_extension("part");
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o640).open(&part)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&part, path)
}

fn pem(der: &[u8]) -> String {
    let text: Vec<char> = STANDARD.encode(der).chars().collect();
    let lines = text.chunks(PEM_LINE).map(|line| line.iter().collect::<String>());
    let body = lines.collect::<Vec<_>>().join("\n");
    format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
}
