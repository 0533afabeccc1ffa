//! One device: a member over its database, and what its process is doing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use mls_core::address::{ClientId, Network, RoomAddress, UserId};
use mls_core::member::{Input, KeyPackageUpload, Member, OutgoingMessage};
use mls_core::store::StoreError;
use mls_core::wire::RequestId;

use crate::chance_bytes::ChanceBytes;
use crate::crash::Armed;
use crate::disk::Disk;
use crate::pool::Pool;

/// How far a device has read a room.
#[derive(Clone, Debug, Default)]
pub(crate) struct Feed {
    /// Everything before this.
    pub(crate) next: usize,
    /// And these after it, which overtook.
    pub(crate) ahead: BTreeSet<usize>,
}

/// Something that a process does beside messages and requests.
#[derive(Clone, Debug)]
pub(crate) enum Chore {
    Enter { room: RoomAddress, attempts: u32 },
    Leave { room: RoomAddress },
    Upload(Box<KeyPackageUpload>),
}

/// One device.
pub(crate) struct MemberNode {
    pub(crate) client: ClientId,
    pub(crate) disk: Disk,
    pub(crate) member: Member,
    chances: ChanceBytes,
    /// On the disk, with the member's own writes.
    pub(crate) feeds: BTreeMap<RoomAddress, Feed>,
    /// What the homeserver keeps for it.
    pub(crate) pool: Pool,
    /// Messages to be posted, by room: one after the other.
    pub(crate) posts: BTreeMap<RoomAddress, VecDeque<OutgoingMessage>>,
    pub(crate) chores: VecDeque<Chore>,
    /// The order in which requests were first put, which their random ids do not tell.
    pub(crate) request_order: BTreeMap<RequestId, usize>,
    /// Rooms that it is in, as far as its connection knows.
    pub(crate) entered: BTreeSet<RoomAddress>,
    pub(crate) connected: bool,
    pub(crate) awake: bool,
    /// Gone for ever.
    pub(crate) buried: bool,
    pub(crate) armed: Option<Armed>,
    pub(crate) commands: usize,
    pub(crate) texts: usize,
}

impl MemberNode {
    /// Opens what `disk` holds, or makes a new device.
    pub(crate) fn open(client: ClientId, disk: Disk, story: u64) -> Result<Self, StoreError> {
        let mut chances = ChanceBytes::new(story, client.as_str());
        let member = open_member(&client, &disk, &mut chances)?;
        Ok(Self {
            client,
            disk,
            member,
            chances,
            feeds: BTreeMap::new(),
            pool: Pool::default(),
            posts: BTreeMap::new(),
            chores: VecDeque::new(),
            request_order: BTreeMap::new(),
            entered: BTreeSet::new(),
            connected: true,
            awake: true,
            buried: false,
            armed: None,
            commands: 0,
            texts: 0,
        })
    }

    /// The process begins anew, with what is on the disk. What it was doing is forgotten.
    pub(crate) fn reopen(&mut self) -> Result<(), StoreError> {
        self.member = open_member(&self.client, &self.disk, &mut self.chances)?;
        self.posts.clear();
        self.chores.clear();
        Ok(())
    }

    pub(crate) fn user(&self) -> UserId {
        self.client.user()
    }

    pub(crate) fn network(&self) -> Network {
        self.client.network()
    }

    /// Whether anything can reach it, and it anything.
    pub(crate) fn online(&self) -> bool {
        self.connected && self.runs()
    }

    pub(crate) fn runs(&self) -> bool {
        self.awake && !self.buried
    }
}

fn open_member(
    client: &ClientId,
    disk: &Disk,
    chances: &mut ChanceBytes,
) -> Result<Member, StoreError> {
    let (store, chances) = (Arc::new(disk.clone()), chances.next_process());
    let (member, writes) = Member::open_with(store, client.clone(), chances)?;
    disk.commit(writes);
    disk.sync();
    Ok(member)
}

/// What waits for a device, and what it asked: on their way, whatever becomes of the process.
#[derive(Default)]
pub(crate) struct Mailbox {
    /// Answers and notices of the hub.
    pub(crate) mail: VecDeque<Input>,
    /// What its server says of its account's rooms, and its user gives again; never lost.
    pub(crate) account: VecDeque<Input>,
}
