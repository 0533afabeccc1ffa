//! Joining by a Welcome (overview: "Join by Welcome").
//!
//! A Welcome is kept until its room is entered, then acknowledged to the hub, which keeps it
//! until then: the way that it is pushed is lossy. A copy that cannot be used may have been
//! damaged on that way, so the hub is asked once more for its own before it is given up.

use std::collections::{BTreeMap, BTreeSet};

use mls_rs::MlsMessage;
use mls_rs::group::ExportedTree;

use super::admission::{check_context, check_receipt, check_roster};
use super::event::Joined;
use super::group_record::{GroupRecord, State};
use super::loaded::Loaded;
use super::requests::Purpose;
use super::{Event, Member, engine_fault, is_storage_fault};
use crate::address::RoomAddress;
use crate::bridge_group::BridgeGroup;
use crate::identity::clients;
use crate::limits::{OBJECT_BYTES_MAX, WELCOMES_WAITING_MAX};
use crate::overlay::{Overlay, decode};
use crate::receipt::Receipt;
use crate::store::{Space, StoreError};
use crate::wire::fetch_welcomes::FetchWelcomes;
use crate::wire::hub_info::HubInfo;
use crate::wire::refusal::Refusal;
use crate::wire::welcome::Welcome;
use crate::wire::{Answer, Digest, GroupId, Request};

/// Welcomes that are not dealt with.
const WELCOME: Space = "welcome";
/// Ids of Welcomes that were dealt with, until the hub knows.
const HANDLED: Space = "handled_welcome";

/// Groups of Welcomes that wait.
pub(super) type Welcomes = BTreeMap<Digest, GroupId>;

/// Welcomes of which one copy could not be used. Not stored: a restart asks for all that wait.
#[derive(Default)]
pub(super) struct Doubts {
    ids: BTreeSet<Digest>,
    /// Whether another copy is still to be asked for.
    to_ask: bool,
}

/// What to do with a Welcome now.
enum Verdict {
    /// Enter the group.
    Join(Box<Admitted>),
    /// Look again later.
    Wait,
    /// It leads nowhere; with a reason if people should know.
    Drop(Option<String>),
}

/// A Welcome that passed the checks that come before the tree.
struct Admitted {
    message: MlsMessage,
    receipt: Receipt,
    bound: BridgeGroup,
}

/// The Welcomes that wait in a store.
pub(super) fn open(overlay: &Overlay) -> Result<Welcomes, StoreError> {
    let mut welcomes = Welcomes::new();
    for (_, value) in overlay.scan(WELCOME, &[], &[], WELCOMES_WAITING_MAX)? {
        let welcome: Welcome = decode(WELCOME, &value)?;
        welcomes.insert(welcome.id, welcome.group);
    }
    Ok(welcomes)
}

impl Member {
    /// Whether a Welcome into a group waits.
    pub(super) fn is_welcomed(&self, group: &GroupId) -> Result<bool, StoreError> {
        Ok(self.welcomes.values().any(|waiting| waiting == group))
    }

    /// A Welcome came, by whatever way.
    pub(super) fn welcome(&mut self, welcome: Welcome) -> Result<(), StoreError> {
        let id = welcome.id;
        let known = self.welcomes.contains_key(&id) || self.overlay.get(HANDLED, &id.0)?.is_some();
        if welcome.client != self.client || known || self.welcomes.len() >= WELCOMES_WAITING_MAX {
            return Ok(());
        }
        self.overlay.write(WELCOME, &id.0, &welcome)?;
        self.welcomes.insert(id, welcome.group);
        self.try_welcome(&id)?;
        self.acknowledge()
    }

    /// Looks at all waiting Welcomes again.
    pub(super) fn try_welcomes(&mut self) -> Result<(), StoreError> {
        for id in self.welcomes.keys().copied().collect::<Vec<_>>() {
            self.try_welcome(&id)?;
        }
        self.acknowledge()
    }

    fn try_welcome(&mut self, id: &Digest) -> Result<(), StoreError> {
        let Some(welcome) = self.overlay.read::<Welcome>(WELCOME, &id.0)? else { return Ok(()) };
        let Some(hub) = self.need_hub()? else { return Ok(()) };
        match self.judge(&welcome, &hub)? {
            Verdict::Wait => Ok(()),
            Verdict::Drop(None) => {
                self.handled(id);
                Ok(())
            }
            Verdict::Drop(Some(why)) => self.unusable(&welcome, &why),
            Verdict::Join(admitted) => match self.join(&welcome, *admitted)? {
                Ok(()) => {
                    self.handled(id);
                    Ok(())
                }
                Err(why) => self.unusable(&welcome, &why),
            },
        }
    }

    /// One copy cannot be used: another is asked for, and if that is no better, people are told.
    fn unusable(&mut self, welcome: &Welcome, why: &str) -> Result<(), StoreError> {
        let id = welcome.id;
        let first = !self.doubts.ids.contains(&id) && self.doubts.ids.len() < WELCOMES_WAITING_MAX;
        if first {
            self.doubts.ids.insert(id);
            self.doubts.to_ask = true;
            self.forget_welcome(&id);
            return Ok(());
        }
        self.handled(&id);
        self.warn(&welcome.group, format!("a Welcome was refused: {why}"))
    }

    fn judge(&mut self, welcome: &Welcome, hub: &HubInfo) -> Result<Verdict, StoreError> {
        if let Some(verdict) = self.judge_held(welcome)? {
            return Ok(verdict);
        }
        let admitted = match self.examine(welcome, hub)? {
            Ok(admitted) => admitted,
            Err(why) => return Ok(Verdict::Drop(Some(why))),
        };
        let network = self.client.network();
        match admitted.bound.rooms().into_iter().find(|room| room.network == network) {
            None => Ok(Verdict::Drop(Some(format!("the group has no room on {network}")))),
            Some(room) if self.is_in_room(&room) => Ok(Verdict::Join(Box::new(admitted))),
            Some(room) => self.want_room(&room).map(|()| Verdict::Wait),
        }
    }

    /// A group that is held must not be overwritten: unless we left it behind.
    fn judge_held(&mut self, welcome: &Welcome) -> Result<Option<Verdict>, StoreError> {
        let Some(record) = self.record(&welcome.group) else { return Ok(None) };
        match record.state {
            State::Gone | State::Rejoining => Ok(None),
            State::Registering => Ok(Some(Verdict::Drop(None))),
            State::Live if record.epoch >= welcome.epoch => Ok(Some(Verdict::Drop(None))),
            State::Live => {
                // We were removed and added again, and have not heard of the former yet.
                self.fetch_handshakes(&welcome.group)?;
                Ok(Some(Verdict::Wait))
            }
        }
    }

    /// The checks that need no tree. The outer error is the machine's.
    fn examine(
        &self,
        welcome: &Welcome,
        hub: &HubInfo,
    ) -> Result<Result<Admitted, String>, StoreError> {
        let Some(bytes) = welcome.welcome.inline().filter(|b| b.len() <= OBJECT_BYTES_MAX) else {
            return Ok(Err("it is too large, or was not fetched".to_owned()));
        };
        let Ok(message) = MlsMessage::from_bytes(bytes) else {
            return Ok(Err("it is not an MLS message".to_owned()));
        };
        let info = match self.engine.examine_welcome_message(&message) {
            Ok(info) => info,
            Err(error) if is_storage_fault(&error) => return Err(engine_fault(&error)),
            Err(error) => return Ok(Err(error.to_string())),
        };
        let context = info.group_context();
        let admitted = check_context(context, &welcome.group, hub).and_then(|bound| {
            let receipt =
                check_receipt(&welcome.receipt, &welcome.group, context.epoch, hub, self.now_ms)?;
            Ok(Admitted { message, receipt, bound })
        });
        Ok(admitted.map_err(|error| error.to_string()))
    }

    /// Enters the group. The inner error is why the Welcome cannot be used.
    fn join(
        &mut self,
        welcome: &Welcome,
        admitted: Admitted,
    ) -> Result<Result<(), String>, StoreError> {
        let references: Vec<_> = admitted
            .message
            .welcome_key_package_references()
            .into_iter()
            .map(|reference| reference.to_vec())
            .collect();
        let tree = ExportedTree::from_bytes(welcome.tree.inline().unwrap_or_default());
        let joined =
            tree.and_then(|tree| self.engine.join_group(Some(tree), &admitted.message, None));
        let group = match joined {
            Ok((group, _)) => group,
            Err(error) if is_storage_fault(&error) => return Err(engine_fault(&error)),
            Err(error) => return Ok(Err(error.to_string())),
        };
        if let Err(error) = check_roster(&group.roster()) {
            return Ok(Err(error.to_string()));
        }
        self.take_pending(&welcome.group)?;
        self.delete_secrets(&welcome.group)?;
        let loaded = self.new_group(group)?;
        self.key_packages_used(&references)?;
        let rejoin = self.record(&welcome.group).and_then(|record| record.rejoin.clone());
        self.begin_membership(&welcome.group, loaded, admitted.receipt, &admitted.bound)?;
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
        receipt: Receipt,
        bound: &BridgeGroup,
    ) -> Result<(), StoreError> {
        let mut record = GroupRecord::new(id.clone(), State::Live, self.now_ms);
        record.suite = u16::from(loaded.group.cipher_suite());
        record.rooms = bound.rooms();
        record.receipt_key = bound.receipt_key.clone();
        record.epoch = loaded.group.current_epoch();
        record.joined_epoch = record.epoch;
        record.last_receipt = Some(receipt);
        self.save_record(record)?;
        self.plan_first_update(id, &loaded)?;
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
        let joined = Joined {
            group: id.clone(),
            epoch: loaded.group.current_epoch(),
            rooms,
            members: clients(&loaded.group.roster()),
        };
        self.emit(Event::Joined(joined)).map(|_| ())
    }

    /// A Welcome needs no more attention.
    fn handled(&mut self, id: &Digest) {
        self.forget_welcome(id);
        self.doubts.ids.remove(id);
        self.overlay.put(HANDLED, &id.0, Vec::new());
    }

    /// A copy of a Welcome waits no longer.
    fn forget_welcome(&mut self, id: &Digest) {
        self.welcomes.remove(id);
        self.overlay.delete(WELCOME, &id.0);
    }

    /// Tells the hub what was dealt with, and asks again for what came damaged, if there is any.
    fn acknowledge(&mut self) -> Result<(), StoreError> {
        let some = self.doubts.to_ask || !self.overlay.scan(HANDLED, &[], &[], 1)?.is_empty();
        if some { self.fetch_welcomes() } else { Ok(()) }
    }

    /// Asks for Welcomes that wait at the hub, unless that is under way.
    pub(super) fn fetch_welcomes(&mut self) -> Result<(), StoreError> {
        if self.is_asking(|purpose| matches!(purpose, Purpose::Welcomes(_))) {
            return Ok(());
        }
        self.doubts.to_ask = false;
        let handled = self.overlay.scan(HANDLED, &[], &[], WELCOMES_WAITING_MAX)?;
        let digest = |(key, _): (Vec<u8>, _)| key.try_into().ok().map(Digest);
        let acknowledged: Vec<_> = handled.into_iter().filter_map(digest).collect();
        let device = self.client.device();
        let fetch = FetchWelcomes { device, acknowledged: acknowledged.clone() };
        self.request(Purpose::Welcomes(acknowledged), Request::FetchWelcomes(fetch)).map(|_| ())
    }

    /// The hub answered a FetchWelcomes.
    pub(super) fn welcomes_answered(
        &mut self,
        acknowledged: &[Digest],
        result: Result<Answer, Refusal>,
    ) -> Result<(), StoreError> {
        let Ok(Answer::Welcomes(answer)) = result else { return Ok(()) };
        for id in acknowledged {
            self.overlay.delete(HANDLED, &id.0);
        }
        let mut news = false;
        for welcome in answer.welcomes {
            news |= !self.welcomes.contains_key(&welcome.id);
            self.welcome(welcome)?;
        }
        self.acknowledge()?;
        // Only what is acknowledged makes place for more.
        if answer.more && news { self.fetch_welcomes() } else { Ok(()) }
    }
}
