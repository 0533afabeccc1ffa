//! `cargo xtask demo`: one group, both networks, four people, and nobody else who can read.

mod keep;
mod show;

use std::thread;

use clap::Args;
use serde_json::json;
use tests::bot::{Account, Bot};
use tests::deadline::{STEP, until};
use tests::error::RigError;
use tests::group::Group;
use tests::rig::{Options, Rig};

use crate::{cargo, failed, progress};

pub(crate) const TEACHES: &str = "\
Starts Synapse, Prosody and mls-bridge on free ports of this machine; makes Alice (two devices) and
Carol on Matrix, Bob and Dave on XMPP; forms one MLS group in a Matrix room and a multi-user chat at
once; lets everybody talk; removes Dave; shows the conversation as each member saw it, and that
neither the bridge nor a server holds a word of it. Then everything is gone, unless --keep is given.";

const BEFORE: [(usize, &str); 5] = [
    (0, "Good morning! I made this group on Matrix."),
    (3, "Good morning from XMPP. Whose leaf is this one?"),
    (2, "Mine. Carol here, on Matrix like Alice."),
    (4, "And Dave, on XMPP. May I stay?"),
    (1, "This is Alice again, on her phone."),
];
const AFTER: [(usize, &str); 3] = [
    (0, "Dave is out. Only three people read this."),
    (3, "I read it on XMPP."),
    (2, "And I on Matrix."),
];
/// Dave's place in [`Cast::all`].
const DAVE: usize = 4;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Leave everything running at the end, and print how to join in by hand
    #[arg(long)]
    keep: bool,
}

/// Everybody's devices.
struct Cast {
    alice: Bot,
    phone: Bot,
    carol: Bot,
    bob: Bot,
    dave: Bot,
}

impl Cast {
    fn all(&self) -> [&Bot; 5] {
        [&self.alice, &self.phone, &self.carol, &self.bob, &self.dave]
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), RigError> {
    cargo::build_programs()?;
    let options = Options {
        plain_names: true,
        progress: Some(progress::step as fn(&str)),
        ..Options::default()
    };
    let rig = Rig::start(options)?;
    play(&rig, arguments.keep).inspect_err(|_| {
        // Configurations, databases and logs say more than the error; its folder is named there.
        let _only_for_a_person = rig.keeper().keep_folder();
        progress::print(&format!("Everything is left in {}", rig.keeper().folder().display()));
    })?;
    progress::print(&format!("Done in {} s.", progress::elapsed()));
    progress::end();
    if arguments.keep { keep::leave_running(rig) } else { Ok(()) }
}

fn play(rig: &Rig, keep: bool) -> Result<(), RigError> {
    let cast = bring_in(rig)?;
    let all = cast.all();
    progress::step("Alice makes a group with a Matrix room and a multi-user chat");
    let group = Group::create(&cast.alice)?;
    progress::step("Alice adds her phone, Bob, Carol and Dave");
    group.invite(&cast.alice, &[&cast.phone])?;
    group.invite(&cast.alice, &[&cast.carol, &cast.bob, &cast.dave])?;
    let view = group.converge_to(&all, all.len())?;
    let rooms = (group.room(&cast.alice, "matrix")?, group.room(&cast.alice, "xmpp")?);
    talk(&group, &all, &BEFORE, &all)?;
    progress::step("Bob renews his keys");
    cast.bob.command(json!({"command": "rotate", "group": group.id}))?;
    progress::step("Alice removes Dave");
    group.remove(&cast.alice, &[&cast.dave])?;
    let rest = [&cast.alice, &cast.phone, &cast.carol, &cast.bob];
    group.converge_to(&rest, rest.len())?;
    talk(&group, &all, &AFTER, &rest)?;
    show::group(&group, &rooms, &view);
    for bot in all {
        show::conversation(&group, bot)?;
    }
    dave_reads_no_more(&group, all[DAVE])?;
    show::blindness(rig, &rooms)?;
    if keep { keep::remember(&group, &all) } else { Ok(()) }
}

fn bring_in(rig: &Rig) -> Result<Cast, RigError> {
    progress::step("Making accounts, logging five devices in, publishing key packages");
    let [alice, carol] = [rig.matrix_user("alice")?, rig.matrix_user("carol")?];
    let [bob, dave] = [rig.xmpp_user("bob")?, rig.xmpp_user("dave")?];
    let devices = [
        (&alice, "laptop"),
        (&alice, "phone"),
        (&carol, "desk"),
        (&bob, "laptop"),
        (&dave, "tablet"),
    ];
    let bring = |(account, device): (&Account, &str)| rig.device(account, device);
    let mut bots = thread::scope(|scope| {
        let threads = devices.map(|device| scope.spawn(move || bring(device)));
        threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| failed("a thread panicked"))?)
            .collect::<Result<Vec<Bot>, RigError>>()
    })?
    .into_iter();
    let mut next = || bots.next().ok_or_else(|| failed("a device is missing"));
    Ok(Cast { alice: next()?, phone: next()?, carol: next()?, bob: next()?, dave: next()? })
}

/// Everybody says a line, and each of `hearers` has it before the next is said.
fn talk(
    group: &Group,
    all: &[&Bot],
    lines: &[(usize, &str)],
    hearers: &[&Bot],
) -> Result<(), RigError> {
    for (who, text) in lines {
        let from = all.get(*who).ok_or_else(|| failed("nobody says this line"))?;
        progress::step(&format!("{} says: {text}", from.name));
        group.say(from, hearers, text)?;
    }
    Ok(())
}

/// Dave has everything that was said before, nothing of what came after, even when he asks again.
fn dave_reads_no_more(group: &Group, dave: &Bot) -> Result<(), RigError> {
    progress::step("Dave comes back on and looks for what was said without him");
    let texts =
        |lines: &[(usize, &str)]| lines.iter().map(|(_, text)| (*text).to_owned()).collect();
    let before: Vec<String> = texts(&BEFORE);
    group.assert_exactly(dave, &before)?;
    dave.quit()?;
    dave.start()?;
    let gone = || Ok(group.view(dave)?.is_none().then_some(()));
    until("Dave's device no longer lists the group", STEP, gone, String::new)?;
    let asked = dave.command(json!({"command": "rejoin", "group": group.id}));
    let why = match asked {
        Err(RigError::Refused { why, .. }) => why,
        other => return Err(failed(format!("Dave could ask to rejoin: {other:?}"))),
    };
    group.assert_exactly(dave, &before)?;
    progress::print(&format!(
        "\nDave was removed. Of the {} messages since then his device has none, and when it asks \
         to come back by itself, the answer is:\n  {why}",
        AFTER.len()
    ));
    Ok(())
}
