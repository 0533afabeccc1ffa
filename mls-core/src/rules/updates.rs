//! Updates that one commit can carry: one of each leaf, and none of a leaf that it removes (RFC 9420 12.2).
//!
//! A member may propose several, or one just before somebody proposes to remove it. The engine does not apply
//! the others, but would keep them in the commit, which everybody then refuses; so they are left out here.

use std::collections::BTreeSet;

use mls_rs::group::Sender;
use mls_rs::group::proposal::ProposalType;
use mls_rs::mls_rules::{CommitDirection, ProposalBundle};

use super::RuleError;

/// Sending, leaves out Updates by reference that could not stand beside the rest.
pub(super) fn leave_out(
    direction: CommitDirection,
    proposals: &mut ProposalBundle,
) -> Result<(), RuleError> {
    if direction == CommitDirection::Receive || proposals.update_proposals().is_empty() {
        return Ok(());
    }
    let removes = proposals.remove_proposals().iter();
    let mut taken: BTreeSet<u32> = removes.map(|info| info.proposal.to_remove()).collect();
    proposals.retain(|info| {
        let is_update = info.proposal.proposal_type() == ProposalType::UPDATE;
        Ok(match info.sender {
            Sender::Member(leaf) if is_update && info.is_by_reference() => taken.insert(leaf),
            _ => true,
        })
    })
}
