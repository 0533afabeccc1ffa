//! Pre-shared keys that a user brings, and the use of external and of resumption PSKs (RFC 9420
//! 8.4, 8.6).

use mls_rs::group::CachedProposal;
use mls_rs::group::proposal::Proposal;
use mls_rs_core::psk::ExternalPskId;

use super::Member;
use super::command::{HoldPsk, UsePastEpoch, UsePsk};
use super::commit::Changes;
use super::engine_storage::PSK;
use super::group_record::State;
use super::intents::Step;
use super::loaded::Loaded;
use super::one_commit::Plan;
use crate::identity::client_id;
use crate::limits::{NAME_BYTES_MAX, PSK_BYTES_MAX, PSK_BYTES_MIN};
use crate::policy::RESUMPTION_PSK_EPOCHS;
use crate::psk::HeldPsks;
use crate::store::StoreError;

impl Member {
    /// Keeps the key, then says in the own leaf that it is there, once there is one: the way into a group may need it.
    pub(super) fn step_hold_psk(
        &mut self,
        number: u64,
        command: &HoldPsk,
    ) -> Result<Step, StoreError> {
        if let Err(why) = check(command) {
            return self.fail(number, why).map(|()| Step::Next);
        }
        if self.overlay.read(PSK, &command.id)?.as_ref() != Some(&command.secret) {
            self.overlay.write(PSK, &command.id, &command.secret)?;
        }
        let why = match self.record(&command.group).map(|record| record.state) {
            None | Some(State::Gone) => {
                "the key is kept, but this device is not in the group: hold it again when it is"
            }
            Some(State::Rejoining) => return Ok(Step::Wait),
            _ if self.has_given_up(&command.group) => {
                "the key is kept, but this device does not follow the group: rejoin it"
            }
            _ => {
                let plan = |loaded: &Loaded| plan_hold(loaded, &command.id);
                return self.step_one_commit(number, &command.group, plan);
            }
        };
        self.fail(number, why).map(|()| Step::Next)
    }

    /// Commits the use of an external PSK.
    pub(super) fn step_use_psk(
        &mut self,
        number: u64,
        command: &UsePsk,
    ) -> Result<Step, StoreError> {
        if self.overlay.get(PSK, &command.id)?.is_none() {
            let why = "this device does not hold that pre-shared key: bring it first";
            return self.fail(number, why).map(|()| Step::Next);
        }
        self.step_one_commit(number, &command.group, |loaded| plan_use(loaded, command))
    }

    /// Commits the use of a resumption PSK.
    pub(super) fn step_use_past_epoch(
        &mut self,
        number: u64,
        command: &UsePastEpoch,
    ) -> Result<Step, StoreError> {
        self.step_one_commit(number, &command.group, |loaded| {
            let age = loaded.group.current_epoch().checked_sub(command.epoch);
            if age.is_none_or(|age| age > RESUMPTION_PSK_EPOCHS) {
                return Plan::Fail(format!(
                    "only the last {RESUMPTION_PSK_EPOCHS} epochs can be used"
                ));
            }
            if adds_somebody(loaded) {
                return Plan::PendingFirst;
            }
            Plan::Commit(Box::new(Changes {
                past_epochs: vec![command.epoch],
                ..Changes::default()
            }))
        })
    }
}

/// Whether a key can be kept, or why not.
fn check(command: &HoldPsk) -> Result<(), String> {
    let length = command.secret.len();
    if command.id.is_empty() || command.id.len() > NAME_BYTES_MAX {
        Err(format!("a pre-shared key's name has 1 to {NAME_BYTES_MAX} bytes"))
    } else if !(PSK_BYTES_MIN..=PSK_BYTES_MAX).contains(&length) {
        Err(format!("a pre-shared key has {PSK_BYTES_MIN} to {PSK_BYTES_MAX} bytes"))
    } else {
        Ok(())
    }
}

fn plan_hold(loaded: &Loaded, id: &[u8]) -> Plan {
    let own = loaded.group.roster().member_with_index(loaded.group.current_member_index());
    let Ok(own) = own else { return Plan::Fail("this device has no leaf".to_owned()) };
    let held = HeldPsks::of_leaf(&own.extensions);
    if held.names(id) {
        return Plan::Done;
    }
    let mut leaf = own.extensions;
    match leaf.set_from(held.with(id)) {
        Ok(()) => Plan::Commit(Box::new(Changes { leaf: Some(leaf), ..Changes::default() })),
        Err(error) => Plan::Fail(error.to_string()),
    }
}

fn plan_use(loaded: &Loaded, command: &UsePsk) -> Plan {
    if adds_somebody(loaded) {
        return Plan::PendingFirst;
    }
    match who_lacks(loaded, &command.id) {
        Some(why) if !command.anyway => return Plan::Fail(why),
        _ => {}
    }
    let psks = vec![ExternalPskId::new(command.id.clone())];
    Plan::Commit(Box::new(Changes { psks, ..Changes::default() }))
}

/// Whether an Add is pending: a commit with it and a PSK would bring in only who holds that as well.
fn adds_somebody(loaded: &Loaded) -> bool {
    let adds = |cached: &CachedProposal| matches!(cached.proposal(), Proposal::Add(_));
    loaded.group.get_cached_proposals().iter().any(adds)
}

/// One sentence that names the members that do not say that they hold the PSK, if there are any.
pub(super) fn who_lacks(loaded: &Loaded, id: &[u8]) -> Option<String> {
    let lacks = |member: &mls_rs::group::Member| !HeldPsks::of_leaf(&member.extensions).names(id);
    let lacking: Vec<_> = loaded
        .group
        .roster()
        .members_iter()
        .filter(lacks)
        .filter_map(|member| client_id(&member.signing_identity).ok())
        .map(|client| client.to_string())
        .collect();
    let who = lacking.join(", ");
    (!lacking.is_empty()).then(|| {
        format!("these do not say that they hold the pre-shared key, and would be shut out: {who}")
    })
}
