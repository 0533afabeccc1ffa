//! `HubInfo`: the hub's keys and limits.

use mls_rs_codec::MlsEncode;

use super::keys::KeySet;
use super::turn::{Stop, Turn, machine};
use crate::handover::Handover;
use crate::limits::INLINE_BYTES_MAX;
use crate::seal::hub_key;
use crate::store::StoreError;
use crate::wire::Answer;
use crate::wire::hub_info::{FormerKeys, HubInfo, SuiteSender, SuiteSignature};

impl Turn<'_> {
    /// What this hub says of itself, to anybody.
    pub(super) fn hub_info(&self) -> Result<Answer, Stop> {
        let current = &self.keys.current;
        let senders = senders(current)?;
        let former = self.keys.former.iter().map(|old| hand_over(old, current, &senders));
        Ok(Answer::HubInfo(HubInfo {
            receipt_key: current.receipt_public.to_vec(),
            former: former.collect::<Result<_, _>>()?,
            seal_key: current.seal.public().to_vec(),
            seal_signature: hub_key::sign(&current.receipt, current.seal.public())
                .map_err(machine)?,
            senders,
            hub_matrix: self.setup.matrix.clone(),
            hub_xmpp: self.setup.xmpp.clone(),
            anchors: self.anchors(),
            inline_bytes_max: u32::try_from(INLINE_BYTES_MAX).unwrap_or(u32::MAX),
            versions: vec![0],
            recovering: false,
        }))
    }
}

fn senders(keys: &KeySet) -> Result<Vec<SuiteSender>, StoreError> {
    let sender = |sender: &super::keys::ExternalSender| {
        let identity = sender.identity.mls_encode_to_vec().map_err(machine)?;
        Ok(SuiteSender { suite: sender.suite.into(), identity })
    };
    keys.senders.iter().map(sender).collect()
}

/// What old keys sign for the current ones.
fn hand_over(
    old: &KeySet,
    current: &KeySet,
    new_senders: &[SuiteSender],
) -> Result<FormerKeys, StoreError> {
    let mut handovers = Vec::new();
    for sender in new_senders {
        let handover = Handover {
            old: &old.receipt_public,
            new: &current.receipt_public,
            sender: &sender.identity,
        };
        let signature = handover.sign(&old.receipt).map_err(machine)?;
        handovers.push(SuiteSignature { suite: sender.suite, signature });
    }
    let receipt_key = old.receipt_public.to_vec();
    Ok(FormerKeys { receipt_key, senders: senders(old)?, handovers })
}
