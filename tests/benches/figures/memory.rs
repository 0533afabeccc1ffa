//! How much memory a hub takes with large groups: a process of its own over a hub's database,
//! and the real `mls-bridge` without any.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use appservice::carrier::{Carrier, Delivery};
use appservice::limits::DELIVERIES_WAITING_MAX;
use appservice::runtime::{Decision, Runtime};
use mls_core::address::{Network, RoomAddress, UserId};
use mls_core::delivery::DeliveryError;
use mls_core::engine;
use mls_core::hub::{AnswerEffect, Effect, Incoming, Input, Reply, ReplyTo, RequestInput};
use mls_core::wire::fetch_group_info::FetchGroupInfo;
use mls_core::wire::{Answer, GroupId, Request};
use mls_rs_core::crypto::CipherSuiteProvider;
use storage::{Database, Role};
use tests::error::RigError;
use tests::rig::{Options, Rig};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::peer::{Peer, SUITE};
use crate::step;
use crate::world::{World, folder, hub_path, setup};

/// The argument that makes this program hold a hub, say how large it is, and end.
pub(crate) const HOLD: &str = "hold";
const GROUPS: usize = 10;
const MEMBERS: usize = 1000;
/// What is aimed at, in MB (1,000,000 bytes).
const AIM: f64 = 200.0;
const ALICE: &str = "@alice:a.org";
const DEADLINE: Duration = Duration::from_secs(120);

pub(crate) fn run() {
    let empty = folder();
    let without = measure(&hub_path(empty.path()), &[]);
    let (folder, groups) = prepare();
    step("memory: a process that holds them");
    let with = measure(&hub_path(folder.path()), &groups);
    step("memory: a real mls-bridge, idle, beside Synapse and Prosody");
    let bridge = match idle_bridge() {
        Ok(bridge) => bridge,
        Err(error) => panic!("the real mls-bridge cannot be measured: {error}"),
    };
    let total = bridge + with.0 - without.0;
    println!("\nMemory: {GROUPS} groups of {MEMBERS} members, all of them used, in MB (resident)");
    println!("hub, runtime and database in a process of their own, no group:  {:6.1}", without.0);
    println!("the same with the groups: {:6.1}, at its highest {:6.1}", with.0, with.1);
    println!("mls-bridge itself, connected to Synapse and Prosody, no group:  {bridge:6.1}");
    let verdict = if total < AIM { "under" } else { "NOT under" };
    println!("so mls-bridge with the groups: {total:.1} ({verdict} the aim of {AIM})");
}

/// A hub's database with all groups, and their ids.
fn prepare() -> (tempfile::TempDir, Vec<GroupId>) {
    let mut world = World::new(&[(ALICE, "PHONE")]);
    let peers: Vec<Peer> = (1..MEMBERS).map(Peer::new).collect();
    step(&format!("memory: {} key packages", peers.len() * GROUPS));
    world.publish(&peers, GROUPS);
    let users: Vec<_> = peers.iter().map(|peer| peer.id.user()).collect();
    let mut groups = Vec::new();
    for number in 1..=GROUPS {
        step(&format!("memory: group {number} of {GROUPS}, with {MEMBERS} members"));
        let group = world.create_group();
        world.invite(&group, &users);
        assert_eq!(world.members(&group), MEMBERS);
        groups.push(group);
    }
    (world.into_folder(), groups)
}

/// This program again, over that database; its size now and at its highest, in MB.
fn measure(database: &Path, groups: &[GroupId]) -> (f64, f64) {
    let output = Command::new(std::env::current_exe().unwrap())
        .arg(HOLD)
        .arg(database)
        .args(groups.iter().map(GroupId::to_hex))
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let mut numbers = said.split_whitespace().map(|number| number.parse().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

/// Runs the hub of a database as `mls-bridge` does, has each group's state asked for, and prints
/// its own size.
pub(crate) fn hold(arguments: &[String]) {
    let (path, groups) = arguments.split_first().unwrap();
    let groups = groups.iter().map(|group| GroupId(hex::decode(group).unwrap())).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let id = std::process::id();
    runtime.block_on(use_groups(Path::new(path), groups));
    println!("{} {}", size(id, "VmRSS"), size(id, "VmHWM"));
    // The hub is still there: it is dropped by the end of the process.
}

/// Passes answers on.
struct Answers(mpsc::UnboundedSender<AnswerEffect>);

impl Carrier for Answers {
    async fn carry_out(&self, effect: &Effect, _: bool) -> Result<Option<Input>, DeliveryError> {
        if let Effect::Answer(answer) = effect {
            self.0.send(answer.clone()).unwrap();
        }
        Ok(None)
    }

    fn ghost(&self, _: &UserId, _: &RoomAddress) -> Option<String> {
        None
    }
}

async fn use_groups(path: &Path, groups: Vec<GroupId>) {
    let database = Database::open(path, Role::Hub, None).unwrap();
    let decision = Decision::open(&setup(), &database).unwrap();
    let (told, mut answers) = mpsc::unbounded_channel();
    let (deliveries, receiver) = mpsc::channel(DELIVERIES_WAITING_MAX);
    let runtime = Runtime::new(setup(), database, decision, Arc::new(Answers(told)), receiver);
    tokio::spawn(runtime.run(std::future::pending()));
    let suite = engine::cipher_suite(SUITE).unwrap();
    for group in groups {
        let seal_key = suite.kem_generate().unwrap().1.to_vec();
        let id = group.to_hex();
        let input = RequestInput {
            from: UserId::matrix(ALICE).unwrap(),
            reply_to: ReplyTo::ControlRoom("!control:a.org".to_owned()),
            id,
            request: Request::FetchGroupInfo(FetchGroupInfo { group, seal_key }),
        };
        let (done, stored) = oneshot::channel();
        let incoming = vec![Incoming::Input(Input::Request(input))];
        let delivery = Delivery { network: Network::Matrix, incoming, mark: None, done };
        deliveries.send(delivery).await.unwrap();
        timeout(DEADLINE, stored).await.unwrap().unwrap();
        let answer = timeout(DEADLINE, answers.recv()).await.unwrap().unwrap();
        assert!(matches!(answer.reply, Reply::Ok(Answer::GroupInfo(_))), "{answer:?}");
    }
}

/// The resident size of `mls-bridge` between two running servers, in MB.
fn idle_bridge() -> Result<f64, RigError> {
    let rig = Rig::start(Options::default())?;
    let list = rig.keeper().folder().join(".groups");
    let text = fs::read_to_string(&list).map_err(RigError::file("read", &list))?;
    let mut processes = text.lines().filter_map(|line| line.parse().ok());
    let named = |id: &u32| {
        fs::read_to_string(format!("/proc/{id}/comm")).is_ok_and(|name| name.trim() == "mls-bridge")
    };
    let id = processes.find(named);
    let id = id.ok_or_else(|| RigError::Answer("mls-bridge is not among the rig's".to_owned()))?;
    Ok(size(id, "VmRSS"))
}

/// A size out of `/proc/…/status`, which counts in kB of 1,024 bytes, in MB.
fn size(process: u32, field: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    let kb: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kb * 1024.0 / 1e6
}
