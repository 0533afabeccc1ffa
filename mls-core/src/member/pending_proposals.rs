//! Pending proposals: who commits them, and when.
//!
//! A member that has something to send commits them at once, for the engine does not encrypt
//! before. Otherwise the members take turns by rank: 0, 15 and 30 seconds, then logarithmic.
//! Who is to be removed does not commit; if nobody else does for some minutes, who is to be removed by members'
//! word alone does, and stays.

use std::collections::BTreeSet;

use mls_rs::group::CachedProposal;
use mls_rs::group::proposal::Proposal;

use super::Member;
use super::commit::Changes;
use super::loaded::Loaded;
use super::warning::WarningKind;
use crate::policy::COMMIT_RANK_STEP_MS;
use crate::rules::removed_by_hub;
use crate::store::StoreError;
use crate::wire::GroupId;

/// Ranks up to this wait one step each.
const LINEAR_RANKS: u64 = 2;
/// Who is to be removed by members' word has a rank so far behind all who stay: five and a half minutes.
const RANKS_BEFORE_LEAVING: u64 = 1 << 20;

impl Member {
    /// Commits what is pending if it is our turn. Whether a commit was made.
    pub(super) fn commit_by_rank(&mut self, group: &GroupId) -> Result<bool, StoreError> {
        let Some(since_ms) = self.record(group).and_then(|r| r.proposals_since_ms) else {
            return Ok(false);
        };
        if !self.may_commit(group) {
            return Ok(false);
        }
        let Some(loaded) = self.take_group(group)? else { return Ok(false) };
        let due = rank(&loaded)
            .is_some_and(|rank| since_ms.saturating_add(rank_wait_ms(rank)) <= self.now_ms);
        if !due {
            self.give_back(group, loaded);
            return Ok(false);
        }
        self.commit_pending(group, loaded)
    }

    /// Commits what is pending now. Whether a commit was made.
    pub(super) fn commit_pending(
        &mut self,
        group: &GroupId,
        loaded: Loaded,
    ) -> Result<bool, StoreError> {
        self.commit_now(group, loaded, Changes::default())
    }

    /// Makes a commit for no command. Whether one was made.
    pub(super) fn commit_now(
        &mut self,
        group: &GroupId,
        loaded: Loaded,
        changes: Changes,
    ) -> Result<bool, StoreError> {
        match self.commit(group, loaded, None, changes)? {
            Ok(()) => Ok(true),
            Err(error) => {
                self.pause_commits(group)?;
                self.warn(
                    group,
                    WarningKind::CommitFailed,
                    format!("no commit could be made: {error}"),
                )?;
                Ok(false)
            }
        }
    }
}

/// Whether this device's own leaf is to be removed.
pub(super) fn is_to_be_removed(loaded: &Loaded) -> bool {
    leaving(loaded).contains(&loaded.group.current_member_index())
}

/// The leaves that do not commit, since they are to be removed. Where members propose to remove all
/// who stay, these commit all the same, for a committer's own removal is no part of its commit.
fn leaving(loaded: &Loaded) -> Vec<u32> {
    let leaving = leaves_to_remove(loaded);
    let all = loaded.group.roster().members_iter().all(|member| leaving.contains(&member.index));
    if all { to_go(loaded).into_iter().collect() } else { leaving }
}

/// Whether the hub has proposed to remove every leaf. It judges by its own proposals alone, so members do too.
pub(super) fn hub_removes_all(loaded: &Loaded) -> bool {
    let removed = to_go(loaded);
    loaded.group.roster().members_iter().all(|member| removed.contains(&member.index))
}

/// The leaves whose removal the hub has proposed.
pub(super) fn to_go(loaded: &Loaded) -> BTreeSet<u32> {
    removed_by_hub(&loaded.group.get_cached_proposals())
}

/// The leaves of pending Removes.
pub(super) fn leaves_to_remove(loaded: &Loaded) -> Vec<u32> {
    loaded.group.get_cached_proposals().iter().filter_map(removes).collect()
}

fn removes(cached: &CachedProposal) -> Option<u32> {
    match cached.proposal() {
        Proposal::Remove(remove) => Some(remove.to_remove()),
        _ => None,
    }
}

/// Our place in the order of committers, among the leaves that stay, then those whose removal a member has
/// proposed; nothing if the hub has proposed ours.
pub(super) fn rank(loaded: &Loaded) -> Option<u64> {
    let leaving = leaving(loaded);
    let own = loaded.group.current_member_index();
    if to_go(loaded).contains(&own) {
        return None;
    } else if leaving.contains(&own) {
        return Some(RANKS_BEFORE_LEAVING);
    }
    let (mut count, mut position) = (0u64, None);
    for member in loaded.group.roster().members_iter().filter(|m| !leaving.contains(&m.index)) {
        if member.index == own {
            position = Some(count);
        }
        count = count.saturating_add(1);
    }
    loaded.group.current_epoch().wrapping_add(position?).checked_rem(count)
}

/// How long a rank lets the ranks before it try.
fn rank_wait_ms(rank: u64) -> u64 {
    let steps = match rank.checked_sub(LINEAR_RANKS) {
        None | Some(0) => rank,
        Some(beyond) => LINEAR_RANKS.saturating_add(u64::from(beyond.ilog2())).saturating_add(1),
    };
    COMMIT_RANK_STEP_MS.saturating_mul(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_grows_by_steps_and_then_with_the_logarithm_of_the_rank() {
        let seconds = |rank| rank_wait_ms(rank) / 1000;
        assert_eq!([0, 1, 2, 3, 4, 5, 6, 10].map(seconds), [0, 15, 30, 45, 60, 60, 75, 90]);
        assert_eq!(seconds(10_000), 30 + 15 * 14);
    }
}
