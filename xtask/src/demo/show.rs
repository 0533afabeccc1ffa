//! The results of the demo, in words.

use tests::bot::Bot;
use tests::error::RigError;
use tests::group::{Group, View};
use tests::rig::Rig;

use crate::failed;
use crate::progress::{print, step};

/// The group and its members.
pub(super) fn group(group: &Group, rooms: &(String, String), view: &View) {
    print(&format!(
        "\nOne MLS group, {}\n  in the Matrix room    {}\n  in the XMPP chat      {}\n\
         At epoch {} its members were",
        group.id, rooms.0, rooms.1, view.epoch
    ));
    for member in &view.members {
        print(&format!("  {:<7} {member}", network(member)));
    }
}

/// The conversation as one device saw it.
pub(super) fn conversation(group: &Group, bot: &Bot) -> Result<(), RigError> {
    print(&format!("\nWhat {} ({}) saw", bot.name, bot.account.address));
    for message in bot.events.messages(&group.id)? {
        print(&format!(
            "  epoch {:<3} {:<7} {}\n            {}",
            message.epoch,
            network(&message.sender),
            message.sender,
            message.text
        ));
    }
    if let Some(event) = bot.events.of("removed", &group.id)?.first() {
        let by = event.get("by").and_then(|by| by.as_str()).unwrap_or("?");
        print(&format!("  removed by {by}"));
    }
    Ok(())
}

fn network(identity: &str) -> &'static str {
    if identity.starts_with("matrix:") { "Matrix" } else { "XMPP" }
}

/// Looks for every text in all that the three servers wrote, and for something that is there.
pub(super) fn blindness(rig: &Rig, rooms: &(String, String)) -> Result<(), RigError> {
    step("Looking for every text in databases, archives and logs");
    let search = rig.search_plaintexts()?;
    if !search.hits.is_empty() {
        return Err(failed(format!("plaintexts where none may be: {:#?}", search.hits)));
    }
    // A search that finds nothing proves something only if it can find what is there.
    let control = rig.search(&[rooms.0.clone(), rooms.1.clone()])?;
    print(&format!(
        "\nBlindness: {} texts were looked for as they are, in hex and in base64, in {} files \
         ({} MB):",
        rig.plaintexts(),
        search.files,
        search.bytes / 1_000_000
    ));
    let places = [
        ("mls-bridge", rig.bridge.folder(), "its database and its log"),
        ("Synapse", rig.synapse.folder(), "its database, media and log"),
        ("Prosody", rig.prosody.folder(), "its archives and its log"),
    ];
    for (name, folder, what) in places {
        let known = control.hits.iter().filter(|hit| hit.file.starts_with(folder)).count();
        if known == 0 {
            return Err(failed(format!("the search found not even the rooms' names in {name}")));
        }
        print(&format!(
            "  {name:<10} no text found in {what} (the rooms' addresses were, {known} times)"
        ));
    }
    Ok(())
}
