//! The hub's authority signs for both networks, so everybody ends with a good certificate.

use mls_core::bridge_group::Order;
use mls_core::identity::Standing;

use crate::failure::{Failure, Rule};
use crate::world::World;

impl World {
    /// Of everybody's own leaf, in groups that go on. Without a hub nothing is asked for in a hurry:
    /// a leaf takes a new certificate with its next commit.
    pub(super) fn check_certificates(&self) -> Result<(), Failure> {
        let now_s = self.now_ms / 1000;
        for (device, node) in self.nodes.iter().enumerate().filter(|(d, _)| self.counts(*d)) {
            for summary in node.member.groups()? {
                let ordinal = self.ordinal(&summary.group);
                let goes_on = self.staying(ordinal)?.contains(&device);
                let is_excused = self.record.is_excused(&summary.group)
                    || self.record.is_replaced(&summary.group);
                if !goes_on || is_excused || summary.order == Order::Room {
                    continue;
                }
                let own = summary.members.iter().find(|member| member.client == node.client);
                let good = own.is_some_and(|own| match own.standing {
                    Standing::Vouched { until_s } => until_s > now_s,
                    Standing::Unvouched | Standing::Revoked => false,
                });
                Rule::Certified.holds(good, || {
                    format!("d{device} stands in g{ordinal} with {:?}", own.map(|o| o.standing))
                })?;
            }
        }
        Ok(())
    }
}
