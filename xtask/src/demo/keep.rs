//! `--keep`: everything lives on, and a person gets the words to join in.

use std::collections::BTreeMap;
use std::fs;

use tests::bot::Bot;
use tests::error::RigError;
use tests::group::Group;
use tests::rig::Rig;

use crate::progress::print;

/// Ends the bots, whose profiles a person may then use, and prints how.
pub(super) fn remember(group: &Group, bots: &[&Bot]) -> Result<(), RigError> {
    print("\nJoin in by hand, in one terminal each:");
    for bot in bots {
        bot.quit()?;
        let (program, profile) = (bot.program().display(), bot.profile());
        print(&format!("  {program} --profile {} chat {}", profile.display(), group.id));
    }
    print("Accounts, for other clients:");
    // One line an account, however many devices it has.
    let accounts: BTreeMap<_, _> =
        bots.iter().map(|bot| (&bot.account.address, &bot.account.password)).collect();
    for (address, password) in accounts {
        print(&format!("  {address:<28} password {password}"));
    }
    Ok(())
}

/// Lets the servers live on, and writes and names the script that ends them.
pub(super) fn leave_running(mut rig: Rig) -> Result<(), RigError> {
    rig.synapse.detach();
    rig.prosody.detach();
    rig.bridge.detach();
    let folder = rig.keeper().folder().to_owned();
    let groups = rig.keeper().detach()?;
    let kill: String = groups.iter().map(|group| format!("kill -s KILL -- -{group}\n")).collect();
    let script = folder.join("stop.sh");
    let text = format!("#!/bin/sh\n{kill}rm -rf '{}'\n", folder.display());
    fs::write(&script, text).map_err(RigError::file("write", &script))?;
    print(&format!(
        "Synapse:    {}\nProsody:    {}\nmls-bridge: {}\nEnd it all with: sh {}",
        rig.synapse.url(),
        rig.prosody.address(),
        rig.bridge.log().display(),
        script.display()
    ));
    Ok(())
}
