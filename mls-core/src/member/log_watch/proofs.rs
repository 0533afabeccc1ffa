//! The certificates of others: each has to stand in the log, which the hub must prove once for each.
//!
//! A few of them each time that the log is looked into; what was proven is remembered as long as a certificate
//! can be good.

use mls_rs::group::Roster;
use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};
use mls_rs_core::identity::{Credential, SigningIdentity};

use super::super::Member;
use super::super::alarm::Alarm;
use super::super::group_record::State;
use super::super::requests::Purpose;
use crate::address::ClientId;
use crate::engine::sha256;
use crate::identity::client_id;
use crate::limits::{LOG_PROOFS_PER_LOOK_MAX, LOG_PROVEN_MAX};
use crate::overlay::decode;
use crate::policy::CREDENTIAL_LIFETIME_MS;
use crate::store::{Space, StoreError};
use crate::transparency::{LogEntry, LogView, TreeHead};
use crate::wire::prove_certificate::{Logged, ProveCertificate};
use crate::wire::refusal::Refusal;
use crate::wire::{Answer, Digest, GroupId, Request};

/// Hashes of certificates that were looked for in the log, and when.
pub(super) const PROVEN: Space = "log_proven";

/// A member's certificate, to be looked for in the log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub(in super::super) struct SeenCertificate {
    group: GroupId,
    client: ClientId,
    /// SHA-256 of the leaf certificate.
    certificate: Digest,
}

/// The certificate of a member of the group does not stand in its authority's log, or the hub does not prove that:
/// the authority may hide that it signed for somebody else's key. Compare keys with them over another way.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct NotLogged {
    /// Whose.
    pub client: ClientId,
    /// SHA-256 of the certificate, DER.
    pub certificate: Digest,
}

impl Member {
    /// Certificates that were not proven yet; some now, others the next time. Who can be seen before a head is
    /// asked for stands in its tree, if in any.
    pub(super) fn seen_certificates(&self) -> Result<Vec<SeenCertificate>, StoreError> {
        self.forget_proven()?;
        let live = self.groups.values().filter(|record| record.state == State::Live);
        let mut seen = Vec::new();
        for group in live.map(|record| &record.group) {
            let room = LOG_PROOFS_PER_LOOK_MAX.saturating_sub(seen.len());
            if room == 0 {
                break;
            }
            // As it is stored, and not kept in memory: that is enough for the members of its epoch.
            let Ok(stored) = self.engine.load_group(&group.0) else { continue };
            seen.extend(self.seen_in(group, &stored.roster(), room)?);
        }
        Ok(seen)
    }

    /// Has the hub prove what was seen before the head was asked for.
    pub(super) fn prove_certificates(&mut self, head: &TreeHead) -> Result<(), StoreError> {
        for one in std::mem::take(&mut self.log.seen) {
            let prove = ProveCertificate { certificate_hash: one.certificate, size: head.size };
            self.request(Purpose::CertificateProof(one), Request::ProveCertificate(prove))?;
        }
        Ok(())
    }

    /// Certificates of our own authority in a group that were not looked for in its log yet.
    fn seen_in(
        &self,
        group: &GroupId,
        roster: &Roster<'_>,
        most: usize,
    ) -> Result<Vec<SeenCertificate>, StoreError> {
        let mut found = Vec::new();
        for leaf in roster.member_identities_iter() {
            if found.len() >= most {
                break;
            }
            let Some((client, certificate)) = certificate_of(leaf) else { continue };
            let known = self.overlay.get(PROVEN, &certificate.0)?.is_some();
            if !known && client != self.client && self.is_of_own_authority(&client)? {
                found.push(SeenCertificate { group: group.clone(), client, certificate });
            }
        }
        Ok(found)
    }

    /// Whether a client's authority is that of this device, whose log the hub keeps.
    fn is_of_own_authority(&self, client: &ClientId) -> Result<bool, StoreError> {
        let Some(own) = self.own_authority()? else { return Ok(false) };
        let theirs = self.domain_anchors(&client.user().domain())?;
        let ours = |der: &[u8]| own.known.0.iter().any(|anchor| anchor.certificate == der);
        Ok(theirs.is_some_and(|theirs| theirs.known.0.iter().any(|a| ours(&a.certificate))))
    }

    /// The hub says where the certificate stands in the log.
    pub(in super::super) fn certificate_proven(
        &mut self,
        seen: SeenCertificate,
        asked: Option<Request>,
        result: Result<Answer, Refusal>,
    ) -> Result<(), StoreError> {
        let (Some(Request::ProveCertificate(asked)), Ok(Answer::CertificateProof(answer))) =
            (asked, result)
        else {
            return Ok(());
        };
        // A proof to a head that is not the known one any more is asked for again.
        let head = self.watch()?.head.filter(|known| known.head.size == asked.size);
        let Some(head) = head else { return Ok(()) };
        let SeenCertificate { group, client, certificate } = seen;
        let proven = answer.logged.is_some_and(|logged| {
            is_about(&logged.entry, &client, &certificate) && is_in(&LogView::kept(head), &logged)
        });
        self.overlay.write(PROVEN, &certificate.0, &self.now_ms)?;
        if proven {
            return Ok(());
        }
        self.alarm(&group, Alarm::NotLogged(NotLogged { client, certificate }))
    }

    fn forget_proven(&self) -> Result<(), StoreError> {
        let before_ms = self.now_ms.saturating_sub(CREDENTIAL_LIFETIME_MS);
        for (key, value) in self.overlay.scan(PROVEN, &[], &[], LOG_PROVEN_MAX)? {
            if decode::<u64>(PROVEN, &value)? < before_ms {
                self.overlay.delete(PROVEN, &key);
            }
        }
        Ok(())
    }
}

fn is_about(entry: &LogEntry, client: &ClientId, certificate: &Digest) -> bool {
    match entry {
        LogEntry::Issued(issued) => issued.client == *client && issued.certificate == *certificate,
        LogEntry::Revoked(_) => false,
    }
}

fn is_in(view: &LogView, logged: &Logged) -> bool {
    view.includes(&logged.entry, logged.index, &logged.inclusion).is_ok()
}

fn certificate_of(leaf: &SigningIdentity) -> Option<(ClientId, Digest)> {
    let Credential::X509(chain) = &leaf.credential else { return None };
    Some((client_id(leaf).ok()?, sha256(chain.leaf()?)))
}

#[cfg(test)]
crate::codec_properties::hold!(SeenCertificate, NotLogged);
