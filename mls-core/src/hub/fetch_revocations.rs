//! `FetchRevocations`: the signed list, made anew when a device is revoked and when it gets old.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::authority::not_signed;
use super::revocation::certificates;
use super::turn::{Stop, Turn};
use crate::limits::{DAY_MS, INLINE_BYTES_MAX};
use crate::overlay::Overlay;
use crate::policy::REVOCATION_LIST_LIFETIME_MS;
use crate::store::{Space, StoreError};
use crate::wire::Answer;
use crate::wire::blob::Part;
use crate::wire::fetch_revocations::RevocationList;

const SPACE: Space = "revocation_list";
const CURRENT: &[u8] = b"current";

/// The list that was signed last.
#[derive(Clone, Debug, Default, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
struct SignedList {
    /// Counts the lists.
    number: u64,
    made_ms: u64,
    /// Somebody was revoked since then.
    outdated: bool,
    /// DER.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    list: Vec<u8>,
}

impl Turn<'_> {
    /// The list, good for at least half of its time.
    pub(super) fn fetch_revocations(&self) -> Result<Answer, Stop> {
        let mut signed: SignedList = self.store.read(SPACE, CURRENT)?.unwrap_or_default();
        let age_ms = self.now_ms.abs_diff(signed.made_ms);
        if signed.list.is_empty() || signed.outdated || age_ms >= REVOCATION_LIST_LIFETIME_MS / 2 {
            let number = signed.number.saturating_add(1);
            let revoked = certificates(self.store, self.now_ms)?;
            let list = self.authority()?.sign_revocations(revoked, number, self.now_ms);
            let list = list.map_err(not_signed)?;
            signed = SignedList { number, made_ms: self.now_ms, outdated: false, list };
            self.store.write(SPACE, CURRENT, &signed)?;
        }
        let list = match signed.list.len() <= INLINE_BYTES_MAX {
            true => signed.list.into(),
            false => self.keep_blob(&signed.list, DAY_MS).map(Part::Blob)?,
        };
        Ok(Answer::Revocations(RevocationList { list }))
    }
}

/// The list says too little from now on.
pub(super) fn outdate(store: &Overlay) -> Result<(), StoreError> {
    match store.read::<SignedList>(SPACE, CURRENT)? {
        Some(signed) => store.write(SPACE, CURRENT, &SignedList { outdated: true, ..signed }),
        None => Ok(()),
    }
}

#[cfg(test)]
crate::codec_properties::hold!(SignedList);
