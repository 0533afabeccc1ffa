//! Invite: claim key packages of all devices of some users, check them, add them.

use super::claimed_package;
use super::commit::Changes;
use super::intents::{Inviting, Stage, Step};
use super::propose::{Next, proposed_to_add};
use super::requests::Purpose;
use super::warning::WarningKind;
use super::{Command, Member, MembersCommand, ProposeCommand, Wish};
use crate::address::UserId;
use crate::identity::clients;
use crate::limits::{ADDS_BY_VALUE_PER_COMMIT_MAX, USERS_PER_CLAIM_MAX};
use crate::store::StoreError;
use crate::wire::claim_key_packages::{ClaimKeyPackages, ClaimPurpose, ClaimedClient};
use crate::wire::{GroupId, Request};

impl Member {
    /// Takes an Invite as far as it goes now: claim, then commit, in portions, until all users
    /// were claimed and all packages committed.
    pub(super) fn step_invite(&mut self, number: u64) -> Result<Step, StoreError> {
        let Some((group, users, mut inviting)) = self.inviting(number) else {
            return Ok(Step::Next);
        };
        if inviting.claiming {
            return Ok(Step::Wait);
        }
        let proposes = self.proposes(number);
        self.drop_added(&group, &mut inviting, proposes)?;
        if !inviting.packages.is_empty() {
            return self.add_some(number, &group, inviting);
        }
        let claimed = usize::try_from(inviting.claimed).unwrap_or(usize::MAX);
        let next: Vec<_> = users.iter().skip(claimed).take(USERS_PER_CLAIM_MAX).cloned().collect();
        if !next.is_empty() {
            return self.claim(number, &group, next, inviting);
        }
        let failures = inviting.failures.join("; ");
        if !inviting.added {
            let why = if failures.is_empty() { "nobody was named".to_owned() } else { failures };
            return self.fail(number, why).map(|()| Step::Next);
        }
        if !failures.is_empty() {
            self.warn(
                &group,
                WarningKind::NotEverybodyAdded,
                format!("not everybody could be added: {failures}"),
            )?;
        }
        self.done(number, Some(group)).map(|()| Step::Next)
    }

    fn inviting(&self, number: u64) -> Option<(GroupId, Vec<UserId>, Inviting)> {
        let intent = self.intents.get(&number)?;
        let (Command::Invite(MembersCommand { group, users })
        | Command::Propose(ProposeCommand { group, wish: Wish::Add(users) })) = &intent.command
        else {
            return None;
        };
        let inviting = match &intent.stage {
            Stage::Inviting(inviting) => inviting.clone(),
            _ => Inviting::default(),
        };
        Some((group.clone(), users.clone(), inviting))
    }

    /// Another group takes the place of the one into which they are invited: what was claimed was for that.
    pub(super) fn begin_invitation_again(&mut self, number: u64) {
        let Some(intent) = self.intents.get_mut(&number) else { return };
        let Stage::Inviting(Inviting { added, .. }) = intent.stage else { return };
        intent.stage = Stage::Inviting(Inviting { added, ..Inviting::default() });
        self.forget_requests(|purpose| *purpose == Purpose::Intent(number));
    }

    /// Whether the command is to propose, and not to commit.
    fn proposes(&self, number: u64) -> bool {
        self.intents.get(&number).is_some_and(|i| matches!(i.command, Command::Propose(_)))
    }

    fn claim(
        &mut self,
        number: u64,
        group: &GroupId,
        users: Vec<UserId>,
        mut inviting: Inviting,
    ) -> Result<Step, StoreError> {
        let suites = self.record(group).map(|record| record.suite).into_iter().collect();
        inviting.claimed =
            inviting.claimed.saturating_add(u32::try_from(users.len()).unwrap_or(u32::MAX));
        inviting.claiming = true;
        let claim =
            ClaimKeyPackages { group: group.clone(), users, suites, purpose: ClaimPurpose::Add };
        self.request(Purpose::Intent(number), Request::ClaimKeyPackages(claim))?;
        self.set_stage(number, Stage::Inviting(inviting)).map(|()| Step::Wait)
    }

    /// The hub handed out key packages.
    pub(super) fn key_packages_claimed(
        &mut self,
        number: u64,
        claimed: Vec<ClaimedClient>,
    ) -> Result<(), StoreError> {
        let Some((group, users, mut inviting)) = self.inviting(number) else { return Ok(()) };
        let suite = self.record(&group).map_or(0, |record| record.suite);
        inviting.claiming = false;
        for client in &claimed {
            match claimed_package::check(client, &users, suite, self.now_ms, &self.revocations.list)
            {
                Ok((_, package)) => inviting.packages.push(package),
                Err(why) => inviting.failures.push(why),
            }
        }
        self.set_stage(number, Stage::Inviting(inviting))
    }

    /// Leaves out devices that are in the group: added by us, by somebody else, or long ago.
    fn drop_added(
        &mut self,
        group: &GroupId,
        inviting: &mut Inviting,
        proposes: bool,
    ) -> Result<(), StoreError> {
        let Some(loaded) = self.take_group(group)? else { return Ok(()) };
        let mut members = clients(&loaded.group.roster());
        if proposes {
            members.extend(proposed_to_add(&loaded));
        }
        self.give_back(group, loaded);
        let before = inviting.packages.len();
        inviting.packages.retain(|package| {
            claimed_package::client(package).is_some_and(|(client, _)| !members.contains(&client))
        });
        inviting.added |= inviting.packages.len() < before;
        Ok(())
    }

    fn add_some(
        &mut self,
        number: u64,
        group: &GroupId,
        inviting: Inviting,
    ) -> Result<Step, StoreError> {
        if !self.may_commit(group) {
            self.set_stage(number, Stage::Inviting(inviting))?;
            return Ok(Step::Wait);
        }
        if self.proposes(number) {
            let first = inviting.packages.first().and_then(claimed_package::client);
            self.set_stage(number, Stage::Inviting(inviting))?;
            return match first {
                Some((_, package)) => self.propose(number, group, Next::Add(Box::new(package))),
                None => self.fail(number, "a key package is broken").map(|()| Step::Next),
            };
        }
        let Some(loaded) = self.take_group(group)? else { return Ok(Step::Wait) };
        // Whoever is proposed comes with the next commit; if that leaves them out, by another one.
        let proposed = proposed_to_add(&loaded);
        let packages = inviting.packages.iter().filter_map(claimed_package::client);
        let add = packages.filter(|(client, _)| !proposed.contains(client));
        let add = add.take(ADDS_BY_VALUE_PER_COMMIT_MAX).map(|(_, message)| message);
        let add: Vec<_> = add.collect();
        self.set_stage(number, Stage::Inviting(inviting))?;
        if add.is_empty() && !proposed.is_empty() {
            self.give_back(group, loaded);
            return Ok(Step::Wait);
        }
        match self.commit(group, loaded, Some(number), Changes { add, ..Changes::default() })? {
            Ok(()) => Ok(Step::Wait),
            Err(error) => {
                let why = format!("they cannot be added: {error}");
                self.fail(number, why).map(|()| Step::Next)
            }
        }
    }
}
