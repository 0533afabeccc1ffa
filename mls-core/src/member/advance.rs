//! After each input: takes what waits in the groups that it touched as far as it goes.

use super::group_record::State;
use super::intents::{Stage, Step};
use super::recovery::GIVEN_UP;
use super::{Command, Member};
use crate::limits::HOUSEKEEPING_MS;
use crate::store::StoreError;
use crate::wire::GroupId;

/// Rounds over touched groups in one input; one group's work rarely touches another.
const ROUNDS_MAX: usize = 8;

impl Member {
    /// Works on the groups that were touched, until nothing is left to do now.
    pub(super) fn advance(&mut self) -> Result<(), StoreError> {
        for _ in 0..ROUNDS_MAX {
            let touched = std::mem::take(&mut self.touched);
            if touched.is_empty() {
                return Ok(());
            }
            for group in touched {
                self.advance_group(&group)?;
            }
        }
        Ok(())
    }

    fn advance_group(&mut self, group: &GroupId) -> Result<(), StoreError> {
        self.prove_welcomes(group)?;
        self.enter_awaited_branches(group)?;
        let waits_for_nothing = self.advance_commands(group)?;
        match self.record(group).map(|record| (record.state, record.rejoin.is_some())) {
            Some((State::Rejoining, false)) => self.lost(group),
            Some((State::Rejoining | State::Live, true)) => self.step_rejoin(group),
            Some((State::Live, false)) if self.is_ordered_by_room(group) => {
                if waits_for_nothing && !self.renew_in(group)? {
                    self.update_if_due(group)?;
                }
                Ok(())
            }
            Some((State::Live, false)) => {
                if !self.commit_by_rank(group)?
                    && waits_for_nothing
                    && !self.take_hub_keys(group)?
                    && !self.renew_in(group)?
                {
                    self.update_if_due(group)?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Carries out the commands of a group in order. Whether none is left.
    fn advance_commands(&mut self, group: &GroupId) -> Result<bool, StoreError> {
        while let Some(intent) = self.next_intent(group) {
            let (number, command) = (intent.number, intent.command.clone());
            let intent_waits = intent.stage == Stage::Waiting;
            if intent.stage == Stage::Committed {
                // Whatever has become of the group since.
                self.done(number, Some(group.clone()))?;
                continue;
            }
            let state = self.record(group).map(|record| record.state);
            if let Some(why) = self.needs_hub(group, &command)
                && !self.is_registering_branch(number)
            {
                self.fail(number, why)?;
                continue;
            }
            let step = match (&command, state) {
                (Command::Restart(_), _) if intent_waits => self.step_restart(number, group)?,
                (Command::Restart(_), _) => Step::Wait,
                (Command::Rejoin(_), _) if intent_waits => self.begin_rejoin(number, group)?,
                (Command::Rejoin(_), _) if !self.is_coming_back(group) => {
                    self.fail(number, "this device was removed from the group, or left it")?;
                    Step::Next
                }
                (Command::Branch(_), _) if self.is_registering_branch(number) => Step::Wait,
                (Command::HoldPsk(c), None | Some(State::Gone | State::Rejoining)) => {
                    self.step_hold_psk(number, c)?
                }
                (_, None | Some(State::Gone)) => {
                    self.fail(number, "this device is not in the group")?;
                    Step::Next
                }
                // The hub may have taken it: who left would be told that, and come back.
                (Command::Leave(_), Some(State::Registering)) => Step::Wait,
                (Command::Leave(_), _) => self.step_leave(number)?,
                (command, Some(State::Live)) if self.is_in_vain(group, command) => {
                    self.fail(number, GIVEN_UP)?;
                    Step::Next
                }
                (Command::ReInit(c), Some(State::Live | State::Ended)) => {
                    self.step_reinit(number, c)?
                }
                (Command::Branch(_), Some(State::Ended)) => {
                    self.fail(number, "the group has ended: branch from the one that follows")?;
                    Step::Next
                }
                (Command::UsePastEpoch(_), Some(State::Ended)) => {
                    self.fail(number, "the group has ended: its epochs are none of what follows")?;
                    Step::Next
                }
                (_, Some(State::Ended)) if self.is_left_behind(group) => {
                    let why =
                        "the group has ended, and what follows did not come here within an hour";
                    self.fail(number, why)?;
                    Step::Next
                }
                (Command::Rejoin(_), _)
                | (_, Some(State::Registering | State::Rejoining | State::Ended)) => Step::Wait,
                (Command::Branch(c), _) => self.step_branch(number, c)?,
                (Command::Invite(_), _) => self.step_invite(number)?,
                (Command::Remove(_), _) => self.step_remove(number)?,
                (Command::Send(_), _) => self.step_send(number)?,
                (Command::Rotate(_), _) => self.step_rotate(number, group)?,
                (Command::ChangeKey(_), _) => self.step_change_key(number, group)?,
                (Command::ChangeSettings(c), _) => self.step_change_settings(number, c)?,
                (Command::HoldPsk(c), _) => self.step_hold_psk(number, c)?,
                (Command::UsePsk(c), _) => self.step_use_psk(number, c)?,
                (Command::UsePastEpoch(c), _) => self.step_use_past_epoch(number, c)?,
                (Command::DenyKnock(c), _) => self.step_deny(number, &c.group, &c.user)?,
                (Command::Propose(c), _) => self.step_propose(number, c)?,
                (
                    Command::CreateGroup(_)
                    | Command::CreateGroupWith(_)
                    | Command::PublishKeyPackages
                    | Command::RotateEverywhere
                    | Command::TrustAnchors(_)
                    | Command::AskAuthorities(_)
                    | Command::RevokeDevice(_)
                    | Command::AcceptLog(_)
                    | Command::Identity(_)
                    | Command::Join(_)
                    | Command::Knock(_),
                    _,
                ) => Step::Next,
            };
            if step == Step::Wait {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(super) fn is_coming_back(&self, group: &GroupId) -> bool {
        self.record(group).is_some_and(|record| record.rejoin.is_some())
    }

    /// The commit of a command was accepted and applied.
    pub(super) fn intent_committed(
        &mut self,
        number: u64,
        group: &GroupId,
    ) -> Result<(), StoreError> {
        let Some(intent) = self.intents.get(&number) else { return Ok(()) };
        self.touched.insert(group.clone());
        match intent.command {
            // An invitation sees by the tree who was added, a new start that the group has ended, and
            // who renews all groups by the key in the leaf.
            Command::Invite(_) | Command::ReInit(_) | Command::RotateEverywhere => Ok(()),
            _ => self.set_stage(number, Stage::Committed),
        }
    }

    /// Now and then: what need not happen to the second.
    fn keep_house(&mut self) -> Result<(), StoreError> {
        if self.now_ms.abs_diff(self.house_kept_ms) < HOUSEKEEPING_MS {
            return Ok(());
        }
        self.house_kept_ms = self.now_ms;
        self.snapshot_idle_groups()?;
        self.forget_past_epochs()?;
        self.forget_ended_groups()?;
        self.forget_gone_groups()?;
        self.forget_room_states()?;
        self.come_back_to_hubs()?;
        self.forget_old_messages()?;
        self.give_up_proofs()?;
        self.want_credentials()?;
        self.sweep_key_packages()
    }

    /// Time passed.
    pub(super) fn tick(&mut self) -> Result<(), StoreError> {
        self.give_up_other_hubs()?;
        self.repeat_requests()?;
        self.lose_patience()?;
        self.find_groups()?;
        self.warn_of_uninvited()?;
        self.look_at_watched()?;
        self.age_future()?;
        self.tell_of_gaps()?;
        self.start_creates()?;
        self.start_joins()?;
        self.start_knocks()?;
        self.start_revocations()?;
        self.step_everywhere()?;
        self.survey_devices()?;
        self.snapshot_busy_groups()?;
        self.give_up_silent_hubs()?;
        self.keep_house()?;
        let now_ms = self.now_ms;
        let waiting: Vec<_> = self.intents.values().filter_map(|i| i.group().cloned()).collect();
        let due = self.groups.values().filter(|record| {
            record.rejoin.is_some()
                || record.proposals_since_ms.is_some()
                || record.update_due_ms <= now_ms
        });
        self.touched.extend(due.map(|record| record.group.clone()));
        self.touched.extend(waiting);
        Ok(())
    }
}
