//! Restart: an admin puts a new group into the place of one that cannot be healed.
//!
//! The last rung of recovery ([`super::recovery`]). It needs nothing of the former group but this
//! device's last state of it: who was in it and how it was set. The new group is made with this device
//! alone and names the former in its context; once the hub has bound the rooms to it, everybody is
//! added as by an invitation. No secret of the former goes into it, for those whom it is made for do
//! not share one. What the others check is in [`super::replaced`].

use mls_rs::error::MlsError;
use mls_rs::extension::built_in::ExternalSendersExt;
use mls_rs_core::extension::{ExtensionError, ExtensionList};

use super::create::registration;
use super::engine_storage::MemberGroup;
use super::event::Restarted;
use super::group_record::State;
use super::intents::{Inviting, Restarting, Stage, Step};
use super::loaded::Loaded;
use super::pending_proposals::to_go;
use super::{Command, Member, MembersCommand};
use crate::address::{ClientId, UserId};
use crate::bridge_group::{BridgeGroup, Order};
use crate::engine::EngineError;
use crate::identity::client_id;
use crate::store::StoreError;
use crate::wire::hub_info::HubInfo;
use crate::wire::refusal::Refusal;
use crate::wire::register_group::RegisterGroup;
use crate::wire::{Answer, GroupId, Request};

/// A group that was just made to take another's place.
struct Made {
    group: MemberGroup,
    register: RegisterGroup,
    bound: BridgeGroup,
    users: Vec<UserId>,
}

impl Member {
    /// Makes the new group from the last state of the former, and hands it to the hub.
    pub(super) fn step_restart(
        &mut self,
        number: u64,
        former: &GroupId,
    ) -> Result<Step, StoreError> {
        if let Some(next) = self.live_successor(former) {
            // Somebody else was first.
            return self.done(number, Some(next)).map(|()| Step::Next);
        }
        if self.awaits_own_key(former)? {
            return Ok(Step::Wait);
        }
        let Some(hub) = self.need_hub()? else { return Ok(Step::Wait) };
        let made = match self.last_state(former)? {
            Some(loaded) => {
                let made = self.make_in_place_of(former, &loaded, &hub)?;
                self.give_back(former, loaded);
                made
            }
            None => Err("this device has no state of it: another admin has to do it".to_owned()),
        };
        match made {
            Ok(Made { group, register, bound, users }) => {
                let successor = self.hand_over(number, group, register, bound)?;
                self.keep_key_for(former, &successor)?;
                let restarting = Restarting { successor, users };
                self.set_stage(number, Stage::Restarting(restarting)).map(|()| Step::Wait)
            }
            Err(why) => {
                let why = format!("the group cannot be restarted: {why}");
                self.fail(number, why).map(|()| Step::Next)
            }
        }
    }

    /// Whatever this device has of a group that it is, or was to its end, a member of.
    fn last_state(&mut self, group: &GroupId) -> Result<Option<Loaded>, StoreError> {
        match self.record(group).map(|record| record.state) {
            Some(State::Live | State::Rejoining | State::Ended) => self.take_group(group),
            _ => Ok(None),
        }
    }

    fn make_in_place_of(
        &self,
        former: &GroupId,
        loaded: &Loaded,
        hub: &HubInfo,
    ) -> Result<Result<Made, String>, StoreError> {
        let context = loaded.group.context();
        let before = match BridgeGroup::from_extensions(&context.extensions) {
            Ok(before) if before.is_admin(&self.client.user()) => before,
            Ok(_) => return Ok(Err("only an admin may do that".to_owned())),
            Err(error) => return Ok(Err(error.to_string())),
        };
        let bound = in_place_of(former, before, hub);
        let suite = context.cipher_suite;
        let engine = self.engine_with(&self.key_in(former, suite)?, suite);
        let made = extensions(&context.extensions, &bound, hub, suite.into())
            .and_then(|extensions| self.group_of_one(&engine, extensions))
            .and_then(|group| Ok((registration(&group)?, group)));
        Ok(made.map_err(|error| error.to_string()).map(|(register, group)| {
            let users = self.people(loaded);
            Made { group, register, bound, users }
        }))
    }

    /// Who is in a group, as far as this device has followed it.
    fn people_of(&mut self, group: &GroupId) -> Result<Option<Vec<UserId>>, StoreError> {
        let Some(loaded) = self.last_state(group)? else { return Ok(None) };
        let people = self.people(&loaded);
        self.give_back(group, loaded);
        Ok(Some(people))
    }

    /// The users of all other leaves, without those whom the hub has proposed to remove.
    fn people(&self, loaded: &Loaded) -> Vec<UserId> {
        let leaving = to_go(loaded);
        let stays = loaded.group.roster().members_iter().filter(|m| !leaving.contains(&m.index));
        let clients = stays.filter_map(|member| client_id(&member.signing_identity).ok());
        let others = clients.filter(|client| *client != self.client);
        let mut users: Vec<_> = others.map(|client: ClientId| client.user()).collect();
        users.sort();
        users.dedup();
        users
    }

    /// The hub answered a registration in another group's place.
    pub(super) fn restart_answered(
        &mut self,
        number: u64,
        former: &GroupId,
        asked: Option<Request>,
        result: Result<Answer, Refusal>,
    ) -> Result<(), StoreError> {
        let stage = self.intents.get(&number).map(|intent| intent.stage.clone());
        let Some(Stage::Restarting(restarting)) = stage else { return Ok(()) };
        let successor = restarting.successor.clone();
        let why = match (asked, result) {
            (Some(Request::RegisterGroup(asked)), Ok(Answer::Receipt(receipt))) => {
                match self.registered(&successor, &asked.group_info, &receipt)? {
                    Ok(()) => return self.bring_everybody(number, former, restarting),
                    // The hub has the group: this device comes back into it, and then brings them.
                    Err(_) if self.is_coming_back(&successor) => {
                        return self.bring_everybody(number, former, restarting);
                    }
                    Err(why) => why,
                }
            }
            (_, Err(Refusal::Exists)) => {
                "somebody else restarted the group: this device is added to theirs".to_owned()
            }
            (_, Err(refusal)) => format!("the hub refuses: {refusal}"),
            (_, Ok(_)) => "the hub answered something else than was asked".to_owned(),
        };
        if self.record(&successor).is_none_or(|record| record.state == State::Registering) {
            self.forget_unregistered(&successor)?;
            self.forget_keys(&successor);
        }
        self.fail(number, why)?;
        self.try_welcomes()
    }

    /// The rooms are the new group's: from here on the command is an invitation.
    fn bring_everybody(
        &mut self,
        number: u64,
        former: &GroupId,
        restarting: Restarting,
    ) -> Result<(), StoreError> {
        let Restarting { successor, users } = restarting;
        // The former may have gone on until the hub took its rooms.
        let users = self.people_of(former)?.unwrap_or(users);
        self.put_into_place(Restarted {
            group: former.clone(),
            successor: successor.clone(),
            by: self.client.clone(),
            changed: Vec::new(),
            unknown: Vec::new(),
        })?;
        if users.is_empty() {
            return self.done(number, Some(successor));
        }
        if let Some(intent) = self.intents.get_mut(&number) {
            intent.command = Command::Invite(MembersCommand { group: successor.clone(), users });
        }
        self.touched.insert(successor);
        // The group is there, whether or not anybody can be added.
        self.set_stage(number, Stage::Inviting(Inviting { added: true, ..Inviting::default() }))
    }
}

/// What the new group's context says: the settings of the former, under the hub's current key.
fn in_place_of(former: &GroupId, before: BridgeGroup, hub: &HubInfo) -> BridgeGroup {
    BridgeGroup {
        receipt_key: hub.receipt_key.clone(),
        hub_matrix: hub.hub_matrix.clone().unwrap_or_default(),
        hub_xmpp: hub.hub_xmpp.clone().unwrap_or_default(),
        order: Order::Hub,
        previous_key: Vec::new(),
        handover: Vec::new(),
        replaces: former.0.clone(),
        ..before
    }
}

fn extensions(
    before: &ExtensionList,
    bound: &BridgeGroup,
    hub: &HubInfo,
    suite: u16,
) -> Result<ExtensionList, EngineError> {
    let codec = |e: ExtensionError| EngineError::Mls(MlsError::from(e));
    let sender = hub.sender(suite).ok_or(EngineError::Suite(suite))?;
    let mut extensions = before.clone();
    extensions.set_from(bound.clone()).map_err(codec)?;
    extensions.set_from(ExternalSendersExt::new(vec![sender])).map_err(codec)?;
    Ok(extensions)
}
