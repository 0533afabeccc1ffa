//! Coming back by an external commit that replaces our own leaf, with the same signature key.
//!
//! By command, or by itself after the group's state was lost. The new group is built from the
//! hub's GroupInfo and lies in the candidate slot
//! beside the old group until its receipt comes.

use mls_rs::MlsMessage;
use mls_rs::error::MlsError;
use mls_rs::group::ExportedTree;

use super::admission::{check_context, check_receipt, check_roster};
use super::commit::Built;
use super::engine_storage::{self, Slot, adopt_candidate};
use super::group_record::{GroupRecord, Rejoin, State};
use super::intents::Step;
use super::membership_log::{ChangeKind, Proposer};
use super::requests::Purpose;
use super::warning::WarningKind;
use super::{Member, engine_fault};
use crate::address::{ClientId, RoomAddress};
use crate::bridge_group::{BridgeGroup, Order};
use crate::engine::EngineError;
use crate::limits::{COMMIT_ATTEMPTS_MAX, REJOIN_PAUSE_MS};
use crate::receipt::{Receipt, ReceiptError};
use crate::store::StoreError;
use crate::wire::fetch_group_info::{FetchGroupInfo, GroupState};
use crate::wire::hub_info::HubInfo;
use crate::wire::refusal::Refusal;
use crate::wire::{Answer, GroupId, Request};

const NO_PSK: &str =
    "the group asks for a pre-shared key that this device does not hold: get it from a member";

/// How a reason begins that is only the hub's word.
const REFUSES: &str = "the hub refuses";

/// A group that we came back into, to be confirmed by a receipt.
struct Candidate {
    built: Built,
    epoch: u64,
    base: Receipt,
    bound: BridgeGroup,
}

/// Why there is no way back.
enum NoWay {
    /// Perhaps later.
    Now(String),
    /// This device has no leaf in the group.
    Ever(String),
    /// Not before it is seen how others came to the keys that they have.
    Unproven(String),
    /// The hub's own receipt shows that nothing is missing here.
    Needless,
    /// The state that the hub shows is older than that which is here.
    Older,
}

fn not_now(why: impl std::fmt::Display) -> NoWay {
    NoWay::Now(why.to_string())
}

impl Member {
    /// Starts a Rejoin command.
    pub(super) fn begin_rejoin(
        &mut self,
        number: u64,
        group: &GroupId,
    ) -> Result<Step, StoreError> {
        if self.record(group).is_none() {
            let mut record = GroupRecord::new(group.clone(), State::Rejoining, self.now_ms);
            record.joined_epoch = u64::MAX;
            self.save_record(record)?;
        }
        if self.record(group).is_some_and(|r| r.state == State::Registering) {
            return self.fail(number, "the group is not registered yet").map(|()| Step::Next);
        }
        if self.is_ordered_by_room(group) && !self.is_handed_back(group)? {
            let why = "its room orders the group, so no hub has a way back: an admin has to remove \
                       this device's user and invite them again";
            return self.fail(number, why).map(|()| Step::Next);
        }
        if self.record(group).is_some_and(|r| r.state == State::Ended) {
            let why = "the group has ended: another follows in its place";
            return self.fail(number, why).map(|()| Step::Next);
        }
        let other = self.record(group).and_then(|r| r.rejoin.as_ref()?.intent);
        if other.is_some_and(|other| other != number && self.intents.contains_key(&other)) {
            // A Join into the same group is under way.
            return Ok(Step::Wait);
        }
        let follows = |r: &&GroupRecord| r.state == State::Live && r.broken_seq.is_none();
        let submitted = |r: &GroupRecord| r.pending.is_some() || r.proposing.is_some();
        if self.record(group).filter(follows).is_some_and(submitted) {
            // The hub may have accepted it: given up, it could not be applied any more.
            return Ok(Step::Wait);
        }
        self.set_stage(number, super::intents::Stage::Asked)?;
        if self.is_way_back_at_hub(group) {
            self.take_up_way_back(group, number)?;
            return Ok(Step::Wait);
        }
        self.take_pending(group)?;
        self.change_record(group, |record| {
            let was_gone = record.state == State::Gone;
            record.commit_after_ms = 0;
            record.rejoin = Some(Rejoin { intent: Some(number), was_gone, ..Rejoin::by_itself() });
            if was_gone {
                record.state = State::Rejoining;
            }
        })?;
        Ok(Step::Wait)
    }

    /// The group of a room that we are in, without knowing it: we may have lost it.
    pub(super) fn rejoin_found(
        &mut self,
        group: &GroupId,
        room: &RoomAddress,
    ) -> Result<(), StoreError> {
        match self.record(group).map(|record| record.state) {
            None => {}
            Some(State::Gone) => return self.found_after_going(group, room),
            Some(_) => return Ok(()),
        }
        let mut record = GroupRecord::new(group.clone(), State::Rejoining, self.now_ms);
        record.joined_epoch = u64::MAX;
        record.rooms = vec![room.clone()];
        record.rejoin = Some(Rejoin::by_itself());
        self.save_record(record)
    }

    /// Takes the next step on the way back, if its time has come.
    pub(super) fn step_rejoin(&mut self, group: &GroupId) -> Result<(), StoreError> {
        let Some(record) = self.record(group) else { return Ok(()) };
        let due = record.rejoin.is_some()
            && record.pending.is_none()
            && record.commit_after_ms <= self.now_ms;
        let asking = self.is_asking(
            |p| matches!(p, Purpose::GroupInfo(g) | Purpose::KeyHistory(g) if g == group),
        );
        let suite = record.suite.into();
        if !due
            || asking
            || self.need_hub()?.is_none()
            || self.way_back_waits_for_certificate(group, suite)?
        {
            return Ok(());
        }
        let fetch = FetchGroupInfo { group: group.clone() };
        self.request(Purpose::GroupInfo(group.clone()), Request::FetchGroupInfo(fetch)).map(|_| ())
    }

    /// The hub answered a FetchGroupInfo.
    pub(super) fn group_info_answered(
        &mut self,
        group: &GroupId,
        result: Result<Answer, Refusal>,
    ) -> Result<(), StoreError> {
        let Some(rejoin) = self.record(group).and_then(|r| r.rejoin.clone()) else {
            return Ok(());
        };
        let Some(hub) = self.hub()? else { return Ok(()) };
        let intent = rejoin.intent;
        let candidate = match result {
            Ok(Answer::GroupInfo(state)) => {
                self.build_candidate(group, &hub, &state, intent.is_some())
            }
            Ok(_) => Err(NoWay::Now("the hub answered something else than was asked".to_owned())),
            Err(Refusal::RoomOrders) => return self.no_way_while_by_room(group),
            Err(Refusal::Gone) => return self.ended_at_hub(group),
            Err(refusal @ (Refusal::NotAllowed(_) | Refusal::UnknownGroup)) => {
                Err(NoWay::Ever(format!("{REFUSES}: {refusal}")))
            }
            Err(refusal) => Err(NoWay::Now(format!("{REFUSES}: {refusal}"))),
        };
        match candidate {
            Ok(Candidate { built, epoch, base, bound }) => {
                self.submit(group, epoch, built, intent, true)?;
                self.change_record(group, |record| {
                    record.rooms = bound.rooms();
                    record.receipt_key = bound.receipt_key;
                    record.rejoin = Some(Rejoin { base: Some(base), ..rejoin });
                })
            }
            Err(NoWay::Now(why)) => self.no_way_back(group, &why, false),
            Err(NoWay::Older) => self.shown_older(group, intent),
            Err(NoWay::Ever(why)) => self.no_way_back(group, &why, true),
            Err(NoWay::Unproven(why)) => match self.ask_for_key_history(group, why.clone())? {
                true => Ok(()),
                false => self.no_way_back(group, &why, true),
            },
            // Whoever said that handshakes are gone for good cannot have been the hub.
            Err(NoWay::Needless) => self.change_record(group, |record| record.rejoin = None),
        }
    }

    /// As a rule the hub's answer was on its way for longer than a commit that came after it, so it is asked again
    /// a few times.
    fn shown_older(&mut self, group: &GroupId, intent: Option<u64>) -> Result<(), StoreError> {
        let attempts = self.record(group).map_or(0, |record| record.attempts).saturating_add(1);
        if attempts < COMMIT_ATTEMPTS_MAX {
            return self.attempt_lost(group, intent, "states of the hub were old");
        }
        self.change_record(group, |record| record.attempts = 0)?;
        self.no_way_back(group, "the hub offers an older state than it gave us before", false)
    }

    /// The attempt to come back failed. `out` says that this device has no leaf any more;
    /// otherwise one that cannot follow the group without coming back tries again later.
    pub(super) fn no_way_back(
        &mut self,
        group: &GroupId,
        why: &str,
        out: bool,
    ) -> Result<(), StoreError> {
        self.try_welcomes_into(group)?;
        let Some(record) = self.record(group).cloned() else { return Ok(()) };
        let Some(rejoin) = record.rejoin.clone() else { return Ok(()) };
        engine_storage::delete(&self.overlay, Slot::Candidate, &group.0)?;
        self.key_histories.remove(group);
        let never_joined = record.joined_epoch == u64::MAX;
        let needed = rejoin.intent.is_none() || record.is_behind();
        if rejoin.was_gone {
            self.change_record(group, |record| {
                record.rejoin = None;
                record.state = State::Gone;
            })?;
            self.look_again_after_leaving(group, out)?;
        } else if never_joined && (out || rejoin.intent.is_some()) {
            self.delete_record(group);
        } else if out && record.state == State::Rejoining {
            // There is nothing that could be lost.
            let by = self.client.clone();
            self.removed(group, by)?;
        } else if out {
            // The state that is there stays: a refusal proves nothing. Asked again now and then, told once.
            let again_ms = self.now_ms.saturating_add(REJOIN_PAUSE_MS);
            self.change_record(group, |record| {
                record.rejoin = None;
                if rejoin.intent.is_none() {
                    record.shut_out = true;
                    record.commit_after_ms = again_ms;
                }
            })?;
        } else {
            let after_ms = self.now_ms.saturating_add(REJOIN_PAUSE_MS);
            self.change_record(group, |record| {
                record.rejoin = needed.then(Rejoin::by_itself);
                record.commit_after_ms = after_ms;
            })?;
        }
        if rejoin.intent.is_none() {
            self.return_failed(group, why, out)?;
        }
        match rejoin.intent {
            Some(number) => {
                self.touched.insert(group.clone());
                self.fail(number, format!("no way back into the group: {why}"))
            }
            None if never_joined => Ok(()),
            // That was told, and it may be told often. What this device sees itself is said each time.
            None if out && record.shut_out && why.starts_with(REFUSES) => Ok(()),
            None => self.warn(
                group,
                WarningKind::NoWayBack,
                format!("no way back into the group: {why}"),
            ),
        }
    }

    fn build_candidate(
        &self,
        group: &GroupId,
        hub: &HubInfo,
        state: &GroupState,
        by_command: bool,
    ) -> Result<Candidate, NoWay> {
        let bytes = state.group_info.inline().unwrap_or_default();
        let message = MlsMessage::from_bytes(bytes).map_err(not_now)?;
        let info = message.as_group_info().ok_or_else(|| not_now("this is no GroupInfo"))?;
        let context = info.group_context().clone();
        let bound = check_context(&context, group, hub).map_err(not_now)?;
        if bound.order != Order::Hub {
            return Err(not_now("its room orders it"));
        }
        let base = check_receipt(&state.receipt, group, context.epoch, &bound, self.now_ms)
            .map_err(not_now)?;
        let last = self.record(group).and_then(|r| r.last_receipt.as_ref());
        let follows = |r: &GroupRecord| r.state == State::Live && r.broken_seq.is_none();
        if !by_command && last == Some(&base) && self.record(group).is_some_and(follows) {
            return Err(NoWay::Needless);
        }
        if last.is_some_and(|last| base.tbs.seq < last.tbs.seq) {
            return Err(NoWay::Older);
        }
        let tree =
            ExportedTree::from_bytes(state.tree.inline().unwrap_or_default()).map_err(not_now)?;
        check_roster(&tree.roster()).map_err(not_now)?;
        let changed = self.changed_keys(group, &tree.roster());
        if !by_command && !changed.is_empty() {
            let who: Vec<_> = changed.iter().map(ClientId::to_string).collect();
            let why = format!(
                "the hub shows other keys than before of {}: ask them, and rejoin by command if that \
                 is right",
                who.join(", ")
            );
            let followed = self.key_histories.get(group).map(|history| history.seq);
            let whole = followed.is_some_and(|seq| seq >= base.tbs.seq);
            return Err(if whole { NoWay::Ever(why) } else { NoWay::Unproven(why) });
        }
        let leaf = self.own_leaf(group, &tree, context.cipher_suite).map_err(not_now)?;
        let joins = self.record(group).and_then(|r| r.rejoin.as_ref()).is_some_and(|r| r.joins);
        if leaf.is_none() && !(joins && bound.open_join) {
            let leafless = "this device has no leaf with its key in the group: be invited";
            return Err(NoWay::Ever(leafless.to_owned()));
        }
        let epoch = context.epoch;
        let built = self.external_commit(message, tree, leaf, &bound).map_err(|e| match e {
            EngineError::Mls(MlsError::MissingRequiredPsk) => NoWay::Ever(NO_PSK.to_owned()),
            error => not_now(error),
        })?;
        Ok(Candidate { built, epoch, base, bound })
    }

    /// Our external commit has its receipt: the candidate is the group now.
    pub(super) fn came_back(
        &mut self,
        group: &GroupId,
        receipt: &Receipt,
    ) -> Result<(), StoreError> {
        let Some(record) = self.record(group).cloned() else { return Ok(()) };
        let Some(pending) = &record.pending else { return Ok(()) };
        if let Err(error) = follows_base(&record, receipt, self.now_ms) {
            return self.warn(
                group,
                WarningKind::Refused,
                format!("a handshake was ignored: {error}"),
            );
        }
        self.forget_request(&pending.request);
        self.loaded.remove(group);
        self.gaps.forget_group(group);
        self.key_histories.remove(group);
        self.forget_previous(group);
        self.returned(group);
        if !adopt_candidate(&self.overlay, &group.0)? {
            return self.lost(group);
        }
        let loaded = self.engine.load_group(&group.0).map_err(|e| engine_fault(&e))?;
        let loaded = self.new_group(loaded)?;
        let epoch = loaded.group.current_epoch();
        let suite = u16::from(loaded.group.cipher_suite());
        self.change_record(group, |record| {
            record.state = State::Live;
            record.suite = suite;
            record.pending = None;
            record.rejoin = None;
            record.attempts = 0;
            record.commit_after_ms = 0;
            record.ended_ms = 0;
            record.joined_epoch = record.joined_epoch.min(epoch);
        })?;
        self.advance_record(group, &loaded, receipt)?;
        self.settle_key(group, &loaded)?;
        self.note_room_order(group)?;
        let by = Proposer::Member(self.client.clone());
        self.log_own(receipt, epoch, ChangeKind::Returned, by)?;
        self.plan_update(group, &loaded, true)?;
        self.emit_joined(group, &loaded, record.rooms)?;
        self.came_into_place(group, &loaded.group)?;
        self.give_back(group, loaded);
        self.forget_early(group)?;
        if let Some(room) = self.own_room(group).filter(|room| !self.is_leaving_room(room)) {
            self.want_room(&room)?;
        }
        if let Some(number) = pending.intent {
            self.done(number, Some(group.clone()))?;
        }
        self.read_future(group)
    }
}

/// The receipt must come after the one that the GroupInfo was given with. Proposals, which an
/// external commit clears, may stand between; a commit cannot.
fn follows_base(record: &GroupRecord, receipt: &Receipt, now_ms: u64) -> Result<(), ReceiptError> {
    let Some(base) = record.rejoin.as_ref().and_then(|rejoin| rejoin.base.as_ref()) else {
        return Err(ReceiptError::OtherMessage);
    };
    if base.tbs.seq.checked_add(1) == Some(receipt.tbs.seq) {
        return receipt.follows(base, now_ms);
    }
    if receipt.tbs.seq <= base.tbs.seq {
        return Err(ReceiptError::NotNext { last: base.tbs.seq, got: receipt.tbs.seq });
    }
    Ok(())
}
