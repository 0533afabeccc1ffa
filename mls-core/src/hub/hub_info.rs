//! `HubInfo`: the hub's keys and limits.

use mls_rs_codec::MlsEncode;

use super::turn::{Stop, Turn, machine};
use crate::limits::INLINE_BYTES_MAX;
use crate::wire::Answer;
use crate::wire::hub_info::{HubInfo, SuiteSender};

impl Turn<'_> {
    /// What this hub says of itself, to anybody.
    pub(super) fn hub_info(&self) -> Result<Answer, Stop> {
        let mut senders = Vec::new();
        for sender in &self.keys.senders {
            let identity = sender.identity.mls_encode_to_vec().map_err(machine)?;
            senders.push(SuiteSender { suite: sender.suite.into(), identity });
        }
        Ok(Answer::HubInfo(HubInfo {
            receipt_key: self.keys.receipt_public.to_vec(),
            senders,
            hub_matrix: self.setup.matrix.clone(),
            hub_xmpp: self.setup.xmpp.clone(),
            inline_bytes_max: u32::try_from(INLINE_BYTES_MAX).unwrap_or(u32::MAX),
            versions: vec![0],
            recovering: false,
        }))
    }
}
