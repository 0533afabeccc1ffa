//! A branch of one of our groups, into which this device was welcomed (RFC 9420 11.3).
//!
//! Its Welcome needs the PSK of the parent's epoch from which it was made. A device that is not there yet
//! follows the parent first; one that has gone on takes the PSK of the past epoch. One that lacks it comes
//! in by an external commit into its own leaf, as into any group that a hub shows, and then nothing
//! proves to it that the group branches from the other.

use mls_rs::error::MlsError;
use mls_rs_codec::MlsDecode;
use mls_rs_core::crypto::CipherSuite;
use mls_rs_core::extension::ExtensionList;

use super::engine_storage::KEY_PACKAGE;
use super::enter::{message_of, refused, with_tree};
use super::group_record::State;
use super::welcome::Verdict;
use super::{Member, is_storage_fault};
use crate::address::RoomAddress;
use crate::bridge_group::BridgeGroup;
use crate::store::StoreError;
use crate::wire::GroupId;
use crate::wire::hub_info::HubInfo;
use crate::wire::welcome::{Parent, Welcome};

impl Member {
    /// What to do with a Welcome into a branch.
    pub(super) fn judge_branch(
        &mut self,
        parent: &Parent,
        welcome: &Welcome,
        hub: &HubInfo,
    ) -> Result<Verdict, StoreError> {
        let (bound, room) = match self.own_part(parent) {
            Ok((bound, _, room)) => (bound, room),
            Err(why) => return Ok(Verdict::Drop(Some(why))),
        };
        if hub.senders_of(&bound.receipt_key).is_none() && self.ask_hub_at_once()? {
            return Ok(Verdict::Wait);
        }
        if self.record(&parent.group).is_none() && !self.has_package_of(welcome)? {
            return Ok(Verdict::Drop(Some("it is for no key package of this device".to_owned())));
        }
        if !self.is_in_room(&room) {
            return self.want_room_of_welcome(&room).map(|()| Verdict::Wait);
        }
        self.judge_parent(parent, welcome, &room)
    }

    fn judge_parent(
        &mut self,
        parent: &Parent,
        welcome: &Welcome,
        room: &RoomAddress,
    ) -> Result<Verdict, StoreError> {
        if self.has_secret_of(&parent.group, parent.epoch)? {
            return Ok(Verdict::Branch(parent.clone()));
        }
        match self.record(&parent.group).map(|record| (record.state, record.epoch)) {
            Some((State::Live, epoch))
                if epoch < parent.epoch && !self.doubts.beyond.contains(&welcome.id) =>
            {
                self.doubts.ahead.insert(welcome.id, parent.clone());
                self.fetch_handshakes(&parent.group)?;
                Ok(Verdict::Wait)
            }
            _ => self.enter_by_leaf(welcome, room).map(|()| Verdict::Drop(None)),
        }
    }

    /// Comes into the branch as into any group in which there is a leaf of this device.
    fn enter_by_leaf(&mut self, welcome: &Welcome, room: &RoomAddress) -> Result<(), StoreError> {
        self.spend_packages_of(welcome)?;
        self.rejoin_found(&welcome.group, room)
    }

    /// A Welcome is given up.
    pub(super) fn spend_packages_of(&mut self, welcome: &Welcome) -> Result<(), StoreError> {
        if let Ok(message) = message_of(welcome)
            && let Some(suite) = message.cipher_suite()
        {
            let used = message.welcome_key_package_references().into_iter();
            let used: Vec<_> = used.map(|reference| reference.to_vec()).collect();
            self.key_packages_spent(suite, &used)?;
        }
        Ok(())
    }

    /// Whether a Welcome is for a key package of this device.
    fn has_package_of(&self, welcome: &Welcome) -> Result<bool, StoreError> {
        let Ok(message) = message_of(welcome) else { return Ok(false) };
        for reference in message.welcome_key_package_references() {
            if self.overlay.get(KEY_PACKAGE, reference)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The hub has told all that it knows of a group, and a branch is of an epoch that this does not have.
    pub(super) fn parent_told(&mut self, parent: &GroupId) -> Result<(), StoreError> {
        let ahead = self.doubts.ahead.iter().filter(|(_, of)| of.group == *parent);
        let beyond: Vec<_> = ahead.map(|(id, _)| *id).collect();
        self.doubts.beyond.extend(&beyond);
        self.try_some(&beyond)
    }

    /// A group of ours has moved, perhaps to where a branch of it was made.
    pub(super) fn enter_awaited_branches(&mut self, parent: &GroupId) -> Result<(), StoreError> {
        let epoch = self.record(parent).map_or(0, |record| record.epoch);
        let ahead = self.doubts.ahead.iter();
        let there = ahead.filter(|(_, of)| of.group == *parent && of.epoch <= epoch);
        let there: Vec<_> = there.map(|(id, _)| *id).collect();
        there.iter().for_each(|id| drop(self.doubts.ahead.remove(id)));
        self.try_some(&there)
    }

    /// Enters a branch. The inner error is why the Welcome cannot be used.
    pub(super) fn enter_branch(
        &mut self,
        parent: &Parent,
        welcome: &Welcome,
        hub: &HubInfo,
    ) -> Result<Result<(), String>, StoreError> {
        let (message, tree) = match with_tree(welcome) {
            Ok(parts) => parts,
            Err(unfit) => return Ok(Err(unfit.to_string())),
        };
        let (extensions, room) = match self.own_part(parent) {
            Ok((_, extensions, room)) => (extensions, room),
            Err(why) => return Ok(Err(why)),
        };
        let suite = self.record(&parent.group).map_or(0, |record| record.suite);
        let signer = self.keys.of(CipherSuite::from(suite)).secret().clone();
        let copy = match self.parent_copy(&parent.group, parent.epoch, &extensions, &signer)? {
            Ok(Some(copy)) => copy,
            Ok(None) => return self.enter_by_leaf(welcome, &room).map(Ok),
            Err(why) => return Ok(Err(why.to_string())),
        };
        match copy.join_subgroup(&message, Some(tree), None) {
            Ok((group, _)) => match self.admit(welcome, message, group.context(), hub) {
                Ok(admitted) => self.enter(welcome, group, admitted.out_of(&parent.group)),
                Err(error) => Ok(Err(error.to_string())),
            },
            // Somebody in it has left the parent since, as far as this device knows that.
            Err(MlsError::NotASubgroup) => self.enter_by_leaf(welcome, &room).map(Ok),
            // Its state of that epoch is one that the room led to, and the hub took back another.
            Err(error) if !is_storage_fault(&error) && self.has_branches(&parent.group)? => {
                self.enter_by_leaf(welcome, &room).map(Ok)
            }
            Err(error) => refused(&error),
        }
    }

    /// What the hub says of the branch's context, with the room in which this device would be; the engine
    /// compares it with what the Welcome holds.
    fn own_part(
        &self,
        parent: &Parent,
    ) -> Result<(BridgeGroup, ExtensionList, RoomAddress), String> {
        let extensions = ExtensionList::mls_decode(&mut parent.extensions.as_slice())
            .map_err(|error| format!("the branch's context cannot be read: {error}"))?;
        let bound = BridgeGroup::from_extensions(&extensions).map_err(|error| error.to_string())?;
        if bound.replaced().is_some() {
            return Err("a branch does not replace another group".to_owned());
        }
        let network = self.client.network();
        let room = bound.rooms().into_iter().find(|room| room.network == network);
        let room = room.ok_or_else(|| format!("the branch has no room on {network}"))?;
        Ok((bound, extensions, room))
    }
}
