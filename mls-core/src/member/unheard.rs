//! Members who were added and did not show yet that they came in: their leaf is still what somebody
//! else made of their KeyPackage, and nobody knows whether the device has the group.
//!
//! A message, or a new leaf, shows it. Only those who were added while this device was in the group are
//! known; of those before it, it cannot tell.

use std::collections::BTreeMap;

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::event::{EpochEvent, HeardFrom};
use super::membership_log::ChangeKind;
use super::seen::group_prefix;
use super::{Event, Member};
use crate::address::ClientId;
use crate::overlay::{Overlay, decode};
use crate::store::{Space, StoreError};
use crate::wire::GroupId;

/// By group and client.
const UNHEARD: Space = "unheard_member";

/// One who was added.
#[derive(MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(Debug, proptest_derive::Arbitrary))]
struct Added {
    group: GroupId,
    client: ClientId,
    /// When this device heard of it, in milliseconds since 1970.
    at_ms: u64,
}

/// Who was not heard from in each group, and since when.
pub(super) type Unheard = BTreeMap<GroupId, BTreeMap<ClientId, u64>>;

/// Those that a store holds.
pub(super) fn open(overlay: &Overlay) -> Result<Unheard, StoreError> {
    let mut unheard = Unheard::new();
    overlay.each(UNHEARD, &[], |_, value| {
        let Added { group, client, at_ms } = decode(UNHEARD, value)?;
        unheard.entry(group).or_default().insert(client, at_ms);
        Ok(true)
    })?;
    Ok(unheard)
}

impl Member {
    /// What an event shows of who is there. Those of whom it is the first sign.
    pub(super) fn note_signs(&mut self, event: &Event) -> Result<Vec<HeardFrom>, StoreError> {
        match event {
            Event::Message(message) => {
                let heard = self.heard(&message.group, &message.sender.client);
                Ok(heard.into_iter().collect())
            }
            Event::Epoch(epoch) => self.note_epoch(epoch),
            Event::Removed(removed) => {
                self.forget_unheard(&removed.group);
                Ok(Vec::new())
            }
            Event::StartedAnew(anew) => {
                self.forget_unheard(&anew.group);
                Ok(Vec::new())
            }
            Event::Restarted(anew) => {
                self.forget_unheard(&anew.group);
                Ok(Vec::new())
            }
            _ => Ok(Vec::new()),
        }
    }

    /// Since when a member who was added was not heard from.
    pub(super) fn unheard_since_ms(&self, group: &GroupId, client: &ClientId) -> Option<u64> {
        self.unheard.get(group)?.get(client).copied()
    }

    fn note_epoch(&mut self, epoch: &EpochEvent) -> Result<Vec<HeardFrom>, StoreError> {
        let group = &epoch.group;
        let mut heard: Vec<_> = self.heard(group, &epoch.committer).into_iter().collect();
        for change in &epoch.changes {
            match change.kind {
                // Who came in by its own commit has shown itself.
                ChangeKind::Added if change.client != epoch.committer => {
                    self.note_added(group, &change.client)?;
                }
                ChangeKind::Removed => drop(self.heard(group, &change.client)),
                _ => heard.extend(self.heard(group, &change.client)),
            }
        }
        Ok(heard)
    }

    fn note_added(&mut self, group: &GroupId, client: &ClientId) -> Result<(), StoreError> {
        let added = Added { group: group.clone(), client: client.clone(), at_ms: self.now_ms };
        self.overlay.write(UNHEARD, &place(group, client), &added)?;
        self.unheard.entry(group.clone()).or_default().insert(client.clone(), self.now_ms);
        Ok(())
    }

    fn heard(&mut self, group: &GroupId, client: &ClientId) -> Option<HeardFrom> {
        let unheard = self.unheard.get_mut(group)?;
        unheard.remove(client)?;
        if unheard.is_empty() {
            self.unheard.remove(group);
        }
        self.overlay.delete(UNHEARD, &place(group, client));
        Some(HeardFrom { group: group.clone(), client: client.clone() })
    }

    fn forget_unheard(&mut self, group: &GroupId) {
        for client in self.unheard.remove(group).unwrap_or_default().keys() {
            self.overlay.delete(UNHEARD, &place(group, client));
        }
    }
}

fn place(group: &GroupId, client: &ClientId) -> Vec<u8> {
    [group_prefix(group).as_slice(), client.as_str().as_bytes()].concat()
}

#[cfg(test)]
crate::codec_properties::hold!(Added);
