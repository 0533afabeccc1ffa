//! Branch: a group of some members of another one (RFC 9420 11.3), in rooms of its own.
//!
//! Every member may make one. It shows that all in it were members of the parent in one epoch, for its
//! first epoch takes a resumption PSK of that. Packages are claimed first, then rooms made, then the
//! branch is made and handed over; the hub takes it only while the parent is still in that epoch, so
//! that everybody can come to it, and otherwise it is made anew in the next. How the others come in
//! is in [`super::branched`].

use mls_rs_core::crypto::CipherSuite;

use super::claiming::Claiming;
use super::command::BranchCommand;
use super::create::{NO_OWN_ROOM, context, wants_own_room};
use super::engine_storage::MemberGroup;
use super::founded::founded;
use super::group_record::State;
use super::intents::{Branching, Stage, Step};
use super::loaded::Loaded;
use super::pending_proposals::to_go;
use super::requests::Purpose;
use super::warning::WarningKind;
use super::{Command, Member};
use crate::address::{ClientId, Network, UserId};
use crate::bridge_group::BridgeGroup;
use crate::engine::EngineError;
use crate::identity::{client_id, clients};
use crate::limits::COMMIT_ATTEMPTS_MAX;
use crate::store::StoreError;
use crate::wire::blob::Part;
use crate::wire::claim_key_packages::ClaimPurpose;
use crate::wire::create_room::RoomCreated;
use crate::wire::hub_info::HubInfo;
use crate::wire::refusal::Refusal;
use crate::wire::register_branch::RegisterBranch;
use crate::wire::{Answer, GroupId, Request};

/// A branch that was just made.
struct Made {
    group: MemberGroup,
    bound: BridgeGroup,
    request: RegisterBranch,
}

impl Member {
    /// Takes a branch as far as it goes now.
    pub(super) fn step_branch(
        &mut self,
        number: u64,
        command: &BranchCommand,
    ) -> Result<Step, StoreError> {
        let Some(hub) = self.need_hub()? else { return Ok(Step::Wait) };
        let stage = self.intents.get(&number).map(|intent| intent.stage.clone());
        let branching = match stage {
            Some(Stage::Branching(branching)) => branching,
            _ => match self.begin_branch(command)? {
                Some(Ok(branching)) => branching,
                Some(Err(why)) => return self.fail(number, why).map(|()| Step::Next),
                None => return Ok(Step::Wait),
            },
        };
        let parent = self.record(&command.parent).map(|record| (record.epoch, record.suite));
        let Some((epoch, suite)) = parent else { return Ok(Step::Wait) };
        let late = branching.late_in.is_some_and(|late| epoch <= late);
        if branching.asking || branching.claiming.under_way || late {
            return Ok(Step::Wait);
        }
        self.go_on_branching(number, command, branching, suite, &hub)
    }

    /// Packages, then rooms, then the branch.
    fn go_on_branching(
        &mut self,
        number: u64,
        command: &BranchCommand,
        mut branching: Branching,
        suite: u16,
        hub: &HubInfo,
    ) -> Result<Step, StoreError> {
        let purpose = ClaimPurpose::Branch(branching.branch.clone());
        let claims = &mut branching.claiming;
        if self.claim_next(number, &command.parent, suite, purpose, claims)? {
            return self.set_stage(number, Stage::Branching(branching)).map(|()| Step::Wait);
        }
        if branching.claiming.held().is_empty() {
            let failures = branching.claiming.failures.join("; ");
            let why = format!("nobody else could be taken into the branch ({failures})");
            return self.fail(number, why).map(|()| Step::Next);
        }
        let Some(rooms) = branching.rooms.clone() else {
            let create = Request::CreateRoom(command.rooms.clone());
            self.request(Purpose::Intent(number), create)?;
            branching.asking = true;
            return self.set_stage(number, Stage::Branching(branching)).map(|()| Step::Wait);
        };
        self.make_branch(number, command, branching, &rooms, hub)
    }

    /// Whether the registration of a branch is under way, for which only the hub's answer counts.
    pub(super) fn is_registering_branch(&self, number: u64) -> bool {
        let stage = self.intents.get(&number).map(|intent| &intent.stage);
        matches!(stage, Some(Stage::Branching(b)) if b.asking && b.rooms.is_some())
    }

    /// The parent has ended, and another group takes its place: packages and epochs are none of that.
    pub(super) fn begin_branch_again(&mut self, number: u64) {
        let branches = |command: &Command| matches!(command, Command::Branch(_));
        if !self.intents.get(&number).is_some_and(|intent| branches(&intent.command))
            || self.is_registering_branch(number)
        {
            return;
        }
        self.forget_requests(|purpose| *purpose == Purpose::Intent(number));
        if let Some(intent) = self.intents.get_mut(&number) {
            intent.stage = Stage::Waiting;
        }
    }

    /// Nothing while the parent's state is not there; the inner error is why it cannot be done.
    fn begin_branch(
        &mut self,
        command: &BranchCommand,
    ) -> Result<Option<Result<Branching, String>>, StoreError> {
        let Some(loaded) = self.take_group(&command.parent)? else { return Ok(None) };
        let members = clients(&loaded.group.roster());
        self.give_back(&command.parent, loaded);
        self.plan_branch(command, &members).map(Some)
    }

    fn plan_branch(
        &self,
        command: &BranchCommand,
        members: &[ClientId],
    ) -> Result<Result<Branching, String>, StoreError> {
        if let Some(why) = wants_own_room(&self.client, &command.rooms) {
            return Ok(Err(why));
        }
        let is_member = |user: &UserId| members.iter().any(|client| client.user() == *user);
        if let Some(stranger) = command.users.iter().find(|user| !is_member(user)) {
            return Ok(Err(format!("{stranger} is not in the group: invite them into that first")));
        }
        let reached = |user: &UserId| match user.network() {
            Network::Matrix => command.rooms.matrix,
            Network::Xmpp => command.rooms.xmpp,
        };
        if let Some(user) = command.users.iter().find(|user| !reached(user)) {
            return Ok(Err(format!("{user} needs a room on {}", user.network())));
        }
        // This user's other devices come along.
        let own = members.iter().filter(|client| **client != self.client).map(ClientId::user);
        let own = own.filter(|user| *user == self.client.user());
        let users: Vec<_> = own.chain(command.users.iter().cloned()).collect();
        Ok(Ok(Branching {
            branch: self.fresh_group_id()?,
            claiming: Claiming::of(users),
            rooms: None,
            asking: false,
            late: 0,
            late_in: None,
        }))
    }

    fn make_branch(
        &mut self,
        number: u64,
        command: &BranchCommand,
        mut branching: Branching,
        rooms: &RoomCreated,
        hub: &HubInfo,
    ) -> Result<Step, StoreError> {
        let parent = &command.parent;
        let Some(loaded) = self.take_group(parent)? else { return Ok(Step::Wait) };
        let made = self.build_branch(parent, &loaded, &branching, rooms, hub);
        self.give_back(parent, loaded);
        let Made { group, bound, request } = match made? {
            Ok(made) => made,
            Err(why) => {
                let why = format!("the branch cannot be made: {why}");
                return self.fail(number, why).map(|()| Step::Next);
            }
        };
        let id = self.keep_unregistered(group, bound, Some(parent.clone()))?;
        self.keep_key_for(parent, &id)?;
        if let Some(room) = self.own_room(&id) {
            self.want_room(&room)?;
        }
        self.request(Purpose::Intent(number), Request::RegisterBranch(request))?;
        branching.asking = true;
        self.set_stage(number, Stage::Branching(branching)).map(|()| Step::Wait)
    }

    fn build_branch(
        &self,
        parent: &GroupId,
        loaded: &Loaded,
        branching: &Branching,
        rooms: &RoomCreated,
        hub: &HubInfo,
    ) -> Result<Result<Made, String>, StoreError> {
        let held = &loaded.group;
        let stays = staying(loaded);
        let packages = self.packages_of(&stays, &branching.claiming);
        if packages.is_empty() {
            return Ok(Err("nobody else of those who are named stays in the group".to_owned()));
        }
        let (epoch, suite) = (held.current_epoch(), held.cipher_suite());
        let bound = BridgeGroup::from_extensions(&held.context().extensions)
            .map(|before| self.bind_branch(before, rooms, hub))
            .map_err(|error| error.to_string());
        let context = bound.and_then(|bound| {
            let extensions = context(suite, hub, &bound).map_err(|error| error.to_string())?;
            Ok((bound, extensions))
        });
        let (bound, extensions) = match context {
            Ok(context) => context,
            Err(why) => return Ok(Err(why)),
        };
        let signer = self.key_in(parent, suite)?;
        let copy = match self.parent_copy(parent, epoch, &extensions, signer.secret())? {
            Ok(Some(copy)) => copy,
            Ok(None) => return Ok(Err("the group's state cannot be branched".to_owned())),
            Err(why) => return Ok(Err(why.to_string())),
        };
        let made = copy.branch(branching.branch.0.clone(), packages, Some(self.backdated()));
        let made = made.map_err(EngineError::from).and_then(|(group, welcomes)| {
            let (parent, founded) = (parent.clone(), founded(&group, &welcomes)?);
            let request = RegisterBranch { parent, parent_epoch: epoch, founded };
            Ok(Made { group, bound, request })
        });
        Ok(made.map_err(|error| error.to_string()))
    }

    /// What the branch's context says: this user is its admin, and it takes the credentials that its
    /// parent does.
    fn bind_branch(&self, parent: BridgeGroup, rooms: &RoomCreated, hub: &HubInfo) -> BridgeGroup {
        BridgeGroup {
            basic_allowed: parent.basic_allowed,
            anchors: parent.anchors,
            ..self.bind(hub, rooms)
        }
    }

    /// The hub answered what a branch asked.
    pub(super) fn branch_answered(
        &mut self,
        number: u64,
        command: &BranchCommand,
        asked: Option<Request>,
        result: Result<Answer, Refusal>,
    ) -> Result<(), StoreError> {
        let stage = self.intents.get(&number).map(|intent| intent.stage.clone());
        let Some(Stage::Branching(mut branching)) = stage else { return Ok(()) };
        match (asked, result) {
            (Some(Request::ClaimKeyPackages(_)), Ok(Answer::KeyPackages(claimed))) => {
                let suite = self.record(&command.parent).map_or(0, |record| record.suite);
                branching.claiming.take(&claimed, suite, self.now_ms, &self.revocations.list);
                self.set_stage(number, Stage::Branching(branching))
            }
            (Some(Request::CreateRoom(_)), Ok(Answer::RoomCreated(rooms))) => {
                if !self.is_on_own_network(&rooms) {
                    return self.fail(number, NO_OWN_ROOM);
                }
                branching.asking = false;
                branching.rooms = Some(rooms);
                self.set_stage(number, Stage::Branching(branching))
            }
            (Some(Request::RegisterBranch(asked)), Ok(Answer::Receipt(receipt))) => {
                self.branch_registered(number, &branching, &asked.founded.group_info, &receipt)
            }
            (Some(Request::RegisterBranch(asked)), Err(Refusal::WrongEpoch(_)))
                if asked.parent != command.parent =>
            {
                // The parent has ended since: epochs and packages are none of what follows.
                self.forget_branch(&branching.branch)?;
                self.set_stage(number, Stage::Waiting)
            }
            (Some(Request::RegisterBranch(asked)), Err(Refusal::WrongEpoch(now)))
                if now > asked.parent_epoch =>
            {
                self.parent_went_on(number, now, command, branching)
            }
            (_, result) => {
                self.forget_branch(&branching.branch)?;
                let why = match result {
                    Err(refusal) => format!("the hub refuses: {refusal}"),
                    Ok(_) => "the hub answered something else than was asked".to_owned(),
                };
                self.fail(number, why)
            }
        }
    }

    /// The parent was in another epoch already: the branch is made anew, from that one.
    fn parent_went_on(
        &mut self,
        number: u64,
        now: u64,
        command: &BranchCommand,
        mut branching: Branching,
    ) -> Result<(), StoreError> {
        self.forget_branch(&branching.branch)?;
        branching.asking = false;
        branching.late = branching.late.saturating_add(1);
        branching.late_in = Some(now.saturating_sub(1));
        if branching.late >= COMMIT_ATTEMPTS_MAX {
            let why =
                "the group changed each time before the branch was registered: try again later";
            return self.fail(number, why);
        }
        self.fetch_handshakes(&command.parent)?;
        self.set_stage(number, Stage::Branching(branching))
    }

    /// The hub has taken the branch. This device's leaf has the key of the parent, which the first update
    /// changes.
    fn branch_registered(
        &mut self,
        number: u64,
        branching: &Branching,
        group_info: &Part,
        receipt: &[u8],
    ) -> Result<(), StoreError> {
        let branch = &branching.branch;
        if let Err(why) = self.registered(branch, group_info, receipt)? {
            self.forget_branch(branch)?;
            return self.fail(number, why);
        }
        if let Some(loaded) = self.take_group(branch)? {
            let suite: CipherSuite = loaded.group.cipher_suite();
            self.plan_first_update(branch, &loaded)?;
            self.give_back(branch, loaded);
            self.want_first_key(branch, suite)?;
        }
        let failures = branching.claiming.failures.join("; ");
        if !failures.is_empty() {
            self.warn(
                branch,
                WarningKind::NotEverybodyAdded,
                format!("not everybody could be taken into the branch: {failures}"),
            )?;
        }
        self.done(number, Some(branch.clone()))
    }

    fn forget_branch(&mut self, branch: &GroupId) -> Result<(), StoreError> {
        if self.record(branch).is_none_or(|record| record.state == State::Registering) {
            self.forget_unregistered(branch)?;
            self.forget_keys(branch);
        }
        Ok(())
    }
}

/// The clients of a group, without those whom the hub has proposed to remove.
fn staying(loaded: &Loaded) -> Vec<ClientId> {
    let leaving = to_go(loaded);
    let roster = loaded.group.roster();
    let stays = roster.members_iter().filter(|member| !leaving.contains(&member.index));
    stays.filter_map(|member| client_id(&member.signing_identity).ok()).collect()
}
