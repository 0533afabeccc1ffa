//! The key that encrypts values at rest: AES-256-GCM, a random nonce a value, its place as
//! associated data, so that no value can be moved to another key or table unnoticed.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use thiserror::Error;
use zeroize::Zeroizing;

/// Length of a key, and of its file.
const KEY_BYTES: usize = 32;

/// A key for values at rest. Random nonces allow 2^32 writes under one key.
pub struct Key(RandomizedNonceKey);

/// A key that cannot be had, or a value that it does not open.
#[derive(Debug, Error)]
pub enum KeyError {
    /// The key file cannot be read or made.
    #[error("the key file {path}: {source}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The key file is not 32 bytes long, or other users may read it.
    #[error("the key file {path} {why}")]
    Unfit {
        /// The file.
        path: String,
        /// What is wrong, and what to do.
        why: &'static str,
    },
    /// A value was changed, or belongs to another key.
    #[error("a value does not open with this key")]
    Closed,
    /// The system's random numbers or its cryptography failed.
    #[error("encryption failed")]
    Crypto,
}

impl Key {
    /// From 32 bytes that the caller keeps secret.
    pub fn from_bytes(bytes: &[u8; KEY_BYTES]) -> Result<Self, KeyError> {
        RandomizedNonceKey::new(&AES_256_GCM, bytes).map(Self).map_err(|_| KeyError::Crypto)
    }

    /// From a file of mode 0600; makes one with a fresh key where there is none.
    pub fn load_or_create(path: &Path) -> Result<Self, KeyError> {
        let shown = || path.display().to_string();
        let file_error = |source| KeyError::File { path: shown(), source };
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
            Ok(mut file) => {
                let mut bytes = Zeroizing::new([0; KEY_BYTES]);
                aws_lc_rs::rand::fill(&mut *bytes).map_err(|_| KeyError::Crypto)?;
                file.write_all(&*bytes).and_then(|()| file.sync_all()).map_err(file_error)?;
                Self::from_bytes(&bytes)
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let mode = fs::metadata(path).map_err(file_error)?.permissions().mode();
                if mode & 0o077 != 0 {
                    let why = "may be read by other users; run chmod 600 on it";
                    return Err(KeyError::Unfit { path: shown(), why });
                }
                let bytes = Zeroizing::new(fs::read(path).map_err(file_error)?);
                let why = "must hold 32 bytes; without the right ones the database is lost";
                let bytes: &[u8; KEY_BYTES] = bytes
                    .as_slice()
                    .try_into()
                    .map_err(|_| KeyError::Unfit { path: shown(), why })?;
                Self::from_bytes(bytes)
            }
            Err(error) => Err(file_error(error)),
        }
    }

    /// `value` as nonce, ciphertext and tag; `table` and `place` are bound to it.
    pub(crate) fn seal(
        &self,
        table: &str,
        place: &[u8],
        value: &[u8],
    ) -> Result<Vec<u8>, KeyError> {
        let mut sealed = Vec::with_capacity(NONCE_LEN + value.len() + 16);
        sealed.extend_from_slice(&[0; NONCE_LEN]);
        sealed.extend_from_slice(value);
        let (head, body) = sealed.split_at_mut(NONCE_LEN);
        let (nonce, tag) = self
            .0
            .seal_in_place_separate_tag(bound_to(table, place), body)
            .map_err(|_| KeyError::Crypto)?;
        head.copy_from_slice(nonce.as_ref());
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// The value that [`Key::seal`] sealed for the same place.
    pub(crate) fn open(
        &self,
        table: &str,
        place: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let (nonce, body) = sealed.split_at_checked(NONCE_LEN).ok_or(KeyError::Closed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| KeyError::Closed)?;
        let mut value = Zeroizing::new(body.to_vec());
        let length = self
            .0
            .open_in_place(nonce, bound_to(table, place), &mut value)
            .map_err(|_| KeyError::Closed)?
            .len();
        value.truncate(length);
        Ok(value)
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(..)")
    }
}

/// A table's name holds no zero byte, so the two parts cannot run into each other.
fn bound_to(table: &str, place: &[u8]) -> Aad<Vec<u8>> {
    Aad::from([table.as_bytes(), &[0], place].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_opens_only_where_it_was_sealed_and_only_unchanged() {
        let key = Key::from_bytes(&[7; 32]).unwrap();
        let sealed = key.seal("epochs", b"one", b"secret").unwrap();
        assert_eq!(*key.open("epochs", b"one", &sealed).unwrap(), b"secret");
        assert!(!sealed.windows(6).any(|w| w == b"secret"));
        assert!(key.open("epochs", b"two", &sealed).is_err());
        assert!(key.open("groups", b"one", &sealed).is_err());
        assert!(Key::from_bytes(&[8; 32]).unwrap().open("epochs", b"one", &sealed).is_err());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(key.open("epochs", b"one", &changed).is_err(), "byte {at}");
        }
        assert!(key.open("epochs", b"one", &sealed[..5]).is_err());
    }

    #[test]
    fn a_key_file_is_made_once_private_and_refused_when_others_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let first = Key::load_or_create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let sealed = first.seal("a", b"b", b"c").unwrap();
        let again = Key::load_or_create(&path).unwrap();
        assert_eq!(*again.open("a", b"b", &sealed).unwrap(), b"c");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(Key::load_or_create(&path), Err(KeyError::Unfit { .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, b"short").unwrap();
        assert!(matches!(Key::load_or_create(&path), Err(KeyError::Unfit { .. })));
    }
}
