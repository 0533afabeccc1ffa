//! `SubmitProposal` as JSON.

use mls_core::wire::submit_proposal::SubmitProposal;
use serde_json::Value;

use super::json::{Fields, Invalid, JsonForm, object};

impl JsonForm for SubmitProposal {
    fn to_json(&self) -> Value {
        object([
            ("group", self.group.to_json()),
            ("epoch", self.epoch.to_json()),
            ("proposal", self.proposal.to_json()),
        ])
    }
    fn from_json(value: Value) -> Result<Self, Invalid> {
        let mut fields = Fields::of(value)?;
        Ok(Self {
            group: fields.take("group")?,
            epoch: fields.take("epoch")?,
            proposal: fields.take("proposal")?,
        })
    }
}
