//! The hub over its database, and the outbox of what it wants done.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use mls_core::address::{Network, RoomAddress};
use mls_core::hub::{Effect, Hub, HubSetup, ReplyTo};
use mls_core::store::StoreError;
use mls_core::wire::Digest;

use crate::chance_bytes::ChanceBytes;
use crate::crash::Armed;
use crate::disk::Disk;
use crate::step::Device;

/// What must stay in order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lane {
    To(Device),
    In(RoomAddress),
    Job(usize),
}

/// The hub.
pub(crate) struct HubNode {
    pub(crate) hub: Hub,
    chances: ChanceBytes,
    pub(crate) disk: Disk,
    /// In the same database: what is not done yet.
    pub(crate) outbox: BTreeMap<Lane, VecDeque<Effect>>,
    /// Networks that it cannot reach.
    pub(crate) parted: BTreeSet<Network>,
    pub(crate) armed: Option<Armed>,
    jobs: BTreeMap<Digest, usize>,
}

impl HubNode {
    pub(crate) fn open(disk: Disk, story: u64) -> Result<Self, StoreError> {
        let mut chances = ChanceBytes::new(story, "hub");
        let hub = open_hub(&disk, &mut chances)?;
        Ok(Self {
            hub,
            chances,
            disk,
            outbox: BTreeMap::new(),
            parted: BTreeSet::new(),
            armed: None,
            jobs: BTreeMap::new(),
        })
    }

    /// The process begins anew, with what is on the disk.
    pub(crate) fn reopen(&mut self) -> Result<(), StoreError> {
        self.hub = open_hub(&self.disk, &mut self.chances)?;
        Ok(())
    }

    /// The place of a job in the order of jobs, which its random id does not tell.
    pub(crate) fn job(&mut self, id: &Digest) -> usize {
        let next = self.jobs.len();
        *self.jobs.entry(*id).or_insert(next)
    }

    /// Whether an effect can be carried out now.
    pub(crate) fn reaches(&self, effect: &Effect) -> bool {
        let both = |effect: &Effect| match effect {
            Effect::MakeRooms(make) => make.rooms.matrix && make.rooms.xmpp,
            _ => false,
        };
        !self.parted.contains(&effect.network()) && (self.parted.is_empty() || !both(effect))
    }

    /// The device that an answer is for; requests name it so.
    pub(crate) fn device(to: &ReplyTo) -> Option<Device> {
        let (ReplyTo::ControlRoom(to) | ReplyTo::Jid(to)) = to;
        to.parse().ok()
    }
}

fn open_hub(disk: &Disk, chances: &mut ChanceBytes) -> Result<Hub, StoreError> {
    let setup = HubSetup {
        matrix: Some("@mls:a.org".to_owned()),
        xmpp: Some("mls.x.org".to_owned()),
        ..HubSetup::default()
    };
    let (store, chances) = (Arc::new(disk.clone()), chances.next_process());
    let (hub, writes) = Hub::open_with(store, setup, chances)?;
    disk.commit(writes);
    disk.sync();
    Ok(hub)
}
