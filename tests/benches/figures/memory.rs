//! How much memory a hub takes with large groups: a process of its own over a hub's database,
//! which has every group's state asked for and takes a commit in each; and the real `mls-bridge`
//! without any.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use appservice::carrier::{Carrier, Delivery};
use appservice::limits::DELIVERIES_WAITING_MAX;
use appservice::runtime::{Decision, Runtime};
use mls_core::address::{Network, RoomAddress, UserId};
use mls_core::crypto::Crypto;
use mls_core::delivery::DeliveryError;
use mls_core::hub::{AnswerEffect, Effect, Incoming, Input, Reply, ReplyTo, RequestInput};
use mls_core::member::{self, Command as MemberCommand, Output};
use mls_core::wire::fetch_group_info::FetchGroupInfo;
use mls_core::wire::{Answer, GroupId, Request};
use mls_rs_codec::{MlsDecode, MlsEncode};
use storage::{Database, Role};
use tests::error::RigError;
use tests::rig::{Options, Rig};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::peer::Peer;
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
    let (folder, commits) = prepare();
    step("memory: a process that holds them");
    let with = measure(&hub_path(folder.path()), &commits);
    step("memory: a real mls-bridge, idle, beside Synapse and Prosody");
    let bridge = match idle_bridge() {
        Ok(bridge) => bridge,
        Err(error) => panic!("the real mls-bridge cannot be measured: {error}"),
    };
    let total = bridge + with.0 - without.0;
    println!(
        "\nMemory: {GROUPS} groups of {MEMBERS} members, after a FetchGroupInfo and a commit with \
         path in each, in MB (resident)"
    );
    println!("hub, runtime and database in a process of their own, no group:  {:6.1}", without.0);
    println!("the same with the groups: {:6.1}, at its highest {:6.1}", with.0, with.1);
    println!("mls-bridge itself, connected to Synapse and Prosody, no group:  {bridge:6.1}");
    let verdict = if total < AIM { "under" } else { "NOT under" };
    println!("so mls-bridge with the groups: {total:.1} ({verdict} the aim of {AIM})");
}

/// A hub's database with all groups, and a commit for each that the hub has not seen.
fn prepare() -> (tempfile::TempDir, Vec<PathBuf>) {
    let mut world = World::new(&[(ALICE, "PHONE")]);
    let peers: Vec<Peer> = (1..MEMBERS).map(Peer::new).collect();
    step(&format!("memory: {} key packages", peers.len() * GROUPS));
    world.publish(&peers, GROUPS);
    let users: Vec<_> = peers.iter().map(|peer| peer.id.user()).collect();
    let mut commits = Vec::new();
    for number in 1..=GROUPS {
        step(&format!("memory: group {number} of {GROUPS}, with {MEMBERS} members"));
        let group = world.create_group();
        world.invite(&group, &users);
        assert_eq!(world.members(&group), MEMBERS);
        commits.push(commit(&mut world, group));
    }
    let folder = world.into_folder();
    let write = |(number, commit): (usize, Request)| {
        let path = folder.path().join(format!("commit-{number}"));
        fs::write(&path, commit.mls_encode_to_vec().unwrap()).unwrap();
        path
    };
    let paths = commits.into_iter().enumerate().map(write).collect();
    (folder, paths)
}

/// The first member renews its keys in a group, and the commit stays here.
fn commit(world: &mut World, group: GroupId) -> Request {
    let id = format!("rotate {group}");
    let input = member::Input::Command(id, MemberCommand::Rotate(group));
    let now_ms = world.now_ms;
    let outputs = world.nodes[0].member.handle(now_ms, input).unwrap().outputs;
    let mut requests = outputs.into_iter().filter_map(|output| match output {
        Output::Request(_, _, request @ Request::SubmitCommit(_)) => Some(request),
        _ => None,
    });
    requests.next().expect("the commit is submitted at once")
}

/// This program again, over that database; its size at the end and at its highest, in MB.
fn measure(database: &Path, commits: &[PathBuf]) -> (f64, f64) {
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program).arg(HOLD).arg(database).args(commits).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let mut numbers = said.split_whitespace().map(|number| number.parse().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

/// Runs the hub of a database as `mls-bridge` does, asks for the state of each group, submits
/// its commit, and prints its own size.
pub(crate) fn hold(arguments: &[String]) {
    let (path, commits) = arguments.split_first().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let id = std::process::id();
    runtime.block_on(use_groups(Path::new(path), commits));
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

async fn use_groups(path: &Path, commits: &[String]) {
    let database = Database::open(path, Role::Hub, None).unwrap();
    let decision = Decision::open(&setup(), &database).unwrap();
    let (told, mut answers) = mpsc::unbounded_channel();
    let (deliveries, receiver) = mpsc::channel(DELIVERIES_WAITING_MAX);
    let (_, orders) = mpsc::channel(1);
    let runtime =
        Runtime::new(setup(), database, decision, Arc::new(Answers(told)), receiver, orders);
    tokio::spawn(runtime.run(std::future::pending()));
    for path in commits {
        let bytes = fs::read(path).unwrap();
        let commit = match Request::mls_decode(&mut bytes.as_slice()).unwrap() {
            Request::SubmitCommit(commit) => commit,
            other => panic!("not a commit: {other:?}"),
        };
        let fetch = FetchGroupInfo { group: commit.group.clone() };
        let fetched = ask(&deliveries, &mut answers, Request::FetchGroupInfo(fetch)).await;
        assert!(matches!(fetched, Answer::GroupInfo(_)), "{fetched:?}");
        let accepted = ask(&deliveries, &mut answers, Request::SubmitCommit(commit)).await;
        assert!(matches!(accepted, Answer::Receipt(_)), "{accepted:?}");
    }
}

/// One request of Alice's, and its answer.
async fn ask(
    deliveries: &mpsc::Sender<Delivery>,
    answers: &mut mpsc::UnboundedReceiver<AnswerEffect>,
    request: Request,
) -> Answer {
    let id = hex::encode(Crypto::system().random_bytes(16).unwrap());
    let input = RequestInput {
        from: UserId::matrix(ALICE).unwrap(),
        reply_to: ReplyTo::ControlRoom("!control:a.org".to_owned()),
        id,
        request,
    };
    let (done, stored) = oneshot::channel();
    let incoming = vec![Incoming::Input(Input::Request(input))];
    let delivery = Delivery { network: Network::Matrix, incoming, mark: None, done };
    deliveries.send(delivery).await.unwrap();
    timeout(DEADLINE, stored).await.unwrap().unwrap();
    match timeout(DEADLINE, answers.recv()).await.unwrap().unwrap().reply {
        Reply::Ok(answer) => answer,
        Reply::Refused(refusal) => panic!("refused: {refusal}"),
        Reply::Sealed(_) => panic!("nothing was sealed"),
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
