//! `[authority]`: what the operator gives to sign certificates with. Only where things lie is read
//! here; what lies there, by [`crate::authority`].

use std::path::{Path, PathBuf};

use toml::Table;

use super::section::Section;
use super::{Fault, value};

/// `[authority]`: certificates, and where the key of the first one is.
#[derive(Debug)]
pub struct Authority {
    /// PEM: the key's own certificate first, the root last.
    pub chain: PathBuf,
    /// The key of the first certificate.
    pub key: KeyPlace,
}

/// Where the authority's key is.
#[derive(Debug)]
pub enum KeyPlace {
    /// A PEM file with a PKCS #8 key.
    File(PathBuf),
}

impl Authority {
    /// Reads the section; relative paths start in `folder`.
    pub(super) fn read(table: Table, folder: &Path, faults: &mut Vec<Fault>) -> Option<Self> {
        let mut section = Section::new("authority", table, faults);
        let chain = section.take("chain", value::path);
        let key = section.take("key", value::path);
        section.finish();
        Some(Self { chain: folder.join(chain?), key: KeyPlace::File(folder.join(key?)) })
    }
}
