//! How a delivery service follows the list of an authority that is another process.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use mls_core::hub::RevokedList;
use tokio::sync::mpsc;
use tokio::time::interval;

use crate::authority::{date, now_ms};
use crate::limits::{REVOKED_LIST_BYTES_MAX, REVOKED_LIST_LOOK, REVOKED_LIST_OLD_MS};

/// What a look at the file found.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// A list that the authority signed.
    List(RevokedList),
    /// None that counts; one sentence that says why.
    Fault(String),
}

/// What was found last, so that nothing is said or done twice.
#[derive(Debug, Default)]
pub struct Followed {
    bytes: Vec<u8>,
    said: String,
}

impl Found {
    /// Reads the file.
    pub fn look(file: &Path, roots: &[Vec<u8>]) -> Self {
        read(file).map_or_else(Self::Fault, |bytes| Self::of(file, &bytes, roots))
    }

    fn of(file: &Path, bytes: &[u8], roots: &[Vec<u8>]) -> Self {
        match RevokedList::verify(bytes, roots, now_ms()) {
            Ok(list) => Self::List(list),
            Err(error) => Self::Fault(format!("{}: {error}", file.display())),
        }
    }

    /// What people have to hear of it, if anything.
    pub fn fault(&self) -> Option<String> {
        match self {
            Self::Fault(why) => Some(why.clone()),
            Self::List(list) if is_old(list.made_ms) => Some(format!(
                "the list of who is revoked was made on {}, and none came for an hour: look that the \
                 authority runs, and that what it writes gets here",
                date(list.made_ms)
            )),
            Self::List(_) => None,
        }
    }
}

impl Followed {
    /// Looks at the file: a list that was not seen before; what is wrong is logged once.
    fn look(&mut self, file: &Path, roots: &[Vec<u8>]) -> Option<RevokedList> {
        let read = read(file);
        let news = read.as_ref().is_ok_and(|bytes| *bytes != self.bytes);
        let found = match &read {
            Ok(bytes) => Found::of(file, bytes, roots),
            Err(why) => Found::Fault(why.clone()),
        };
        let said = found.fault().unwrap_or_default();
        if said != self.said && !said.is_empty() {
            tracing::warn!("the authority's list: {said}");
        }
        self.said = said;
        match found {
            Found::List(list) if news => {
                self.bytes = read.unwrap_or_default();
                Some(list)
            }
            _ => None,
        }
    }
}

/// Hands each list on, as long as somebody takes them.
pub async fn follow(file: &Path, roots: &[Vec<u8>], lists: mpsc::Sender<RevokedList>) {
    let (mut followed, mut look) = (Followed::default(), interval(REVOKED_LIST_LOOK));
    loop {
        tokio::select! {
            _ = look.tick() => {}
            () = lists.closed() => return,
        }
        if let Some(list) = followed.look(file, roots)
            && lists.send(list).await.is_err()
        {
            return;
        }
    }
}

fn is_old(made_ms: u64) -> bool {
    now_ms().saturating_sub(made_ms) > REVOKED_LIST_OLD_MS
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    let failed = |error| format!("{}: {error}", file.display());
    let longest = u64::try_from(REVOKED_LIST_BYTES_MAX).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    let opened = File::open(file).map_err(failed)?;
    opened.take(longest).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use mls_core::hub::{Hub, HubSetup};
    use mls_core::store::MemoryStore;

    use super::*;
    use crate::apart::{Publisher, REVOKED, ROOTS};
    use crate::authority::pem::read_certificates;

    fn hub() -> Hub {
        let setup = HubSetup { xmpp: Some("mls.example.net".to_owned()), ..HubSetup::default() };
        Hub::open(Arc::new(MemoryStore::default()), setup).unwrap().0
    }

    fn says(followed: &Followed, words: &str) {
        assert!(followed.said.contains(words), "{:?}", followed.said);
    }

    #[test]
    fn what_an_authority_publishes_is_followed_once_and_anything_else_is_not() {
        let (folder, hub) = (tempfile::tempdir().unwrap(), hub());
        let (published, now_ms) = (folder.path().join("published"), now_ms());
        let mut publisher = Publisher::start(&published, &hub.roots(now_ms)).unwrap();
        let roots = read_certificates(&published.join(ROOTS)).unwrap();
        assert_eq!(roots, hub.roots(now_ms));
        let file = published.join(REVOKED);
        let mut followed = Followed::default();
        assert!(followed.look(&file, &roots).is_none());
        says(&followed, "revoked.list");
        assert!(publisher.is_due());
        publisher.write(&hub.signed_revoked_list(now_ms).unwrap()).unwrap();
        assert!(!publisher.is_due());
        assert_eq!(followed.look(&file, &roots).unwrap().made_ms, now_ms);
        assert!(followed.look(&file, &roots).is_none(), "twice");
        says(&followed, "");
        // Of another authority, and cut short.
        publisher.write(&self::hub().signed_revoked_list(now_ms).unwrap()).unwrap();
        assert!(followed.look(&file, &roots).is_none());
        says(&followed, "not signed by the authority");
        fs::write(&file, "half of it").unwrap();
        assert!(followed.look(&file, &roots).is_none());
        says(&followed, "no list");
        publisher.write(&hub.signed_revoked_list(now_ms + 1).unwrap()).unwrap();
        assert_eq!(followed.look(&file, &roots).unwrap().made_ms, now_ms + 1);
        publisher
            .write(&hub.signed_revoked_list(now_ms - REVOKED_LIST_OLD_MS - 1000).unwrap())
            .unwrap();
        assert!(followed.look(&file, &roots).is_some(), "the hub knows which of two is newer");
        says(&followed, "none came for an hour");
    }
}
