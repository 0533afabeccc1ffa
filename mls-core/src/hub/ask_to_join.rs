//! `AskToJoin`: a new device asks to be added to the groups of its user.

use super::answers::Asked;
use super::group_record::{self, bridge_group};
use super::rates::Rate;
use super::turn::{Stop, Turn, effect_id, invalid};
use super::{Effect, Notify, leaves};
use crate::identity::clients;
use crate::limits::ASK_NOTICES_MAX;
use crate::wire::ask_to_join::AskToJoin;
use crate::wire::device_waiting::DeviceWaiting;
use crate::wire::refusal::Refusal;
use crate::wire::{Answer, Notice};

impl Turn<'_> {
    /// Tells the user's devices and the admins of each group that the device waits; the hub
    /// itself adds nobody.
    pub(super) fn ask_to_join(&mut self, asked: &Asked, ask: &AskToJoin) -> Result<Answer, Stop> {
        let waiting = asked.from.device(&ask.device).map_err(invalid)?;
        self.refuse_revoked(&waiting)?;
        self.rates
            // By account: a device's name is whatever the asker says.
            .take(Rate::Asks, &[asked.from.as_str()], self.now_ms)
            .map_err(Refusal::RateLimited)?;
        for group in leaves::groups(self.store, &asked.from)? {
            let record = group_record::read(self.store, &group)?;
            let Some(record) = record.filter(|record| record.successor.is_none()) else { continue };
            let public = self.groups.copy(self.store, &record)?;
            let members = clients(&public.roster());
            if members.contains(&waiting) {
                continue;
            }
            let bridge_group = bridge_group(&public)?;
            for to in members {
                if to.user() != asked.from && !bridge_group.is_admin(&to.user()) {
                    continue;
                }
                let parts = [&asked.key().0, group.0.as_slice(), to.as_str().as_bytes()];
                let id = effect_id("device waiting", &parts);
                let notice = DeviceWaiting { group: group.clone(), client: waiting.clone() };
                let notice = Notice::DeviceWaiting(notice);
                if self.effects.len() >= ASK_NOTICES_MAX {
                    return Ok(Answer::Done);
                }
                self.effects.push(Effect::Notify(Notify { id, to, notice }));
            }
        }
        Ok(Answer::Done)
    }
}
