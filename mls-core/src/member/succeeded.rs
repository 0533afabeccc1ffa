//! What follows one of our groups by a ReInit, into which this device was welcomed (RFC 9420 11.2).
//!
//! Its Welcome needs the resumption PSK of the former's last epoch. A device that is not there yet follows the
//! former first; one that cannot comes in by an external commit into its own leaf, as into any group that a hub
//! shows, and then nothing proves to it that the one follows the other (docs/decisions/0013).

use super::Member;
use super::group_record::{GroupRecord, State};
use super::welcome::{Verdict, WELCOME};
use crate::limits::REJOIN_PAUSE_MS;
use crate::store::StoreError;
use crate::wire::GroupId;
use crate::wire::welcome::{Resumed, Welcome};

impl Member {
    /// What follows a group that has ended, or is to end.
    pub(super) fn judge_successor(
        &mut self,
        former: &GroupId,
        welcome: &Welcome,
    ) -> Result<Verdict, StoreError> {
        if self.record(former).is_none() {
            return self.judge_without_former(former, welcome);
        }
        let record = self.record(former);
        let named = record.and_then(|r| r.successor.as_ref()) == Some(&welcome.group);
        let key = record.map(|record| record.receipt_key.clone()).unwrap_or_default();
        // The group heard of the hub's new keys before this device did.
        let unknown = self.hub()?.is_some_and(|hub| hub.senders_of(&key).is_none());
        if unknown && self.ask_hub_at_once()? {
            return Ok(Verdict::Wait);
        }
        if named && self.can_follow(former)? {
            return Ok(Verdict::Follow(former.clone()));
        }
        if named && self.record(former).is_some_and(|record| record.state == State::Ended) {
            // It has lost the state since, as one that is live may.
            self.lost(former)?;
            let again_ms = self.now_ms.saturating_add(REJOIN_PAUSE_MS);
            self.change_record(former, |record| record.commit_after_ms = again_ms)?;
        }
        let behind = self.record(former).is_some_and(GroupRecord::is_behind);
        match self.record(former).map(|record| (record.state, record.rooms.clone())) {
            Some((State::Live, _)) if !behind => {
                self.fetch_handshakes(former)?;
                Ok(Verdict::Wait)
            }
            Some((State::Live | State::Rejoining | State::Gone, rooms)) => {
                // The PSK is of a state that is not here, but a leaf is there.
                if behind {
                    let next = welcome.group.clone();
                    self.change_record(former, |record| record.successor = Some(next))?;
                }
                let network = self.client.network();
                match rooms.iter().find(|room| room.network == network) {
                    Some(room) => {
                        self.rejoin_found(&welcome.group, room).map(|()| Verdict::Drop(None))
                    }
                    None => Ok(match self.judge_without_former(former, welcome)? {
                        Verdict::Drop(_) => Verdict::Drop(None),
                        waits => waits,
                    }),
                }
            }
            _ => Ok(Verdict::Drop(Some("it does not follow a group of this device".to_owned()))),
        }
    }

    /// What follows a group that this device never came into, or has forgotten, or of which it knows no room.
    fn judge_without_former(
        &mut self,
        former: &GroupId,
        welcome: &Welcome,
    ) -> Result<Verdict, StoreError> {
        if *former != welcome.group && self.is_welcomed(former) {
            return Ok(Verdict::Wait);
        }
        // There is a leaf in what follows, and one of the rooms is its.
        self.spend_packages_of(welcome)?;
        let why = "it follows a group that this device is not in";
        Ok(Verdict::Drop((!self.find_groups_now()).then(|| why.to_owned())))
    }

    /// The group that follows one by a ReInit, of which a Welcome waits: that is given up, and another way taken.
    pub(super) fn welcomed_after(
        &mut self,
        former: &GroupId,
    ) -> Result<Option<GroupId>, StoreError> {
        let after = Some(Resumed::Former(former.clone()));
        let ids: Vec<_> = self.welcomes.keys().copied().collect();
        for id in ids {
            if let Some(welcome) = self.overlay.read::<Welcome>(WELCOME, &id.0)?
                && welcome.resumes == after
            {
                self.spend_packages_of(&welcome)?;
                self.handled(&id);
                return Ok(Some(welcome.group));
            }
        }
        Ok(None)
    }
}
