//! Welcomes: kept, judged, acknowledged. What is checked of a group on the way in is in
//! [`super::enter`].
//!
//! A Welcome is fetched, kept until its room is entered, then acknowledged to the hub, which keeps
//! it until then: that one waits is said by a notice, which may be lost. Where one cannot be used,
//! the hub is asked once more before it is given up.

use std::collections::{BTreeMap, BTreeSet};

use super::Member;
use super::admission::AdmissionError;
use super::enter::Admitted;
use super::group_record::State;
use super::replaced_proof::Unproven;
use super::requests::Purpose;
use super::warning::WarningKind;
use crate::limits::WELCOMES_WAITING_MAX;
use crate::overlay::{Overlay, decode};
use crate::receipt::Receipt;
use crate::store::{Space, StoreError};
use crate::wire::fetch_welcomes::FetchWelcomes;
use crate::wire::hub_info::HubInfo;
use crate::wire::refusal::Refusal;
use crate::wire::welcome::{Parent, Resumed, Welcome};
use crate::wire::welcome_waiting::WelcomeWaiting;
use crate::wire::{Answer, Digest, GroupId, Request};

/// Welcomes that are not dealt with.
pub(super) const WELCOME: Space = "welcome";
/// Ids of Welcomes that were dealt with, until the hub knows.
const HANDLED: Space = "handled_welcome";

/// What is to be known of a Welcome that waits without reading it.
pub(super) struct Waiting {
    pub(super) group: GroupId,
    /// When the hub took the commit that made it, as its receipt says.
    made_ms: u64,
}

impl Waiting {
    fn of(welcome: &Welcome) -> Self {
        let receipt = Receipt::from_bytes(&welcome.receipt).ok();
        let made_ms = receipt.map_or(0, |receipt| receipt.tbs.time_ms);
        Self { group: welcome.group.clone(), made_ms }
    }
}

/// The Welcomes that wait.
pub(super) type Welcomes = BTreeMap<Digest, Waiting>;

/// Welcomes of which one copy could not be used. Not stored: a restart asks for all that wait.
#[derive(Default)]
pub(super) struct Doubts {
    ids: BTreeSet<Digest>,
    /// Whether another copy is still to be asked for.
    to_ask: bool,
    /// Those that replace a group of ours, by whoever is no admin of that as it is here.
    pub(super) unproven: BTreeMap<Digest, Unproven>,
    /// Those into a branch of a group of ours that is still to come to the epoch of that.
    pub(super) ahead: BTreeMap<Digest, Parent>,
    /// Those of them of whose epoch the hub does not know.
    pub(super) beyond: BTreeSet<Digest>,
}

/// What to do with a Welcome now.
pub(super) enum Verdict {
    /// Enter the group.
    Join(Box<Admitted>),
    /// Enter the group that follows this one.
    Follow(GroupId),
    /// Enter the branch of this one.
    Branch(Parent),
    /// Look again later.
    Wait,
    /// It leads nowhere; with a reason if people should know.
    Drop(Option<String>),
}

/// The Welcomes that wait in a store.
pub(super) fn open(overlay: &Overlay) -> Result<Welcomes, StoreError> {
    let mut welcomes = Welcomes::new();
    for (_, value) in overlay.scan(WELCOME, &[], &[], WELCOMES_WAITING_MAX)? {
        let welcome: Welcome = decode(WELCOME, &value)?;
        welcomes.insert(welcome.id, Waiting::of(&welcome));
    }
    Ok(welcomes)
}

impl Member {
    /// Whether a Welcome into a group waits.
    pub(super) fn is_welcomed(&self, group: &GroupId) -> bool {
        self.welcomes.values().any(|waiting| waiting.group == *group)
    }

    /// The hub says that a Welcome can be fetched.
    pub(super) fn welcome_waits(&mut self, waiting: &WelcomeWaiting) -> Result<(), StoreError> {
        if waiting.device != self.client.device() {
            return Ok(());
        }
        self.doubts.to_ask = true;
        self.acknowledge()
    }

    /// A Welcome came; all that came with it are looked at together.
    fn welcome(&mut self, welcome: Welcome) -> Result<(), StoreError> {
        let id = welcome.id;
        let known = self.welcomes.contains_key(&id) || self.overlay.get(HANDLED, &id.0)?.is_some();
        if welcome.client != self.client || known {
            return Ok(());
        }
        // Where the room of one that goes for it lets this device in after all, it comes in by its leaf.
        if self.welcomes.len() >= WELCOMES_WAITING_MAX
            && let Some(oldest) = self.oldest_first().first()
        {
            self.handled(oldest);
        }
        self.overlay.write(WELCOME, &id.0, &welcome)?;
        self.welcomes.insert(id, Waiting::of(&welcome));
        Ok(())
    }

    /// Looks at all waiting Welcomes again, and at those that wait for one of them.
    pub(super) fn try_welcomes(&mut self) -> Result<(), StoreError> {
        loop {
            let before = self.welcomes.len();
            for id in self.oldest_first() {
                self.try_welcome(&id)?;
            }
            if self.welcomes.is_empty() || self.welcomes.len() >= before {
                return self.acknowledge();
            }
        }
    }

    /// The order in which to look at them: of groups that replaced each other the first cannot be entered after
    /// the last, and those between may have gone by without this device.
    fn oldest_first(&self) -> Vec<Digest> {
        let waiting = self.welcomes.iter().map(|(id, waiting)| (waiting.made_ms, *id));
        let mut waiting: Vec<_> = waiting.collect();
        waiting.sort_unstable();
        waiting.into_iter().map(|(_, id)| id).collect()
    }

    /// Looks at some of them again.
    pub(super) fn try_some(&mut self, ids: &[Digest]) -> Result<(), StoreError> {
        ids.iter().try_for_each(|id| self.try_welcome(id))?;
        if ids.is_empty() { Ok(()) } else { self.acknowledge() }
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
            Verdict::Join(admitted) => {
                let joined = self.join(&welcome, *admitted)?;
                self.joined(&welcome, joined)
            }
            Verdict::Follow(former) => {
                let joined = self.follow(&former, &welcome, &hub)?;
                self.joined(&welcome, joined)
            }
            Verdict::Branch(parent) => {
                let joined = self.enter_branch(&parent, &welcome, &hub)?;
                self.joined(&welcome, joined)
            }
        }
    }

    fn joined(&mut self, welcome: &Welcome, result: Result<(), String>) -> Result<(), StoreError> {
        match result {
            Ok(()) => {
                self.handled(&welcome.id);
                // What was posted while the Welcome was fetched could not be kept.
                self.fetch_handshakes(&welcome.group)
            }
            Err(why) => self.unusable(welcome, &why),
        }
    }

    /// One copy cannot be used: another is asked for, and if that is no better, people are told.
    fn unusable(&mut self, welcome: &Welcome, why: &str) -> Result<(), StoreError> {
        let id = welcome.id;
        if self.awaits_proof(&id) {
            return Ok(());
        }
        let first = !self.doubts.ids.contains(&id) && self.doubts.ids.len() < WELCOMES_WAITING_MAX;
        if first {
            self.doubts.ids.insert(id);
            self.doubts.to_ask = true;
            self.forget_welcome(&id);
            return Ok(());
        }
        self.handled(&id);
        self.warn(
            &welcome.group,
            WarningKind::WelcomeRefused,
            format!("a Welcome was refused: {why}"),
        )
    }

    fn judge(&mut self, welcome: &Welcome, hub: &HubInfo) -> Result<Verdict, StoreError> {
        if let Some(verdict) = self.judge_held(welcome)? {
            return Ok(verdict);
        }
        match &welcome.resumes {
            Some(Resumed::Former(former)) => return self.judge_successor(former, welcome),
            Some(Resumed::Parent(parent)) => return self.judge_branch(parent, welcome, hub),
            None => {}
        }
        let admitted = match self.examine(welcome, hub)? {
            Ok(admitted) => admitted,
            // Perhaps the hub has new keys, of which this device has not heard.
            Err(AdmissionError::OtherHub) if self.ask_hub_at_once()? => return Ok(Verdict::Wait),
            Err(why) => return Ok(Verdict::Drop(Some(why.to_string()))),
        };
        if self.is_superseded(&welcome.group, &admitted) {
            return Ok(Verdict::Drop(None));
        }
        if self.replaces_unread(&welcome.group, &admitted.bound) {
            return Ok(Verdict::Wait);
        }
        let former = self.replaced_here(&welcome.group, &admitted.bound);
        // The former heard of the hub's new keys before this device did.
        if former.is_some_and(|former| self.has_unknown_hub(&former, hub))
            && self.ask_hub_at_once()?
        {
            return Ok(Verdict::Wait);
        }
        if let Err(why) = self.check_place(&welcome.group, &admitted.bound, hub) {
            return Ok(Verdict::Drop(Some(why)));
        }
        let network = self.client.network();
        match admitted.bound.rooms().into_iter().find(|room| room.network == network) {
            None => Ok(Verdict::Drop(Some(format!("the group has no room on {network}")))),
            Some(room) if self.is_in_room(&room) => Ok(Verdict::Join(Box::new(admitted))),
            Some(room) => self.want_room_of_welcome(&room).map(|()| Verdict::Wait),
        }
    }

    /// A group that is held must not be overwritten: unless we left it behind.
    fn judge_held(&mut self, welcome: &Welcome) -> Result<Option<Verdict>, StoreError> {
        let Some(record) = self.record(&welcome.group) else { return Ok(None) };
        match record.state {
            // What it sent from that epoch on would be encrypted once more with the same keys, and what a room has
            // ordered since then is gone.
            State::Rejoining if record.epoch >= welcome.epoch => Ok(Some(Verdict::Wait)),
            State::Rejoining if self.comes_in_later(welcome)? => Ok(Some(Verdict::Wait)),
            State::Gone | State::Rejoining => Ok(None),
            // Perhaps somebody else was first in starting a group anew.
            State::Registering if welcome.resumes.is_some() => Ok(Some(Verdict::Wait)),
            State::Registering | State::Ended => Ok(Some(Verdict::Drop(None))),
            // What we have cannot follow the group any more: somebody added us again.
            State::Live if record.broken_seq.is_some() && record.epoch < welcome.epoch => {
                Ok(self.comes_in_later(welcome)?.then_some(Verdict::Wait))
            }
            State::Live if record.epoch >= welcome.epoch => Ok(Some(Verdict::Drop(None))),
            State::Live => {
                // We were removed and added again, and have not heard of the former yet.
                self.fetch_handshakes(&welcome.group)?;
                Ok(Some(Verdict::Wait))
            }
        }
    }

    /// A Welcome needs no more attention.
    pub(super) fn handled(&mut self, id: &Digest) {
        self.forget_welcome(id);
        self.doubts.ids.remove(id);
        self.doubts.unproven.remove(id);
        self.doubts.ahead.remove(id);
        self.doubts.beyond.remove(id);
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
        let held = self.welcomes.keys().copied().collect();
        let fetch = FetchWelcomes { device, acknowledged: acknowledged.clone(), held };
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
        self.try_welcomes()?;
        // What is held or acknowledged makes place for more.
        if answer.more && news { self.fetch_welcomes() } else { Ok(()) }
    }
}
