//! `FetchRevocations`: the signed lists. That of the key which signs now is made anew when a device is revoked
//! and when it gets old; the last one of a key before it is kept as long as certificates that it names may be
//! valid, for nobody else's list says anything of them.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::authority::not_signed;
use super::revocation::certificates;
use super::turn::{Stop, Turn};
use crate::identity::ListInfo;
use crate::limits::{DAY_MS, INLINE_BYTES_MAX, REVOCATION_LISTS_MAX};
use crate::overlay::{Overlay, decode};
use crate::policy::{CREDENTIAL_LIFETIME_MS, REVOCATION_LIST_LIFETIME_MS};
use crate::store::{Space, StoreError};
use crate::wire::Answer;
use crate::wire::blob::Part;
use crate::wire::fetch_revocations::RevocationLists;

const SPACE: Space = "revocation_list";
const CURRENT: &[u8] = b"current";
/// The last [`SignedList`] of each key that signed before, by [`ListInfo::issuer`].
const FORMER: Space = "revocation_list_former";

/// A list as it was signed.
#[derive(Clone, Debug, Default, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
struct SignedList {
    /// Counts the lists, of all keys.
    number: u64,
    made_ms: u64,
    /// Somebody was revoked since then.
    outdated: bool,
    /// DER; none where the key that signs now has signed none yet.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    list: Vec<u8>,
}

impl SignedList {
    /// Whether a certificate that it names can still be valid: it was there when the list was made.
    fn matters(&self, now_ms: u64) -> bool {
        now_ms < self.made_ms.saturating_add(CREDENTIAL_LIFETIME_MS)
    }
}

impl Turn<'_> {
    /// The lists; the first is good for at least half of its time.
    pub(super) fn fetch_revocations(&self) -> Result<Answer, Stop> {
        let mut signed: SignedList = self.store.read(SPACE, CURRENT)?.unwrap_or_default();
        let age_ms = self.now_ms.abs_diff(signed.made_ms);
        if signed.list.is_empty() || signed.outdated || age_ms >= REVOCATION_LIST_LIFETIME_MS / 2 {
            signed = self.sign_revocations(signed.number)?;
        }
        let former = former(self.store)?.into_iter().filter(|list| list.matters(self.now_ms));
        let (mut lists, mut room) = (Vec::new(), INLINE_BYTES_MAX);
        for list in std::iter::once(signed).chain(former).take(REVOCATION_LISTS_MAX) {
            let part = match list.list.len() <= room {
                true => Part::from(list.list),
                false => self.keep_blob(&list.list, DAY_MS).map(Part::Blob)?,
            };
            room = room.saturating_sub(part.inline_len());
            lists.push(part);
        }
        Ok(Answer::Revocations(RevocationLists { lists }))
    }

    /// Signs a list that says too little at once, where there is one: whoever looks after its time, or after
    /// another key has taken this one's place, finds all of it there.
    pub(super) fn renew_revocations(&self) -> Result<(), StoreError> {
        match self.store.read::<SignedList>(SPACE, CURRENT)?.filter(|signed| signed.outdated) {
            Some(signed) if !signed.list.is_empty() => match self.sign_revocations(signed.number) {
                Err(Stop::Failed(error)) => Err(error),
                // A token that is away comes back.
                Ok(_) | Err(Stop::Refused(_)) => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn sign_revocations(&self, last: u64) -> Result<SignedList, Stop> {
        let (number, made_ms) = (last.saturating_add(1), self.now_ms);
        let revoked = certificates(self.store, self.now_ms)?;
        let list = self.authority()?.sign_revocations(revoked, number, self.now_ms);
        let list = list.map_err(not_signed)?;
        if let Ok(info) = ListInfo::of(&list) {
            // A key that signed before may sign again.
            self.store.delete(FORMER, &info.issuer.0);
        }
        let signed = SignedList { number, made_ms, outdated: false, list };
        self.store.write(SPACE, CURRENT, &signed)?;
        Ok(signed)
    }
}

/// The list says too little from now on.
pub(super) fn outdate(store: &Overlay) -> Result<(), StoreError> {
    match store.read::<SignedList>(SPACE, CURRENT)? {
        Some(signed) => store.write(SPACE, CURRENT, &SignedList { outdated: true, ..signed }),
        None => Ok(()),
    }
}

/// Another key signs from now on: the list stays in force for the certificates of the one before.
pub(super) fn retire(store: &Overlay) -> Result<(), StoreError> {
    let Some(signed) = store.read::<SignedList>(SPACE, CURRENT)? else { return Ok(()) };
    let none = SignedList { number: signed.number, ..SignedList::default() };
    store.write(SPACE, CURRENT, &none)?;
    let Ok(info) = ListInfo::of(&signed.list) else { return Ok(()) };
    store.write(FORMER, &info.issuer.0, &signed)?;
    // One may be of the key that signs next.
    for old in former(store)?.iter().skip(REVOCATION_LISTS_MAX) {
        if let Ok(info) = ListInfo::of(&old.list) {
            store.delete(FORMER, &info.issuer.0);
        }
    }
    Ok(())
}

/// The last lists of the keys that signed before, the newest first.
fn former(store: &Overlay) -> Result<Vec<SignedList>, StoreError> {
    // One more, while another is taken in.
    let rows = store.scan(FORMER, &[], &[], REVOCATION_LISTS_MAX + 1)?;
    let lists = rows.iter().map(|(_, value)| decode(FORMER, value));
    let mut lists = lists.collect::<Result<Vec<SignedList>, _>>()?;
    lists.sort_by_key(|list| std::cmp::Reverse(list.number));
    Ok(lists)
}

#[cfg(test)]
crate::codec_properties::hold!(SignedList);
