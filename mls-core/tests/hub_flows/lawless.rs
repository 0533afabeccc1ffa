//! The rules of a group, which a device can be told to break when it commits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mls_core::rules::{GroupRules, RuleError};
use mls_rs::MlsRules;
use mls_rs::group::{GroupContext, Roster};
use mls_rs::mls_rules::{
    CommitDirection, CommitOptions, CommitSource, EncryptionOptions, ProposalBundle,
};

/// As [`GroupRules`], unless they are to be broken.
#[derive(Clone, Default)]
pub(crate) struct Rules {
    broken: Arc<AtomicBool>,
}

impl Rules {
    /// From now on every proposal passes.
    pub(crate) fn break_them(&self) {
        self.broken.store(true, Ordering::Relaxed);
    }
}

impl MlsRules for Rules {
    type Error = RuleError;

    fn filter_proposals(
        &self,
        direction: CommitDirection,
        source: CommitSource,
        roster: &Roster<'_>,
        context: &GroupContext,
        proposals: ProposalBundle,
    ) -> Result<ProposalBundle, RuleError> {
        if self.broken.load(Ordering::Relaxed) {
            return Ok(proposals);
        }
        GroupRules.filter_proposals(direction, source, roster, context, proposals)
    }

    fn commit_options(
        &self,
        roster: &Roster<'_>,
        context: &GroupContext,
        proposals: &ProposalBundle,
    ) -> Result<CommitOptions, RuleError> {
        GroupRules.commit_options(roster, context, proposals)
    }

    fn encryption_options(
        &self,
        roster: &Roster<'_>,
        context: &GroupContext,
    ) -> Result<EncryptionOptions, RuleError> {
        GroupRules.encryption_options(roster, context)
    }
}
