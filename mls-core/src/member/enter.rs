//! Entering a group by a Welcome: what is checked before the engine joins, and after (overview:
//! "Join by Welcome"). The queue of Welcomes is in [`super::welcome`].

use mls_rs::MlsMessage;
use mls_rs::error::MlsError;
use mls_rs::group::{ExportedTree, GroupContext};
use mls_rs_core::crypto::CipherSuite;

use super::admission::{AdmissionError, check_context, check_receipt, check_roster};
use super::engine_storage::MemberGroup;
use super::event::Joined;
use super::group_record::{GroupRecord, State};
use super::loaded::Loaded;
use super::membership_log::{ChangeKind, Proposer};
use super::{Event, Member, engine_fault, is_storage_fault};
use crate::address::RoomAddress;
use crate::bridge_group::BridgeGroup;
use crate::identity::clients;
use crate::limits::OBJECT_BYTES_MAX;
use crate::receipt::Receipt;
use crate::store::StoreError;
use crate::wire::GroupId;
use crate::wire::hub_info::HubInfo;
use crate::wire::welcome::Welcome;

/// A Welcome that passed the checks that come before the tree.
pub(super) struct Admitted {
    message: MlsMessage,
    pub(super) receipt: Receipt,
    pub(super) bound: BridgeGroup,
    suite: CipherSuite,
    /// The group that it branches from, as the engine has proved.
    branched_from: Option<GroupId>,
}

impl Admitted {
    /// The same, into a branch of a group.
    pub(super) fn out_of(self, parent: &GroupId) -> Self {
        Self { branched_from: Some(parent.clone()), ..self }
    }
}

impl Member {
    /// The checks that need no tree. The outer error is the machine's.
    pub(super) fn examine(
        &self,
        welcome: &Welcome,
        hub: &HubInfo,
    ) -> Result<Result<Admitted, AdmissionError>, StoreError> {
        let message = match message_of(welcome) {
            Ok(message) => message,
            Err(unfit) => return Ok(Err(unfit)),
        };
        let info = match self.engine.examine_welcome_message(&message) {
            Ok(info) => info,
            Err(error) if is_storage_fault(&error) => return Err(engine_fault(&error)),
            Err(error) => return Ok(Err(AdmissionError::Engine(why_unfit(&error)))),
        };
        Ok(self.admit(welcome, message, info.group_context(), hub))
    }

    /// Checks what the Welcome leads to.
    pub(super) fn admit(
        &self,
        welcome: &Welcome,
        message: MlsMessage,
        context: &GroupContext,
        hub: &HubInfo,
    ) -> Result<Admitted, AdmissionError> {
        let bound = check_context(context, &welcome.group, hub)?;
        let receipt =
            check_receipt(&welcome.receipt, &welcome.group, context.epoch, &bound, self.now_ms)?;
        let suite = context.cipher_suite;
        Ok(Admitted { message, receipt, bound, suite, branched_from: None })
    }

    /// Enters the group. The inner error is why the Welcome cannot be used.
    pub(super) fn join(
        &mut self,
        welcome: &Welcome,
        admitted: Admitted,
    ) -> Result<Result<(), String>, StoreError> {
        let tree = ExportedTree::from_bytes(welcome.tree.inline().unwrap_or_default());
        let engine = self.engine_of(admitted.suite);
        let joined = tree.and_then(|tree| engine.join_group(Some(tree), &admitted.message, None));
        match joined {
            Ok((group, info)) => match self.replaced_here(&welcome.group, &admitted.bound) {
                None => self.enter(welcome, group, admitted),
                Some(former) => self.enter_in_place(former, welcome, group, admitted, info.sender),
            },
            Err(error) => refused(&error),
        }
    }

    /// Enters the group that follows one of ours. Its context can only be read with the former's
    /// PSK, so it is checked after the engine has joined.
    pub(super) fn follow(
        &mut self,
        former: &GroupId,
        welcome: &Welcome,
        hub: &HubInfo,
    ) -> Result<Result<(), String>, StoreError> {
        let (message, tree) = match with_tree(welcome) {
            Ok(parts) => parts,
            Err(unfit) => return Ok(Err(unfit.to_string())),
        };
        let group = match self.join_successor(former, tree, &message)? {
            Ok(group) => group,
            Err(error) => return refused(&error),
        };
        let admitted = match self.admit(welcome, message, group.context(), hub) {
            Ok(admitted) => admitted,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let entered = self.enter(welcome, group, admitted)?;
        if entered.is_ok() {
            self.take_place(former, &welcome.group)?;
        }
        Ok(entered)
    }

    pub(super) fn enter(
        &mut self,
        welcome: &Welcome,
        group: MemberGroup,
        admitted: Admitted,
    ) -> Result<Result<(), String>, StoreError> {
        let references: Vec<_> = admitted
            .message
            .welcome_key_package_references()
            .into_iter()
            .map(|reference| reference.to_vec())
            .collect();
        if let Err(error) = check_roster(&group.roster()) {
            return Ok(Err(error.to_string()));
        }
        let overtaken = self.take_along(welcome)?;
        self.delete_secrets(&welcome.group)?;
        let loaded = self.new_group(group)?;
        self.key_packages_used(admitted.suite, &references)?;
        let rejoin = self.record(&welcome.group).and_then(|record| record.rejoin.clone());
        self.begin_membership(&welcome.group, loaded, admitted)?;
        if let Some(overtaken) = overtaken {
            self.went_along(&welcome.group, overtaken)?;
        }
        if let Some(number) = rejoin.and_then(|rejoin| rejoin.intent) {
            // The way back in is found, though it is another.
            self.done(number, Some(welcome.group.clone()))?;
        }
        self.apply_early(&welcome.group)?;
        self.read_future(&welcome.group)?;
        Ok(Ok(()))
    }

    fn begin_membership(
        &mut self,
        id: &GroupId,
        loaded: Loaded,
        admitted: Admitted,
    ) -> Result<(), StoreError> {
        let Admitted { receipt, bound, branched_from, .. } = admitted;
        self.forget_followed(id)?;
        self.key_histories.remove(id);
        self.returned(id);
        self.settle_key(id, &loaded)?;
        self.mark_epoch(id, &loaded, &receipt)?;
        let epoch = loaded.group.current_epoch();
        self.log_own(&receipt, epoch, ChangeKind::Added, Proposer::Unknown)?;
        let mut record = GroupRecord::new(id.clone(), State::Live, self.now_ms);
        record.suite = u16::from(loaded.group.cipher_suite());
        record.rooms = bound.rooms();
        record.receipt_key = bound.receipt_key.clone();
        record.branched_from = branched_from;
        record.epoch = loaded.group.current_epoch();
        record.joined_epoch = record.epoch;
        record.last_receipt = Some(receipt);
        record.room_head = self.begin_room_order_where_it_is(id, &loaded)?;
        self.save_record(record)?;
        self.plan_first_update(id, &loaded)?;
        self.prepare_first_key(id, loaded.group.cipher_suite())?;
        self.renew_unsigned_leaf(id, &loaded)?;
        self.emit_joined(id, &loaded, bound.rooms())?;
        self.give_back(id, loaded);
        Ok(())
    }

    /// This device is a member now.
    pub(super) fn emit_joined(
        &mut self,
        id: &GroupId,
        loaded: &Loaded,
        rooms: Vec<RoomAddress>,
    ) -> Result<(), StoreError> {
        if let Ok(bound) = BridgeGroup::from_extensions(&loaded.group.context().extensions) {
            self.anchors_of_group(id, &bound)?;
        }
        let branched_from = self.record(id).and_then(|record| record.branched_from.clone());
        let joined = Joined {
            branched_from,
            group: id.clone(),
            epoch: loaded.group.current_epoch(),
            rooms,
            members: clients(&loaded.group.roster()),
        };
        self.emit(Event::Joined(joined))?;
        self.tell_of_revoked(id, &self.revoked_members(loaded))?;
        self.look_at_all_identities(id, &loaded.group)
    }
}

/// The Welcome's MLSMessage.
pub(super) fn message_of(welcome: &Welcome) -> Result<MlsMessage, AdmissionError> {
    let bytes = welcome.welcome.inline().filter(|bytes| bytes.len() <= OBJECT_BYTES_MAX);
    let bytes = bytes.ok_or(AdmissionError::Unfit("it is too large, or was not fetched"))?;
    MlsMessage::from_bytes(bytes).map_err(|_| AdmissionError::Unfit("it is not an MLS message"))
}

/// The same with the tree of the epoch that it leads to.
pub(super) fn with_tree(
    welcome: &Welcome,
) -> Result<(MlsMessage, ExportedTree<'_>), AdmissionError> {
    let tree = ExportedTree::from_bytes(welcome.tree.inline().unwrap_or_default())
        .map_err(|_| AdmissionError::Unfit("it came without a ratchet tree"))?;
    Ok((message_of(welcome)?, tree))
}

/// The engine does not join: the machine's fault, or why the Welcome cannot be used.
pub(super) fn refused<T>(error: &MlsError) -> Result<Result<T, String>, StoreError> {
    match is_storage_fault(error) {
        true => Err(engine_fault(error)),
        false => Ok(Err(why_unfit(error))),
    }
}

fn why_unfit(error: &MlsError) -> String {
    match error {
        MlsError::WelcomeKeyPackageNotFound => {
            "the key package that it is for is gone: used before, or its time was over".to_owned()
        }
        _ => error.to_string(),
    }
}
