//! The profile folder: one device's session, key, database and lock.
//!
//! ```text
//! DIR/session.json   how to reconnect, with an access token or a password; mode 0600
//! DIR/key            encrypts the database's values; mode 0600
//! DIR/member.db      the MLS state: keys, groups, what is still to be done and to be shown
//! DIR/lock           held by the one process that uses the profile
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use mls_core::address::ClientId;
use storage::{Database, Key, Role};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::session::{FILE_BYTES_MAX, Session};

const SESSION: &str = "session.json";
const KEY: &str = "key";
const DATABASE: &str = "member.db";
const LOCK: &str = "lock";

/// An open profile; no other process can open it until this is dropped.
#[derive(Debug)]
pub struct Profile {
    folder: PathBuf,
    session: Session,
    /// Held, never read: the lock goes when the file is closed, also when the process is killed.
    _lock: File,
}

/// A folder that is locked and has no session yet: what a login fills.
#[derive(Debug)]
pub struct EmptyProfile {
    folder: PathBuf,
    lock: File,
}

/// A profile that cannot be used; each says what to do.
#[derive(Debug, Error)]
pub enum ProfileError {
    /// The folder or a file in it cannot be read or written.
    #[error("the profile file {path}: {source}")]
    File {
        /// The file or folder.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// Another process uses it.
    #[error("the profile {0} is in use by another process; stop that one first")]
    InUse(String),
    /// Nobody has logged in here.
    #[error("the profile {0} has no session; run `mls-bot --profile {0} login` first")]
    NoSession(String),
    /// Somebody has logged in here before.
    #[error("the profile {0} is logged in as {1}; use another folder for another device")]
    LoggedIn(String, String),
    /// The session file is not one, or other users may read it.
    #[error("the session file {path} {why}")]
    Session {
        /// The file.
        path: String,
        /// What is wrong, and what to do.
        why: String,
    },
    /// The key file is missing beside a database, or is not the right one.
    #[error(transparent)]
    Key(#[from] storage::KeyError),
    /// The database does not open.
    #[error(transparent)]
    Database(#[from] storage::OpenError),
}

impl Profile {
    /// Opens the profile in `folder`, which a login has made.
    pub fn open(folder: &Path) -> Result<Self, ProfileError> {
        if !folder.join(SESSION).exists() {
            return Err(ProfileError::NoSession(shown(folder)));
        }
        let lock = lock(folder)?;
        let session = read_session(&folder.join(SESSION))?;
        Ok(Self { folder: folder.to_owned(), session, _lock: lock })
    }

    /// How to reconnect.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The device that this profile is.
    pub fn client(&self) -> &ClientId {
        self.session.client()
    }

    /// Opens the database; its values are encrypted with the profile's key.
    pub fn database(&self) -> Result<Database, ProfileError> {
        let (key, database) = (self.folder.join(KEY), self.folder.join(DATABASE));
        if database.exists() && !key.exists() {
            let source = io::Error::new(
                io::ErrorKind::NotFound,
                "the database cannot be read without it; restore it from where it went",
            );
            return Err(ProfileError::File { path: shown(&key), source });
        }
        let key = Key::load_or_create(&key)?;
        Ok(Database::open(&database, Role::Member, Some(key))?)
    }
}

impl EmptyProfile {
    /// Locks `folder`, which is made with mode 0700 if it is not there, for a login.
    pub fn prepare(folder: &Path) -> Result<Self, ProfileError> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(at(folder))?;
        let lock = lock(folder)?;
        let file = folder.join(SESSION);
        if file.exists() {
            let session = read_session(&file)?;
            return Err(ProfileError::LoggedIn(shown(folder), session.client().user().address()));
        }
        Ok(Self { folder: folder.to_owned(), lock })
    }

    /// Writes the session: whole or not at all.
    pub fn fill(self, session: Session) -> Result<Profile, ProfileError> {
        let (file, draft) = (self.folder.join(SESSION), self.folder.join("session.json.new"));
        let text = session.to_json();
        let write = || -> io::Result<()> {
            let _ = fs::remove_file(&draft);
            let mut new =
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
            new.write_all(&text)?;
            new.sync_all()?;
            fs::rename(&draft, &file)?;
            File::open(&self.folder)?.sync_all()
        };
        write().map_err(at(&file))?;
        Ok(Profile { folder: self.folder, session, _lock: self.lock })
    }
}

fn lock(folder: &Path) -> Result<File, ProfileError> {
    let path = folder.join(LOCK);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(at(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(ProfileError::InUse(shown(folder))),
        Err(TryLockError::Error(source)) => Err(at(&path)(source)),
    }
}

fn read_session(path: &Path) -> Result<Session, ProfileError> {
    let unfit = |why: &str| ProfileError::Session { path: shown(path), why: why.to_owned() };
    let metadata = fs::metadata(path).map_err(at(path))?;
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(unfit("may be read by other users; run chmod 600 on it"));
    }
    if metadata.len() > FILE_BYTES_MAX as u64 {
        return Err(unfit("is too large to be one; log in again in another folder"));
    }
    let text = Zeroizing::new(fs::read_to_string(path).map_err(at(path))?);
    Session::from_json(&text).map_err(|error| unfit(&error.to_string()))
}

fn at(path: &Path) -> impl Fn(io::Error) -> ProfileError {
    let path = shown(path);
    move |source| ProfileError::File { path: path.clone(), source }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Session {
        Session::from_json(
            r#"{"v":1,"network":"xmpp","user":"bob@example.org","device":"00112233445566ff",
                "server":null,"password":"hunter2","hub":"mls.example.org"}"#,
        )
        .unwrap()
    }

    fn mode(path: PathBuf) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_filled_profile_opens_again_and_its_files_are_private() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("deep/bob");
        drop(EmptyProfile::prepare(&folder).unwrap().fill(session()).unwrap());
        let profile = Profile::open(&folder).unwrap();
        assert_eq!(profile.client().as_str(), "xmpp:bob@example.org/00112233445566ff");
        drop(profile.database().unwrap());
        assert_eq!(mode(folder.clone()), 0o700);
        for file in [SESSION, KEY, DATABASE, LOCK] {
            assert_eq!(mode(folder.join(file)), 0o600, "{file}");
        }
    }

    #[test]
    fn a_profile_in_use_is_refused_until_it_is_let_go() {
        let folder = tempfile::tempdir().unwrap();
        let profile = EmptyProfile::prepare(folder.path()).unwrap().fill(session()).unwrap();
        assert!(matches!(Profile::open(folder.path()), Err(ProfileError::InUse(_))));
        drop(profile);
        assert!(Profile::open(folder.path()).is_ok());
    }

    #[test]
    fn a_second_login_does_not_overwrite_a_session() {
        let folder = tempfile::tempdir().unwrap();
        drop(EmptyProfile::prepare(folder.path()).unwrap().fill(session()).unwrap());
        let error = EmptyProfile::prepare(folder.path()).unwrap_err().to_string();
        assert!(error.contains("is logged in as bob@example.org"), "{error}");
    }

    #[test]
    fn what_is_wrong_with_a_folder_is_said_and_no_secret_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let error = Profile::open(folder.path()).unwrap_err();
        assert!(matches!(error, ProfileError::NoSession(_)));
        drop(EmptyProfile::prepare(folder.path()).unwrap().fill(session()).unwrap());
        let file = folder.path().join(SESSION);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        let error = Profile::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("chmod 600"), "{error}");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&file, r#"{"v":1,"network":"xmpp","password":"hunter2"}"#).unwrap();
        let error = Profile::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("missing field") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_database_without_its_key_is_not_given_a_new_key() {
        let folder = tempfile::tempdir().unwrap();
        let profile = EmptyProfile::prepare(folder.path()).unwrap().fill(session()).unwrap();
        drop(profile.database().unwrap());
        fs::remove_file(folder.path().join(KEY)).unwrap();
        assert!(matches!(profile.database(), Err(ProfileError::File { .. })));
    }
}
