//! Alarms, as sentences that say what to do.

use super::{plain, short, who};
use crate::json::AlarmLine;

/// The sentence.
pub(super) fn render(alarm: &AlarmLine) -> String {
    match alarm {
        AlarmLine::HubContradicts { group, seq, evidence, .. } => format!(
            "{} ALARM: the hub signed two different orders of this group (position {seq}): it \
             deceives somebody, or went on from an old copy of its database. Proof {} is kept",
            short(group),
            digits(evidence)
        ),
        AlarmLine::OtherState { group, epoch, client, evidence, .. } => format!(
            "{} ALARM: {} signed another state of epoch {epoch} than the one here: ask them over \
             another way which epoch and members they see. What they signed ({}) is kept",
            short(group),
            who(client),
            digits(evidence)
        ),
        AlarmLine::NoCheckpoints { group, network, .. } => format!(
            "{} notice: members on {network} send messages, but for a day nothing came that shows \
             whether they follow the same group: somebody on the way may hold it back",
            short(group)
        ),
        AlarmLine::MessagesMissing { group, epoch, sender, count: 0, .. } => {
            format!("{} nothing of {} in epoch {epoch} is missing now", short(group), who(sender))
        }
        AlarmLine::MessagesMissing { group, epoch, sender, count, .. } => format!(
            "{} notice: up to {count} messages of {} in epoch {epoch} did not come; they may have \
             been held back, or were never sent (a crash or a refused message skips numbers)",
            short(group),
            who(sender)
        ),
        AlarmLine::FellApart { group, why, .. } => format!(
            "{} ALARM: the group has fallen apart, or somebody wants it to look so: {}. Compare epochs \
             and members with the others over another way; if they differ, an admin makes a new group \
             of everybody with `restart`",
            short(group),
            plain(why)
        ),
        AlarmLine::LogForked { first, second, .. } => format!(
            "ALARM: the authority showed two logs of certificates, of {first} and of {second} entries: it hides \
             something, or was restored from an old copy. Ask its operator, and compare keys with people over \
             another way; `certificates` shows both, and how to go on"
        ),
        AlarmLine::NotAsked { index, key, .. } => format!(
            "ALARM: the authority certified a key in the name of this device that this device never had (entry \
             {index} of its log, key {}): somebody can speak in its name. Ask the authority's operator; `revoke` \
             from another device takes this one out of everything",
            plain(key)
        ),
        AlarmLine::NotLogged { group, client, .. } => format!(
            "{} ALARM: the certificate of {} is not shown in the authority's log: it may be for a key that they \
             never had. Compare keys with them over another way",
            short(group),
            who(client)
        ),
        AlarmLine::VerifiedUserChanged { group, client, .. } => format!(
            "{} ALARM: {} is signed by another identity key than the one that you verified: its user made a new \
             one, or somebody pretends to be them. They count as verified no more: compare anew (`verify`)",
            short(group),
            who(client)
        ),
        AlarmLine::UnsignedDeviceOfVerifiedUser { group, client, why: Some(why), .. } => format!(
            "{} ALARM: {} is in the group in the name of a user whom you verified, and their identity key does \
             not sign it: {}. Ask them over another way whether it is theirs; then they sign it, otherwise have it \
             removed",
            short(group),
            who(client),
            plain(why)
        ),
        AlarmLine::UnsignedDeviceOfVerifiedUser { group, client, why: None, .. } => {
            format!("{} {} is signed by its user's identity key now", short(group), who(client))
        }
        AlarmLine::ReAddNeeded { group, why, .. } => format!(
            "{} ALARM: this device cannot follow the group any more: {}. An admin has to remove its \
             user and invite them again, or to `restart` the group where that cannot be done",
            short(group),
            plain(why)
        ),
    }
}

fn digits(evidence: &str) -> &str {
    evidence.get(..16).unwrap_or(evidence)
}
