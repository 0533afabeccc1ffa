//! What members of one group do together, and what they must then agree on.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::bot::Bot;
use crate::deadline::{STEP, until};
use crate::error::RigError;

/// A group as its members' bots see it.
#[derive(Debug)]
pub struct Group {
    /// The group id in hex.
    pub id: String,
}

/// What one member says about a group (one entry of the answer to `groups`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The epoch.
    pub epoch: u64,
    /// The identities of all leaves.
    pub members: BTreeSet<String>,
}

impl Group {
    /// `creator` makes a group on both networks and invites the others; returns when all are in
    /// and agree.
    pub fn form(creator: &Bot, others: &[&Bot]) -> Result<Self, RigError> {
        let group = Self::create(creator)?;
        group.invite(creator, others)?;
        let mut all = vec![creator];
        all.extend(others);
        group.converge(&all)?;
        Ok(group)
    }

    /// `creator` makes a group on both networks and stays alone in it.
    pub fn create(creator: &Bot) -> Result<Self, RigError> {
        let networks = ["matrix", "xmpp"];
        let done =
            creator.command(json!({"command": "create", "name": "Tea", "networks": networks}))?;
        let id = done["group"].as_str().map(str::to_owned);
        let id = id.ok_or_else(|| RigError::Answer(format!("create named no group: {done}")))?;
        Ok(Self { id })
    }

    /// `by` invites the users of `others`; returns when each device of `others` has joined.
    pub fn invite(&self, by: &Bot, others: &[&Bot]) -> Result<(), RigError> {
        let users: BTreeSet<&str> = others.iter().map(|bot| bot.account.address.as_str()).collect();
        let from: Vec<usize> = others.iter().map(|bot| bot.events.count()).collect();
        by.command(json!({"command": "invite", "group": self.id, "users": users}))?;
        for (bot, from) in others.iter().zip(from) {
            bot.wait_for_after(from, "joined", |event| self.is(event, "joined"))?;
        }
        Ok(())
    }

    /// `by` removes the user of `whom`; returns when each device in `whom` knows it.
    pub fn remove(&self, by: &Bot, whom: &[&Bot]) -> Result<(), RigError> {
        let users: BTreeSet<&str> = whom.iter().map(|bot| bot.account.address.as_str()).collect();
        by.command(json!({"command": "remove", "group": self.id, "users": users}))?;
        whom.iter().try_for_each(|bot| self.wait_removed(bot))
    }

    /// Waits until `bot` knows that it is no longer a member.
    pub fn wait_removed(&self, bot: &Bot) -> Result<(), RigError> {
        bot.wait_for("removed", |event| self.is(event, "removed")).map(drop)
    }

    /// `from` sends a text; returns when every one of `to` has it, under the leaf's identity.
    pub fn say(&self, from: &Bot, to: &[&Bot], text: &str) -> Result<(), RigError> {
        from.command(json!({"command": "send", "group": self.id, "text": text}))?;
        to.iter().try_for_each(|bot| self.wait_heard(bot, from, text))
    }

    /// Waits until `bot` has the text from a device of `from`'s account.
    pub fn wait_heard(&self, bot: &Bot, from: &Bot, text: &str) -> Result<(), RigError> {
        let sender = from.account.identity_prefix();
        let event = bot.wait_for(&format!("the message {text:?}"), |event| {
            self.is(event, "message") && event["text"] == text
        })?;
        if event["sender"].as_str().is_some_and(|identity| identity.starts_with(&sender)) {
            Ok(())
        } else {
            Err(RigError::Answer(format!("not from {sender}: {event}")))
        }
    }

    /// Waits until all of `bots` see the same epoch and the same members, among them themselves.
    pub fn converge(&self, bots: &[&Bot]) -> Result<View, RigError> {
        let mut seen = String::new();
        let mut look = || {
            let views: Vec<Option<View>> =
                bots.iter().map(|bot| self.view(bot)).collect::<Result<_, _>>()?;
            seen = bots.iter().zip(&views).map(|(b, v)| format!("{}: {v:?}\n", b.name)).collect();
            let Some(Some(first)) = views.first() else { return Ok(None) };
            let own = |bot: &&Bot| {
                let prefix = bot.account.identity_prefix();
                first.members.iter().any(|member| member.starts_with(&prefix))
            };
            let same = views.iter().all(|view| view.as_ref() == Some(first));
            Ok((same && bots.iter().all(own)).then(|| first.clone()))
        };
        let result = until("all members agree", STEP, &mut look, String::new);
        result.map_err(|error| match error {
            RigError::Deadline { what, seconds, .. } => RigError::Deadline { what, seconds, seen },
            other => other,
        })
    }

    /// Waits until all of `bots` agree on exactly `count` leaves.
    pub fn converge_to(&self, bots: &[&Bot], count: usize) -> Result<View, RigError> {
        let what = format!("the group has {count} leaves");
        self.converge_where(bots, &what, |view| view.members.len() == count)
    }

    /// Waits until all of `bots` agree on an epoch that is not before `epoch`.
    pub fn converge_from(&self, bots: &[&Bot], epoch: u64) -> Result<View, RigError> {
        let what = format!("the group is in epoch {epoch} or later");
        self.converge_where(bots, &what, |view| view.epoch >= epoch)
    }

    fn converge_where(
        &self,
        bots: &[&Bot],
        what: &str,
        right: impl Fn(&View) -> bool,
    ) -> Result<View, RigError> {
        let mut last = None;
        let look = || {
            let view = self.converge(bots)?;
            last = Some(view.clone());
            Ok(right(&view).then_some(view))
        };
        until(what, STEP, look, String::new)
            .map_err(|error| RigError::Answer(format!("{error}\nall agree on {last:?}")))
    }

    /// What `bot` says about this group; `None` when it is not in it.
    pub fn view(&self, bot: &Bot) -> Result<Option<View>, RigError> {
        let entry = self.entry(bot)?;
        Ok(entry.map(|entry| View {
            epoch: entry["epoch"].as_u64().unwrap_or(u64::MAX),
            members: entry["members"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|member| member["client"].as_str().map(str::to_owned))
                .collect(),
        }))
    }

    /// The address of the group's room on `network` (`matrix` or `xmpp`).
    pub fn room(&self, bot: &Bot, network: &str) -> Result<String, RigError> {
        let entry = self.entry(bot)?.unwrap_or_default();
        let rooms = entry["rooms"].as_array().into_iter().flatten();
        rooms
            .filter(|room| room["network"] == network)
            .find_map(|room| room["address"].as_str().map(str::to_owned))
            .ok_or_else(|| RigError::Answer(format!("no room on {network} in {entry}")))
    }

    /// What `bot` says of the leaf of `of`: its key, and until when it is certified.
    pub fn leaf(&self, bot: &Bot, of: &Bot) -> Result<Value, RigError> {
        let entry = self.entry(bot)?.unwrap_or_default();
        let prefix = of.account.identity_prefix();
        let mut members = entry["members"].as_array().into_iter().flatten();
        let own =
            |member: &&Value| member["client"].as_str().is_some_and(|c| c.starts_with(&prefix));
        let leaf = members.find(own).cloned();
        leaf.ok_or_else(|| RigError::Answer(format!("no leaf of {} in {entry}", of.name)))
    }

    fn entry(&self, bot: &Bot) -> Result<Option<Value>, RigError> {
        let answer = bot.command(json!({"command": "groups"}))?;
        let mut groups = answer["groups"].as_array().into_iter().flatten();
        Ok(groups.find(|entry| entry["group"] == self.id.as_str()).cloned())
    }

    /// Whether an event has this name and is about this group.
    pub fn is(&self, event: &Value, name: &str) -> bool {
        event["event"] == name && event["group"] == self.id.as_str()
    }

    /// Checks that each of `texts` came to `bot` exactly once, and that nothing else did.
    pub fn assert_exactly(&self, bot: &Bot, texts: &[String]) -> Result<(), RigError> {
        let mut got: Vec<String> =
            bot.events.messages(&self.id)?.into_iter().map(|message| message.text).collect();
        let mut wanted = texts.to_vec();
        got.sort();
        wanted.sort();
        if got == wanted {
            return Ok(());
        }
        let missing: Vec<_> = wanted.iter().filter(|text| !got.contains(text)).collect();
        let twice: Vec<_> = got.windows(2).filter(|w| w.first() == w.last()).collect();
        let who = &bot.name;
        Err(RigError::Answer(format!(
            "{who} has {} messages of {}; missing {missing:?}, twice {twice:?}",
            got.len(),
            wanted.len()
        )))
    }

    /// Checks that no two of `bots` saw different commits for one epoch; returns how many epochs
    /// they saw together.
    pub fn assert_one_winner_an_epoch(&self, bots: &[&Bot]) -> Result<usize, RigError> {
        let mut winners = std::collections::BTreeMap::new();
        for bot in bots {
            for event in bot.events.of("epoch", &self.id)? {
                let epoch = event["epoch"].as_u64().unwrap_or(u64::MAX);
                let winner = (event["committer"].clone(), event["seq"].clone());
                let first = winners.entry(epoch).or_insert_with(|| winner.clone());
                if *first != winner {
                    let who = &bot.name;
                    return Err(RigError::Answer(format!(
                        "epoch {epoch} has two winners: {first:?}, and to {who} {winner:?}"
                    )));
                }
            }
        }
        Ok(winners.len())
    }
}
