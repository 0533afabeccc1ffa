//! Where handshakes wait that came before their turn.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::Member;
use super::seen::group_prefix;
use crate::engine::sha256;
use crate::limits::HANDSHAKES_BUFFERED_MAX;
use crate::overlay::decode;
use crate::store::{Space, StoreError};
use crate::wire::GroupId;
use crate::wire::handshake::{Handshake, SealedHandshake};

/// By group and seq; what is sealed also by its turn and its hash.
pub(super) const EARLY: Space = "early_handshake";

/// A handshake that waits for its turn.
#[derive(Debug, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
#[repr(u8)]
pub(super) enum Early {
    Open(Handshake) = 1u8,
    /// Of an epoch whose key is not here yet.
    Sealed(SealedHandshake) = 2u8,
}

impl Member {
    /// Keeps a handshake of an epoch that is still to come.
    pub(super) fn keep_early_sealed(&self, sealed: &SealedHandshake) -> Result<(), StoreError> {
        let early = Early::Sealed(sealed.clone());
        self.keep_early_at(&sealed.group, sealed.seq, &early).map(|_| ())
    }

    /// Gives what is kept for the place already.
    pub(super) fn keep_early_at(
        &self,
        group: &GroupId,
        seq: u64,
        early: &Early,
    ) -> Result<Option<Early>, StoreError> {
        let prefix = group_prefix(group);
        let kept = self.overlay.scan(EARLY, &prefix, &prefix, HANDSHAKES_BUFFERED_MAX)?;
        let place = [prefix, seq.to_be_bytes().to_vec()].concat();
        let key = match early {
            Early::Open(_) => place,
            // What they say is not known: all for one place wait, and the first is read first.
            Early::Sealed(sealed) => {
                let hash = sha256(&sealed.sealed).0;
                let here: Vec<_> = kept.iter().filter(|(k, _)| k.starts_with(&place)).collect();
                if here.iter().any(|(k, _)| k.ends_with(&hash)) {
                    return Ok(None);
                }
                let turn = u64::try_from(here.len()).unwrap_or(u64::MAX).to_be_bytes();
                [place.as_slice(), &turn, &hash].concat()
            }
        };
        if let Some((_, before)) = kept.iter().find(|(k, _)| *k == key) {
            return decode(EARLY, before).map(Some);
        }
        if kept.len() < HANDSHAKES_BUFFERED_MAX {
            self.overlay.write(EARLY, &key, early)?;
        }
        Ok(None)
    }
}

#[cfg(test)]
crate::codec_properties::hold!(Early);
