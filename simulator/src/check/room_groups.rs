//! Groups that their rooms order: everybody who is in the room ends in one state.

use mls_core::address::{ClientId, RoomAddress};
use mls_core::wire::GroupId;

use super::groups::View;
use crate::failure::{Failure, Rule};
use crate::step::Device;
use crate::world::World;

impl World {
    /// Of a group that somebody believes to be ordered by its room. Rooms do not follow it, nor the
    /// hub; and who was put out of the room hears of nothing.
    pub(super) fn check_group_of_room(
        &self,
        group: &GroupId,
        rooms: &[RoomAddress],
        views: &[View],
    ) -> Result<(), Failure> {
        let ordinal = self.ordinal(group);
        let inside = views.iter().filter(|view| self.hears(view.device, rooms));
        let inside: Vec<_> = inside.map(|view| view.device).collect();
        let seen = |device: &Device| self.record.followed.get(&(*device, group.clone()));
        let Some((first, others)) = inside.split_first() else { return Ok(()) };
        let Some(one) = seen(first) else { return Ok(()) };
        for (device, other) in others.iter().filter_map(|device| Some((device, seen(device)?))) {
            let same = one.epoch == other.epoch
                && one.state == other.state
                && one.by_room_since.is_some() == other.by_room_since.is_some();
            Rule::Agreement.holds(same, || {
                let how = |by_room: bool| if by_room { "its room" } else { "the hub" };
                format!(
                    "d{first} has g{ordinal} in epoch {}, ordered by {}, d{device} in {}, by {}",
                    one.epoch,
                    how(one.by_room_since.is_some()),
                    other.epoch,
                    how(other.by_room_since.is_some()),
                )
            })?;
        }
        Ok(())
    }

    pub(super) fn is_by_room(&self, device: Device, group: &GroupId) -> bool {
        let followed = self.record.followed.get(&(device, group.clone()));
        followed.is_some_and(|followed| followed.by_room_since.is_some())
    }

    /// Whether its device left, or was removed, while the room ordered the group; or lost it, and was
    /// told that there is no way back meanwhile: then it asks again when it connects.
    pub(super) fn is_gone_by_room(&self, client: &ClientId, group: &GroupId) -> bool {
        let device = self.record.clients.iter().position(|one| one == client);
        device.is_some_and(|device| {
            let refused = self.record.have_lost.contains(&device)
                && self.record.rooms_ordered.contains(group);
            refused || self.record.gone_by_room.contains(&(device, group.clone()))
        })
    }

    /// Whether a device is in the group's room of its network.
    fn hears(&self, device: Device, rooms: &[RoomAddress]) -> bool {
        let Ok(node) = self.see(device) else { return false };
        let (user, network) = (node.user(), node.network());
        let known = rooms.iter().find(|room| room.network == network);
        let known = known.and_then(|room| self.rooms.get(room));
        known.is_some_and(|known| known.inside.contains(&user))
    }
}
