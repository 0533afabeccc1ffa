//! The lists as they are kept: the last one of each issuer, for as long as a certificate that it names may be
//! valid. An authority that has another intermediate signs no more for those under the former one; what it said of
//! them stays in force.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::KnownRevocations;
use crate::identity::{ListInfo, NoRevocationList, Revocations};
use crate::limits::REVOCATION_LISTS_MAX;
use crate::overlay::{Overlay, decode};
use crate::policy::CREDENTIAL_LIFETIME_MS;
use crate::store::{Space, StoreError};

/// By [`ListInfo::issuer`].
const LIST: Space = "revocations";
/// Where the only list stood before there was one of each issuer.
const ONLY: &[u8] = b"list";

/// A list as it is stored.
#[derive(Clone, Debug, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
struct StoredList {
    number: u64,
    next_update_s: u64,
    /// X.509 CRL, DER.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    list: Vec<u8>,
}

/// What became of a list that the hub gave.
pub(super) enum Taken {
    /// It is the one that is known.
    Known,
    /// It takes the place of the one before.
    Newer {
        /// It names other certificates: most lists are made because the one before gets old.
        says_more: bool,
    },
    /// There was a newer one of its issuer: it is not used.
    Older,
    /// It is none.
    Broken(NoRevocationList),
}

/// The lists that a store holds.
pub(in super::super) fn open(overlay: &Overlay) -> Result<KnownRevocations, StoreError> {
    if let Some(only) = overlay.read::<StoredList>(LIST, ONLY)? {
        overlay.delete(LIST, ONLY);
        let info = ListInfo::of(&only.list).map_err(damaged)?;
        overlay.write(LIST, &info.issuer.0, &only)?;
    }
    Ok(KnownRevocations { list: read(overlay)?, ..KnownRevocations::default() })
}

/// All lists, to be held against certificates.
pub(super) fn read(overlay: &Overlay) -> Result<Revocations, StoreError> {
    let stored = stored(overlay)?;
    Revocations::from_ders(stored.iter().map(|(_, one)| one.list.as_slice())).map_err(damaged)
}

/// Until when the newest list is good, if there is one; in seconds since 1970.
pub(super) fn newest_until_s(overlay: &Overlay) -> Result<Option<u64>, StoreError> {
    Ok(stored(overlay)?.iter().map(|(_, one)| one.next_update_s).max())
}

/// Takes a list in, where it is newer than the one that is known of its issuer.
pub(super) fn take(overlay: &Overlay, now_ms: u64, list: &[u8]) -> Result<Taken, StoreError> {
    let info = match (ListInfo::of(list), Revocations::from_der(list)) {
        (Ok(info), Ok(_)) => info,
        (Err(error), _) | (_, Err(error)) => return Ok(Taken::Broken(error)),
    };
    let known: Option<StoredList> = overlay.read(LIST, &info.issuer.0)?;
    let number = known.as_ref().map_or(0, |known| known.number);
    if info.number <= number {
        return Ok(if info.number == number { Taken::Known } else { Taken::Older });
    }
    let ListInfo { issuer, number, next_update_s, entries } = info;
    let stored = StoredList { number, next_update_s, list: list.to_vec() };
    overlay.write(LIST, &issuer.0, &stored)?;
    forget(overlay, now_ms)?;
    let known = known.and_then(|known| ListInfo::of(&known.list).ok());
    Ok(Taken::Newer { says_more: known.is_none_or(|known| known.entries != entries) })
}

/// Deletes the lists whose certificates have all ended, and of too many the oldest.
fn forget(overlay: &Overlay, now_ms: u64) -> Result<(), StoreError> {
    let mut lists = stored(overlay)?;
    lists.sort_by_key(|(_, one)| std::cmp::Reverse(one.next_update_s));
    // What a list names was certified before the list was made.
    let over_s = now_ms.saturating_sub(CREDENTIAL_LIFETIME_MS) / 1000;
    for (place, (issuer, one)) in lists.iter().enumerate() {
        if place >= REVOCATION_LISTS_MAX || one.next_update_s < over_s {
            overlay.delete(LIST, issuer);
        }
    }
    Ok(())
}

fn stored(overlay: &Overlay) -> Result<Vec<(Vec<u8>, StoredList)>, StoreError> {
    // One more, while another is taken in.
    let rows = overlay.scan(LIST, &[], &[], REVOCATION_LISTS_MAX + 1)?;
    rows.into_iter().map(|(issuer, value)| Ok((issuer, decode(LIST, &value)?))).collect()
}

fn damaged(error: NoRevocationList) -> StoreError {
    StoreError(format!("{LIST}: {error}"))
}

#[cfg(test)]
crate::codec_properties::hold!(StoredList);
