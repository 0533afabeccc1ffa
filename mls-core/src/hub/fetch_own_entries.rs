//! `FetchOwnEntries`: what the authority signed in the name of the asker's own user.

use mls_rs_codec::MlsSize;

use super::transparency;
use super::turn::{Stop, Turn};
use crate::address::UserId;
use crate::limits::{INLINE_BYTES_MAX, LOG_ENTRIES_PER_FETCH_MAX};
use crate::transparency::user_label;
use crate::wire::Answer;
use crate::wire::fetch_own_entries::{FetchOwnEntries, OwnEntries, OwnEntry};

impl Turn<'_> {
    /// As many as fit, and whether there are more.
    pub(super) fn fetch_own_entries(
        &self,
        from: &UserId,
        fetch: &FetchOwnEntries,
    ) -> Result<Answer, Stop> {
        let limit = LOG_ENTRIES_PER_FETCH_MAX.saturating_add(1);
        let found = transparency::entries_of(self.store, &user_label(from), fetch.from, limit)?;
        let (count, mut entries, mut room) = (found.len(), Vec::new(), INLINE_BYTES_MAX);
        for (index, entry) in found.into_iter().take(LOG_ENTRIES_PER_FETCH_MAX) {
            let own = OwnEntry { index, entry };
            let needed = own.mls_encoded_len();
            if needed > room && !entries.is_empty() {
                break;
            }
            room = room.saturating_sub(needed);
            entries.push(own);
        }
        let more = entries.len() < count;
        Ok(Answer::OwnEntries(OwnEntries { entries, more }))
    }
}
