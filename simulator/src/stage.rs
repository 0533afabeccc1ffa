//! What all runs with one cast begin with: devices that are connected and have published their
//! key packages, which cost more than many runs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use mls_core::address::{AddressError, ClientId, UserId};
use mls_core::store::MemoryStore;

use crate::begins::Begins;
use crate::dice::Dice;
use crate::disk::Disk;
use crate::failure::{Failure, Rule};
use crate::figures::Figures;
use crate::hub_node::HubNode;
use crate::member_node::MemberNode;
use crate::pool::Pool;
use crate::record::Record;
use crate::trace::Cast;
use crate::weather::Weather;
use crate::world::World;

/// Things that move until every device has published.
const MOVES_MAX: usize = 10_000;
/// Before any story, the chances are those of none; stories count from 1.
const NO_STORY: u64 = 0;

/// A frozen world.
pub(crate) struct Stage {
    begins: Begins,
    hub: MemoryStore,
    devices: Vec<Device>,
    users: Vec<UserId>,
}

/// A frozen device, and what its homeserver keeps for it.
struct Device {
    client: ClientId,
    store: MemoryStore,
    pool: Pool,
}

/// The stages made so far in this process.
static STAGES: Mutex<BTreeMap<(Begins, Cast), Arc<Stage>>> = Mutex::new(BTreeMap::new());

impl Stage {
    /// The stage of a cast, for stories that begin then.
    pub(crate) fn of(begins: Begins, cast: &Cast) -> Result<Arc<Self>, Failure> {
        let mut stages = STAGES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stage) = stages.get(&(begins, cast.clone())) {
            return Ok(Arc::clone(stage));
        }
        let stage = Arc::new(Self::make(begins, cast)?);
        stages.insert((begins, cast.clone()), Arc::clone(&stage));
        Ok(stage)
    }

    /// A world that begins, for one story.
    pub(crate) fn world(&self, story: u64) -> Result<World, Failure> {
        let mut nodes = Vec::new();
        for device in &self.devices {
            let disk = Disk::above(&device.store);
            let mut node = MemberNode::open(device.client.clone(), disk, story)?;
            node.pool.clone_from(&device.pool);
            nodes.push(node);
        }
        let hub = HubNode::open(Disk::above(&self.hub), story)?;
        world(self.begins, hub, nodes, self.users.clone())
    }

    fn make(begins: Begins, cast: &Cast) -> Result<Self, Failure> {
        let named = |error: AddressError| Rule::NeverFails.broken(error.to_string());
        let users: Vec<UserId> =
            (0..cast.0.len()).map(user).collect::<Result<_, _>>().map_err(named)?;
        let mut nodes = Vec::new();
        for (number, user) in cast.users().into_iter().enumerate() {
            let Some(user) = users.get(user) else { continue };
            let client = user.device(&format!("{number:016x}")).map_err(named)?;
            nodes.push(MemberNode::open(client, Disk::above(&MemoryStore::default()), NO_STORY)?);
        }
        let hub = HubNode::open(Disk::above(&MemoryStore::default()), NO_STORY)?;
        let mut world = world(begins, hub, nodes, users.clone())?;
        (0..world.nodes.len()).try_for_each(|device| world.connect(device))?;
        let mut dice = Dice::new(0);
        for _ in 0..MOVES_MAX {
            if !world.move_one(&mut dice, Weather::default())? {
                break;
            }
        }
        let device = |node: MemberNode| Device {
            client: node.client,
            store: node.disk.freeze(),
            pool: node.pool,
        };
        let devices = world.nodes.into_iter().map(device).collect();
        Ok(Self { begins, hub: world.hub.disk.freeze(), devices, users })
    }
}

fn world(
    begins: Begins,
    hub: HubNode,
    nodes: Vec<MemberNode>,
    users: Vec<UserId>,
) -> Result<World, Failure> {
    let clients = nodes.iter().map(|node| node.client.clone()).collect();
    Ok(World {
        begins,
        now_ms: begins.at_ms(),
        healed_ms: u64::MAX,
        hub,
        nodes,
        users,
        rooms: BTreeMap::new(),
        from_rooms: BTreeMap::new(),
        asked: BTreeMap::new(),
        uploads: BTreeMap::new(),
        mailboxes: BTreeMap::new(),
        authority: BTreeMap::new(),
        groups: Vec::new(),
        rooms_made: std::collections::BTreeSet::new(),
        record: Record::of(begins, clients),
        figures: Figures::default(),
    })
}

/// Even accounts are on Matrix, odd ones on XMPP.
fn user(number: usize) -> Result<UserId, AddressError> {
    match number % 2 {
        0 => UserId::matrix(&format!("@m{number}:a.org")),
        _ => UserId::xmpp(&format!("x{number}@x.org")),
    }
}
