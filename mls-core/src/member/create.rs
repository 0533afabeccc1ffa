//! CreateGroup: rooms by the hub, a group of one leaf, and its registration.

use mls_rs::extension::built_in::ExternalSendersExt;
use mls_rs_core::crypto::{CipherSuite, SignaturePublicKey};
use mls_rs_core::extension::ExtensionList;

use super::engine_storage::{MemberClient, MemberGroup};
use super::group_record::{GroupRecord, State};
use super::intents::{Intent, Stage, Step};
use super::keys::SUITE;
use super::membership_log::{ChangeKind, Proposer};
use super::requests::Purpose;
use super::sealed_handshakes::handshake_key;
use super::{Command, Member};
use crate::address::{ClientId, Network};
use crate::bridge_group::{BridgeGroup, Order};
use crate::engine::EngineError;
use crate::identity::TrustAnchors;
use crate::limits::CLOCK_SKEW_MS;
use crate::policy::{CIPHER_SUITES, GROUP_ID_BYTES};
use crate::receipt::{Receipt, ReceiptError, ReceiptKind};
use crate::required_capabilities;
use crate::store::StoreError;
use crate::wire::blob::Part;
use crate::wire::create_room::{CreateRoom, RoomCreated};
use crate::wire::hub_info::HubInfo;
use crate::wire::refusal::Refusal;
use crate::wire::register_group::RegisterGroup;
use crate::wire::{Answer, Digest, GroupId, Request};

/// What a device is told for which the hub made no room.
pub(super) const NO_OWN_ROOM: &str = "the hub made no room on this device's own network";

impl Member {
    /// Starts the CreateGroup commands that wait for the hub.
    pub(super) fn start_creates(&mut self) -> Result<(), StoreError> {
        for number in self.waiting_creates() {
            self.step_create(number)?;
        }
        Ok(())
    }

    fn waiting_creates(&self) -> Vec<u64> {
        let waits = |i: &&Intent| wanted(&i.command).is_some() && i.stage == Stage::Waiting;
        let waiting = self.intents.values().filter(waits);
        waiting.map(|intent| intent.number).collect()
    }

    /// Asks for the rooms, once the hub is known.
    pub(super) fn step_create(&mut self, number: u64) -> Result<Step, StoreError> {
        let waiting = self.intents.get(&number).filter(|i| i.stage == Stage::Waiting);
        let Some((rooms, suite)) = waiting.and_then(|i| wanted(&i.command)) else {
            return Ok(Step::Wait);
        };
        let rooms = rooms.clone();
        if !CIPHER_SUITES.contains(&suite) {
            let why = EngineError::Suite(suite.into()).to_string();
            return self.fail(number, why).map(|()| Step::Next);
        }
        if let Some(why) = wants_own_room(&self.client, &rooms) {
            return self.fail(number, why).map(|()| Step::Next);
        }
        if self.need_hub()?.is_none() {
            return Ok(Step::Wait);
        }
        self.request(Purpose::Intent(number), Request::CreateRoom(rooms))?;
        self.set_stage(number, Stage::Asked).map(|()| Step::Wait)
    }

    /// The hub answered what was asked for a CreateGroup.
    pub(super) fn create_answered(
        &mut self,
        number: u64,
        asked: Option<Request>,
        result: Result<Answer, Refusal>,
    ) -> Result<(), StoreError> {
        let stage = self.intents.get(&number).map(|intent| intent.stage.clone());
        match (stage, asked, result) {
            (Some(Stage::Asked), _, Ok(Answer::RoomCreated(rooms))) => {
                self.make_group(number, &rooms)
            }
            (
                Some(Stage::Registering(group)),
                Some(Request::RegisterGroup(asked)),
                Ok(Answer::Receipt(receipt)),
            ) => match self.registered(&group, &asked.group_info, &receipt)? {
                Ok(()) => self.done(number, Some(group)),
                Err(why) => self.fail(number, why),
            },
            (stage, _, result) => {
                if let Some(Stage::Registering(group)) = stage {
                    self.forget_unregistered(&group)?;
                }
                let why = match result {
                    Err(refusal) => format!("the hub refuses: {refusal}"),
                    Ok(_) => "the hub answered something else than was asked".to_owned(),
                };
                self.fail(number, why)
            }
        }
    }

    /// The rooms are there: makes the group and hands it to the hub.
    fn make_group(&mut self, number: u64, rooms: &RoomCreated) -> Result<(), StoreError> {
        let Some(hub) = self.hub()? else { return Ok(()) };
        if !self.is_on_own_network(rooms) {
            return self.fail(number, NO_OWN_ROOM);
        }
        let anchors = self.anchors_for_group()?;
        let bound = BridgeGroup { anchors, ..self.bind(&hub, rooms) };
        let command = self.intents.get(&number).map(|intent| intent.command.clone());
        let suite = command.as_ref().and_then(wanted).map_or(SUITE, |(_, suite)| suite);
        let made = self.new_mls_group(suite, &hub, &bound);
        let id = match made.and_then(|group| Ok((registration(&group)?, group))) {
            Ok((register, group)) => self.hand_over(number, group, register, bound)?,
            Err(error) => return self.fail(number, format!("the group cannot be made: {error}")),
        };
        if let Some(room) = self.own_room(&id) {
            self.want_room(&room)?;
        }
        self.set_stage(number, Stage::Registering(id))
    }

    /// Keeps a group that was just made, and hands it to the hub.
    pub(super) fn hand_over(
        &mut self,
        number: u64,
        group: MemberGroup,
        register: RegisterGroup,
        bound: BridgeGroup,
    ) -> Result<GroupId, StoreError> {
        let id = self.keep_unregistered(group, bound, None)?;
        self.request(Purpose::Intent(number), Request::RegisterGroup(register))?;
        Ok(id)
    }

    /// Keeps a group that was just made, perhaps as a branch, until the hub has taken it.
    pub(super) fn keep_unregistered(
        &mut self,
        group: MemberGroup,
        bound: BridgeGroup,
        branched_from: Option<GroupId>,
    ) -> Result<GroupId, StoreError> {
        let id = GroupId(group.group_id().to_vec());
        let mut record = GroupRecord::new(id.clone(), State::Registering, self.now_ms);
        record.suite = group.cipher_suite().into();
        record.epoch = group.current_epoch();
        record.joined_epoch = record.epoch;
        record.rooms = bound.rooms();
        record.receipt_key = bound.receipt_key;
        record.branched_from = branched_from;
        let loaded = self.new_group(group)?;
        self.give_back(&id, loaded);
        self.save_record(record)?;
        Ok(id)
    }

    /// Whether the hub made a room in which this device can be.
    pub(super) fn is_on_own_network(&self, rooms: &RoomCreated) -> bool {
        match self.client.network() {
            Network::Matrix => rooms.matrix_room.is_some(),
            Network::Xmpp => rooms.muc.is_some(),
        }
    }

    /// What the context of a group of this device's says of hub and rooms; no authorities yet.
    pub(super) fn bind(&self, hub: &HubInfo, rooms: &RoomCreated) -> BridgeGroup {
        let hub_matrix = hub.hub_matrix.clone().unwrap_or_default();
        let via = hub_matrix.split_once(':').map(|(_, server)| server.to_owned());
        BridgeGroup {
            version: 0,
            receipt_key: hub.receipt_key.clone(),
            hub_matrix,
            hub_xmpp: hub.hub_xmpp.clone().unwrap_or_default(),
            matrix_room: rooms.matrix_room.clone().unwrap_or_default(),
            matrix_via: via.filter(|_| rooms.matrix_room.is_some()).unwrap_or_default(),
            muc: rooms.muc.clone().unwrap_or_default(),
            admins: self.client.user().to_string(),
            order: Order::Hub,
            members_may_add: false,
            basic_allowed: true,
            open_join: false,
            join_psk: Vec::new(),
            previous_key: Vec::new(),
            handover: Vec::new(),
            replaces: Vec::new(),
            anchors: TrustAnchors::default(),
        }
    }

    fn new_mls_group(
        &self,
        suite: CipherSuite,
        hub: &HubInfo,
        bound: &BridgeGroup,
    ) -> Result<MemberGroup, EngineError> {
        self.group_of_one(&self.engine_of(suite), context(suite, hub, bound)?)
    }

    /// An id for a group that is to be made.
    pub(super) fn fresh_group_id(&self) -> Result<GroupId, StoreError> {
        let id = self.crypto.random_bytes(GROUP_ID_BYTES);
        id.map(GroupId).map_err(|e| StoreError(e.to_string()))
    }

    /// A group of this device alone.
    pub(super) fn group_of_one(
        &self,
        engine: &MemberClient,
        extensions: ExtensionList,
    ) -> Result<MemberGroup, EngineError> {
        let time = self.backdated();
        let id = self.crypto.random_bytes(GROUP_ID_BYTES)?;
        let leaf = self.leaf_extensions(&engine.signing_identity()?.0.signature_key)?;
        Ok(engine.create_group_with_id(id, extensions, leaf, Some(time))?)
    }

    /// The hub accepted a group that we made. The inner error is why that leads nowhere.
    pub(super) fn registered(
        &mut self,
        group: &GroupId,
        group_info: &Part,
        receipt: &[u8],
    ) -> Result<Result<(), String>, StoreError> {
        let Some(record) = self.record(group).cloned() else {
            return Ok(Err("this device has forgotten the group".to_owned()));
        };
        let info = group_info.inline().unwrap_or_default();
        let receipt = match check_first(&record, info, receipt, self.now_ms) {
            Ok(receipt) => receipt,
            Err(error) => {
                self.forget_unregistered(group)?;
                return Ok(Err(format!("the hub's receipt is not good: {error}")));
            }
        };
        let Some(loaded) = self.take_group(group)? else {
            // The hub has the group, and our leaf in it is a way back.
            self.lost(group)?;
            return Ok(Err("the group's state is gone: this device tries to come back".to_owned()));
        };
        self.mark_epoch(group, &loaded, &receipt)?;
        let by = Proposer::Member(self.client.clone());
        self.log_own(&receipt, loaded.group.current_epoch(), ChangeKind::Added, by)?;
        self.change_record(group, |record| {
            record.state = State::Live;
            record.last_receipt = Some(receipt);
        })?;
        self.plan_update(group, &loaded, true)?;
        self.emit_joined(group, &loaded, record.rooms)?;
        self.give_back(group, loaded);
        self.read_future(group).map(Ok)
    }
}

/// What the hub is given of a group of one.
pub(super) fn registration(group: &MemberGroup) -> Result<RegisterGroup, EngineError> {
    Ok(RegisterGroup {
        group_info: group.group_info_message_allowing_ext_commit(false)?.to_bytes()?.into(),
        tree: group.export_tree().to_bytes()?.into(),
        handshake_key: handshake_key(group)?,
    })
}

/// Why these rooms are not enough for a group that this device makes, if they are not.
pub(super) fn wants_own_room(client: &ClientId, rooms: &CreateRoom) -> Option<String> {
    let network = client.network();
    let own = match network {
        Network::Matrix => rooms.matrix,
        Network::Xmpp => rooms.xmpp,
    };
    (!own).then(|| format!("a group that you make needs a room on your own network, {network}"))
}

/// The context of a group that is made from nothing.
pub(super) fn context(
    suite: CipherSuite,
    hub: &HubInfo,
    bound: &BridgeGroup,
) -> Result<ExtensionList, EngineError> {
    let sender = hub.sender(suite.into()).ok_or(EngineError::Suite(suite.into()))?;
    let mut extensions = ExtensionList::new();
    let set = |result: Result<(), mls_rs_core::extension::ExtensionError>| {
        result.map_err(|e| EngineError::Crypto(e.to_string()))
    };
    set(extensions.set_from(bound.clone()))?;
    set(extensions.set_from(required_capabilities::required()))?;
    set(extensions.set_from(ExternalSendersExt::new(vec![sender])))?;
    Ok(extensions)
}

/// The rooms and the suite of a command that makes a group.
pub(super) fn wanted(command: &Command) -> Option<(&CreateRoom, CipherSuite)> {
    match command {
        Command::CreateGroup(rooms) => Some((rooms, SUITE)),
        Command::CreateGroupWith(with) => Some((&with.rooms, CipherSuite::from(with.suite))),
        _ => None,
    }
}

/// The receipt for seq 0 must be the first of its chain, for our GroupInfo.
fn check_first(
    record: &GroupRecord,
    group_info: &[u8],
    receipt: &[u8],
    now_ms: u64,
) -> Result<Receipt, ReceiptError> {
    let receipt = Receipt::from_bytes(receipt)?;
    receipt.verify(&SignaturePublicKey::from(record.receipt_key.clone()))?;
    receipt.covers(&record.group, group_info)?;
    let tbs = &receipt.tbs;
    let first = tbs.kind == ReceiptKind::Group
        && (tbs.seq, tbs.epoch) == (0, record.epoch)
        && tbs.previous == Digest([0; 32]);
    if !first {
        Err(ReceiptError::OtherMessage)
    } else if tbs.time_ms > now_ms.saturating_add(CLOCK_SKEW_MS) {
        Err(ReceiptError::Time)
    } else {
        Ok(receipt)
    }
}
