//! `ReportInvalid`: a member cannot process an accepted handshake; the admins are told, and
//! nobody is evicted.

use super::group_record::bridge_group;
use super::rates::Rate;
use super::turn::{Stop, Turn, effect_id, invalid};
use super::{Effect, Notify, handshake_log};
use crate::address::UserId;
use crate::identity::clients;
use crate::limits::SENTENCE_CHARS_MAX;
use crate::receipt::Receipt;
use crate::wire::membership_warning::MembershipWarning;
use crate::wire::report_invalid::ReportInvalid;
use crate::wire::{Answer, Notice};

impl Turn<'_> {
    /// Sends a warning to every client of every admin of the group.
    pub(super) fn report_invalid(
        &mut self,
        from: &UserId,
        report: &ReportInvalid,
    ) -> Result<Answer, Stop> {
        let record = self.group_of_member(&report.group, from)?;
        let receipt = Receipt::from_bytes(&report.receipt).map_err(invalid)?;
        let known = handshake_log::read(self.store, &record.group, report.seq)?;
        if known.is_none_or(|entry| entry.receipt != receipt) {
            return Err(invalid("this is not the receipt of that handshake"));
        }
        // What all members find wrong is told once.
        let seq = report.seq.to_string();
        let told = self.rates.take(Rate::Reports, &[&record.group.to_hex(), &seq], self.now_ms);
        if told.is_err() {
            return Ok(Answer::Done);
        }
        let public = self.groups.copy(self.store, &record)?;
        let bridge_group = bridge_group(&public)?;
        let why: String = report.why.chars().take(SENTENCE_CHARS_MAX).collect();
        let text = format!("{from} cannot process handshake {}: {why}", report.seq);
        for client in clients(&public.roster()) {
            if !bridge_group.is_admin(&client.user()) {
                continue;
            }
            let seq = report.seq.to_be_bytes();
            let parts =
                [&record.group.0, &seq[..], from.as_str().as_bytes(), client.as_str().as_bytes()];
            let id = effect_id("report", &parts);
            let warning = MembershipWarning { group: record.group.clone(), text: text.clone() };
            let notice = Notice::MembershipWarning(warning);
            self.effects.push(Effect::Notify(Notify { id, to: client, notice }));
        }
        Ok(Answer::Done)
    }
}
