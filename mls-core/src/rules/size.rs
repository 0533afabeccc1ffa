//! How many leaves a group may have.

use mls_rs::group::Roster;
use mls_rs::mls_rules::{CommitSource, ProposalBundle};

use super::RuleError;
use crate::limits::MEMBERS_MAX;

/// Whether the group stays within its bound, where it grows.
pub(super) fn check(
    source: &CommitSource,
    roster: &Roster<'_>,
    proposals: &ProposalBundle,
) -> Result<(), RuleError> {
    let joins = usize::from(matches!(source, CommitSource::NewMember(_)));
    let more = proposals.add_proposals().len().saturating_add(joins);
    let fewer = proposals.remove_proposals().len();
    // One that is too large already may shrink, or stay.
    if more <= fewer {
        return Ok(());
    }
    check_growth(roster.member_identities_iter().count(), more, fewer)
}

fn check_growth(before: usize, more: usize, fewer: usize) -> Result<(), RuleError> {
    let after = before.saturating_add(more).saturating_sub(fewer);
    if after > MEMBERS_MAX { Err(RuleError::TooManyMembers) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_grows_to_its_bound_and_no_further() {
        assert_eq!(check_growth(MEMBERS_MAX - 1, 1, 0), Ok(()));
        assert_eq!(check_growth(MEMBERS_MAX, 2, 2), Ok(()));
        assert_eq!(check_growth(MEMBERS_MAX, 1, 0), Err(RuleError::TooManyMembers));
        assert_eq!(check_growth(MEMBERS_MAX, 2, 1), Err(RuleError::TooManyMembers));
    }
}
