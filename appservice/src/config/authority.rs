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
    /// In a PKCS #11 token.
    Token(Token),
}

/// `[authority.pkcs11]`: a key in a token.
#[derive(Clone, Debug)]
pub struct Token {
    /// The library that speaks with it.
    pub module: PathBuf,
    /// Its label.
    pub token: String,
    /// The label of the private key, and of the public one.
    pub key: String,
    /// A file with the user's PIN.
    pub pin_file: PathBuf,
}

impl Authority {
    /// Reads the section; relative paths start in `folder`.
    pub(super) fn read(table: Table, folder: &Path, faults: &mut Vec<Fault>) -> Option<Self> {
        let mut section = Section::new("authority", table, faults);
        let chain = section.take("chain", value::path);
        let key = match section.take_section("pkcs11") {
            Some(token) => {
                section.finish();
                KeyPlace::Token(Token::read(token, folder, faults)?)
            }
            None => {
                let key = section.take("key", value::path);
                section.finish();
                KeyPlace::File(folder.join(key?))
            }
        };
        Some(Self { chain: folder.join(chain?), key })
    }
}

impl Token {
    fn read(table: Table, folder: &Path, faults: &mut Vec<Fault>) -> Option<Self> {
        let mut section = Section::new("authority.pkcs11", table, faults);
        let module = section.take("module", value::path);
        let token = section.take("token", value::label);
        let key = section.take("key", value::label);
        let pin_file = section.take("pin_file", value::path);
        section.finish();
        let (module, pin_file) = (folder.join(module?), folder.join(pin_file?));
        Some(Self { module, token: token?, key: key?, pin_file })
    }
}
