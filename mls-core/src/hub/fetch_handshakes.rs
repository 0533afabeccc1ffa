//! `FetchHandshakes`: a member fills a gap in the group's order.

use mls_rs_codec::MlsSize;

use super::turn::{Stop, Turn};
use super::{handshake_log, leaves};
use crate::address::UserId;
use crate::limits::{HANDSHAKES_PER_FETCH_MAX, INLINE_BYTES_MAX};
use crate::wire::Answer;
use crate::wire::fetch_handshakes::{FetchHandshakes, Handshakes};
use crate::wire::refusal::Refusal;

impl Turn<'_> {
    /// As many as fit; one that alone is too large comes as a blob. Who was a member gets them up
    /// to the commit that removed its last leaf: that is the proof of it, a refusal is none.
    pub(super) fn fetch_handshakes(
        &mut self,
        from: &UserId,
        fetch: &FetchHandshakes,
    ) -> Result<Answer, Stop> {
        let (record, last_seq) = match self.group_of_member(&fetch.group, from) {
            Ok(record) => (record.clone(), record.seq()),
            Err(refused) => match leaves::gone_at(self.store, &fetch.group, from)? {
                Some(seq) => (self.group(&fetch.group)?, seq),
                None => return Err(refused),
            },
        };
        // Seq 0 is the registration, which is no handshake.
        let first = fetch.from_seq.max(1);
        if first < record.oldest_seq {
            return Err(Refusal::Gone.into());
        }
        let mut handshakes = Vec::new();
        let mut room = INLINE_BYTES_MAX;
        for seq in (first..=last_seq).take(HANDSHAKES_PER_FETCH_MAX) {
            let Some(entry) = handshake_log::read(self.store, &record.group, seq)? else { break };
            let needed = entry.receipt.mls_encoded_len() + entry.message.len();
            if needed > room && !handshakes.is_empty() {
                break;
            }
            let inline_max = room.saturating_sub(entry.receipt.mls_encoded_len());
            handshakes.push(self.handshake(&record.group, &entry, inline_max)?);
            room = room.saturating_sub(needed);
        }
        Ok(Answer::Handshakes(Handshakes { handshakes, last_seq }))
    }
}
