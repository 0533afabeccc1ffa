//! How a delivery service follows the list of an authority that is another process.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use mls_core::hub::RevokedList;
use mls_core::limits::REVOKED_LISTED_MAX;
use tokio::sync::{mpsc, oneshot};
use tokio::task::block_in_place;
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

/// A list on its way to the hub.
#[derive(Debug)]
pub struct Listed {
    /// The list.
    pub list: RevokedList,
    /// Tells that it was followed and that is stored; dropped when it is not, and then the list comes again.
    pub done: oneshot::Sender<()>,
}

/// What was found last, so that nothing is said or done twice.
#[derive(Debug, Default)]
struct Followed {
    /// The file whose list the hub has followed.
    kept: Option<Kept>,
    said: String,
}

/// A list that the hub has followed.
#[derive(Clone, Copy, Debug)]
struct Kept {
    stamp: Stamp,
    made_ms: u64,
    full: bool,
}

/// By what a file that was written anew is told from the former one, without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    bytes: u64,
    /// When it was written last, in seconds and nanoseconds since 1970.
    written: (i64, i64),
}

impl Found {
    /// Reads the file.
    pub fn look(file: &Path, roots: &[Vec<u8>]) -> Self {
        match open(file) {
            Ok((opened, _)) => Self::of(file, opened, roots),
            Err(why) => Self::Fault(why),
        }
    }

    fn of(file: &Path, opened: File, roots: &[Vec<u8>]) -> Self {
        let read = read(file, opened).and_then(|bytes| {
            RevokedList::verify(&bytes, roots, now_ms())
                .map_err(|error| format!("{}: {error}", file.display()))
        });
        read.map_or_else(Self::Fault, Self::List)
    }

    /// What people have to hear of it, if anything.
    pub fn fault(&self) -> Option<String> {
        match self {
            Self::Fault(why) => Some(why.clone()),
            Self::List(list) => too_old(list.made_ms).or_else(|| too_full(is_full(list))),
        }
    }

    fn list(self) -> Option<RevokedList> {
        match self {
            Self::List(list) => Some(list),
            Self::Fault(_) => None,
        }
    }
}

impl Followed {
    /// Looks at the file: a list that the hub has not followed yet; what is wrong is logged once.
    fn look(&mut self, file: &Path, roots: &[Vec<u8>]) -> Option<(Stamp, RevokedList)> {
        let (fault, news) = match open(file) {
            Err(why) => (Some(why), None),
            Ok((opened, stamp)) => match self.kept.filter(|kept| kept.stamp == stamp) {
                Some(kept) => (too_old(kept.made_ms).or_else(|| too_full(kept.full)), None),
                None => {
                    let found = Found::of(file, opened, roots);
                    (found.fault(), found.list().map(|list| (stamp, list)))
                }
            },
        };
        let said = fault.unwrap_or_default();
        if said != self.said && !said.is_empty() {
            tracing::warn!("the authority's list: {said}");
        }
        self.said = said;
        news
    }
}

/// Hands each list on, until one is followed, as long as somebody takes them.
///
/// Needs a tokio runtime of several threads: a look blocks its thread.
pub async fn follow(file: &Path, roots: &[Vec<u8>], lists: mpsc::Sender<Listed>) {
    let (mut followed, mut look) = (Followed::default(), interval(REVOKED_LIST_LOOK));
    loop {
        tokio::select! {
            _ = look.tick() => {}
            () = lists.closed() => return,
        }
        let Some((stamp, list)) = block_in_place(|| followed.look(file, roots)) else { continue };
        let known = Kept { stamp, made_ms: list.made_ms, full: is_full(&list) };
        let (done, kept) = oneshot::channel();
        if lists.send(Listed { list, done }).await.is_err() {
            return;
        }
        // What was not stored is handed on again with the next look.
        if kept.await.is_ok() {
            followed.kept = Some(known);
        }
    }
}

fn too_old(made_ms: u64) -> Option<String> {
    let old = now_ms().saturating_sub(made_ms) > REVOKED_LIST_OLD_MS;
    old.then(|| {
        format!(
            "the list of who is revoked was made on {}, and none came for an hour: look that the \
             authority runs, and that what it writes gets here",
            date(made_ms)
        )
    })
}

/// A list that has no room for more may lack some who are revoked.
fn is_full(list: &RevokedList) -> bool {
    list.entries.len() >= REVOKED_LISTED_MAX
}

fn too_full(full: bool) -> Option<String> {
    full.then(|| {
        format!(
            "the list of who is revoked has {REVOKED_LISTED_MAX} names, which is all it can have: whoever is \
             revoked beyond that is kept out by the authority alone, when a certificate ends"
        )
    })
}

fn open(file: &Path) -> Result<(File, Stamp), String> {
    let failed = |error| format!("{}: {error}", file.display());
    let opened = File::open(file).map_err(failed)?;
    let found = opened.metadata().map_err(failed)?;
    let written = (found.mtime(), found.mtime_nsec());
    Ok((opened, Stamp { inode: found.ino(), bytes: found.len(), written }))
}

fn read(file: &Path, opened: File) -> Result<Vec<u8>, String> {
    let longest = u64::try_from(REVOKED_LIST_BYTES_MAX).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    let more = longest.saturating_add(1);
    opened
        .take(more)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("{}: {error}", file.display()))?;
    if bytes.len() > REVOKED_LIST_BYTES_MAX {
        return Err(format!(
            "{} is too long for a list of who is revoked: more than {longest} bytes",
            file.display()
        ));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use mls_core::address::UserId;
    use mls_core::hub::{Hub, HubSetup, RevokedBy, RevokedEntry, Whom};
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
        assert_eq!(followed.look(&file, &roots).unwrap().1.made_ms, now_ms);
        let (stamp, list) = followed.look(&file, &roots).expect("again, until it was followed");
        followed.kept = Some(Kept { stamp, made_ms: list.made_ms, full: false });
        assert!(followed.look(&file, &roots).is_none(), "twice");
        says(&followed, "");
        // Of another authority, and cut short.
        publisher.write(&self::hub().signed_revoked_list(now_ms).unwrap()).unwrap();
        assert!(followed.look(&file, &roots).is_none());
        says(&followed, "not signed by the authority");
        fs::write(&file, "half of it").unwrap();
        assert!(followed.look(&file, &roots).is_none());
        says(&followed, "no list");
        let long = File::create(&file).unwrap();
        long.set_len(u64::try_from(REVOKED_LIST_BYTES_MAX).unwrap() + 1).unwrap();
        assert!(followed.look(&file, &roots).is_none());
        says(&followed, "too long");
        publisher.write(&hub.signed_revoked_list(now_ms + 1).unwrap()).unwrap();
        assert_eq!(followed.look(&file, &roots).unwrap().1.made_ms, now_ms + 1);
        publisher
            .write(&hub.signed_revoked_list(now_ms - REVOKED_LIST_OLD_MS - 1000).unwrap())
            .unwrap();
        let (stamp, old) = followed.look(&file, &roots).expect("the hub knows which is newer");
        says(&followed, "none came for an hour");
        followed.kept = Some(Kept { stamp, made_ms: old.made_ms, full: false });
        followed.said.clear();
        assert!(followed.look(&file, &roots).is_none());
        says(&followed, "none came for an hour");
        publisher.outdate();
        assert!(publisher.is_due());
    }
    #[test]
    fn a_list_that_has_no_room_for_more_is_pointed_out() {
        let user = UserId::matrix("@bob:example.net").unwrap();
        let whom = Whom::User(user);
        let entry = RevokedEntry { whom, by: RevokedBy::Operator, at_ms: 1 };
        let list = |names| {
            Found::List(RevokedList { made_ms: now_ms(), entries: vec![entry.clone(); names] })
        };
        assert_eq!(list(REVOKED_LISTED_MAX - 1).fault(), None);
        let fault = list(REVOKED_LISTED_MAX).fault().unwrap();
        assert!(fault.contains("100000 names"), "{fault}");
    }
}
