//! How many clients one commit adds.
//!
//! An Add by value travels in the commit, so these are few. One by reference came before, and the
//! commit only names it. More of these than fit must not block the group: whoever commits takes as
//! many as it may, and those left out are proposed anew.
//!
//! A group that follows a ReInit, or branches from another, gets all its members by its first commit. That
//! one is sent to nobody, so only a group's size bounds it.

use mls_rs::group::GroupContext;
use mls_rs::group::proposal::ProposalType;
use mls_rs::mls_rules::{CommitDirection, ProposalBundle};

use super::RuleError;
use crate::limits::{ADDS_BY_REFERENCE_PER_COMMIT_MAX, ADDS_BY_VALUE_PER_COMMIT_MAX};

/// Refuses a commit that adds too many; sending, leaves out what is too many by reference.
pub(super) fn bound(
    direction: CommitDirection,
    context: &GroupContext,
    proposals: &mut ProposalBundle,
) -> Result<(), RuleError> {
    let adds = proposals.add_proposals();
    let by_reference = adds.iter().filter(|info| info.is_by_reference()).count();
    let by_value = adds.len().saturating_sub(by_reference);
    let founds = context.epoch == 0 && direction == CommitDirection::Send && by_reference == 0;
    if founds {
        return Ok(());
    }
    if by_value > ADDS_BY_VALUE_PER_COMMIT_MAX {
        return Err(RuleError::TooManyAdds);
    } else if by_reference <= ADDS_BY_REFERENCE_PER_COMMIT_MAX {
        return Ok(());
    }
    match direction {
        CommitDirection::Send => keep_the_first(proposals),
        CommitDirection::Receive => Err(RuleError::TooManyAdds),
    }
}

fn keep_the_first(proposals: &mut ProposalBundle) -> Result<(), RuleError> {
    let mut kept = 0usize;
    proposals.retain(|info| {
        let is_add = info.proposal.proposal_type() == ProposalType::ADD;
        kept = kept.saturating_add(usize::from(is_add && info.is_by_reference()));
        Ok(!is_add || !info.is_by_reference() || kept <= ADDS_BY_REFERENCE_PER_COMMIT_MAX)
    })
}
