//! The durable outbox of requests to the hub and the authority: a request stays until it is answered.
//!
//! Its id is derived from the client, a number that is never given twice, and the request; it
//! is stored with the request, so a repeat is the same request under the same id.

use std::collections::BTreeMap;

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::log_watch::SeenCertificate;
use super::other_hub::OtherHub;
use super::{Member, Output};
use crate::address::RoomAddress;
use crate::engine::sha256_parts;
use crate::limits::{REQUEST_RETRY_MS, RETRY_AFTER_MAX_MS};
use crate::overlay::{Overlay, decode};
use crate::service::Service;
use crate::store::{Space, StoreError};
use crate::wire::refusal::Refusal;
use crate::wire::{Answer, Digest, GroupId, Request, RequestId};

const REQUEST: Space = "request";
/// The longest wait between two attempts of one request.
const RETRY_MAX_MS: u64 = 16 * REQUEST_RETRY_MS;
/// Given out by `pending`, at a time that is not known yet.
const HANDED_OUT_AT_OPENING: u64 = u64::MAX;
/// The shortest wait after the hub said "not now".
const WAIT_MIN_MS: u64 = 1000;

/// Why something was asked, so that the answer finds its way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
#[repr(u8)]
pub(super) enum Purpose {
    /// To pin the hub.
    HubInfo = 1u8,
    /// For the command in the queue with this number.
    Intent(u64) = 2u8,
    /// A commit in a group.
    Commit(GroupId) = 3u8,
    /// To come back into a group.
    GroupInfo(GroupId) = 4u8,
    /// To fill a gap.
    Handshakes(GroupId) = 5u8,
    /// To get Welcomes, and to acknowledge these.
    Welcomes(Vec<Digest>) = 6u8,
    /// To find the group of a room that we are in.
    FindGroup(RoomAddress) = 7u8,
    /// A report; nothing follows from the answer.
    Report = 8u8,
    /// A proposal in a group.
    Proposal(GroupId) = 9u8,
    /// A certificate for the device's key of this suite.
    Credential(u16) = 31u8,
    /// A certificate for this device's own key in a group.
    GroupCredential(GroupId) = 32u8,
    /// To see how the keys in a group came to be others.
    KeyHistory(GroupId) = 33u8,
    /// To learn which certificates count no more.
    Revocations = 34u8,
    /// To see how far the authority's log goes.
    TreeHead = 70u8,
    /// To see that a member's certificate stands in it.
    CertificateProof(SeenCertificate) = 71u8,
    /// To read it.
    LogLeaves = 72u8,
    /// To read what it holds in this user's name.
    OwnEntries = 73u8,
    /// To pin the authority, which is a service of its own.
    AuthorityInfo = 90u8,
    /// To learn the authorities of another domain, for a command.
    OtherHub(OtherHub) = 91u8,
}

/// A request as it is stored.
#[derive(MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(Debug, proptest_derive::Arbitrary))]
struct Stored {
    purpose: Purpose,
    request: Request,
}

/// What is remembered of a request in memory: not the request, which may be large.
#[derive(Clone, Debug)]
pub(super) struct InFlight {
    purpose: Purpose,
    /// When to hand it out again.
    next_ms: u64,
    /// How long to wait after that.
    wait_ms: u64,
    /// Since when this process asks.
    since_ms: u64,
}

pub(super) type Requests = BTreeMap<RequestId, InFlight>;

/// The requests that a store holds.
pub(super) fn open(overlay: &Overlay) -> Result<Requests, StoreError> {
    let mut requests = Requests::new();
    overlay.each(REQUEST, &[], |key, value| {
        let stored: Stored = decode(REQUEST, value)?;
        let id = String::from_utf8_lossy(key).into_owned();
        let (wait_ms, next_ms) = (REQUEST_RETRY_MS, HANDED_OUT_AT_OPENING);
        let since_ms = HANDED_OUT_AT_OPENING;
        requests.insert(id, InFlight { purpose: stored.purpose, next_ms, wait_ms, since_ms });
        Ok(true)
    })?;
    Ok(requests)
}

impl Member {
    /// Asks the service whose it is to answer; the request is repeated until it is answered.
    pub(super) fn request(
        &mut self,
        purpose: Purpose,
        request: Request,
    ) -> Result<RequestId, StoreError> {
        let to = self.service_for(&purpose, &request)?;
        let known = request == Request::HubInfo || self.needs(&to)?;
        let number = self.counters.next_request(&self.overlay)?;
        let stored = Stored { purpose, request };
        let bytes = stored.mls_encode_to_vec().map_err(|e| StoreError(e.to_string()))?;
        let client = self.client.as_str().as_bytes();
        let Digest(hash) =
            sha256_parts(&[client, self.keys.own().public(), &number.to_be_bytes(), &bytes]);
        let id = Digest(hash).to_string().chars().take(32).collect::<RequestId>();
        self.overlay.put(REQUEST, id.as_bytes(), bytes);
        let in_flight = InFlight {
            purpose: stored.purpose,
            next_ms: self.now_ms.saturating_add(REQUEST_RETRY_MS),
            wait_ms: REQUEST_RETRY_MS,
            since_ms: self.now_ms,
        };
        self.requests.insert(id.clone(), in_flight);
        // Where the service is not known, nothing can be sealed to it: it goes when that is pinned.
        if known {
            self.outputs.push(Output::Request(to, id.clone(), stored.request));
        }
        Ok(id)
    }

    /// Whether something is being asked for this purpose.
    pub(super) fn is_asking(&self, wanted: impl Fn(&Purpose) -> bool) -> bool {
        self.requests.values().any(|in_flight| wanted(&in_flight.purpose))
    }

    /// What is being asked for certain purposes.
    pub(super) fn asked_for<T>(&self, wanted: impl Fn(&Purpose) -> Option<T>) -> Vec<T> {
        self.requests.values().filter_map(|in_flight| wanted(&in_flight.purpose)).collect()
    }

    /// The same, and since when, in this process.
    pub(super) fn asked_since<T>(&self, wanted: impl Fn(&Purpose) -> Option<T>) -> Vec<(T, u64)> {
        let since = |asked: &InFlight| Some((wanted(&asked.purpose)?, asked.since_ms));
        self.requests.values().filter_map(since).collect()
    }

    /// A stored request, by its id.
    pub(super) fn stored_request(&self, id: &RequestId) -> Result<Option<Request>, StoreError> {
        Ok(self.stored(id)?.map(|stored| stored.request))
    }

    /// To whom a request that waits for its answer goes.
    pub(super) fn service_of(&self, id: &RequestId) -> Result<Service, StoreError> {
        let stored = self.stored(id)?;
        stored.map_or(Ok(Service::Delivery), |it| self.service_for(&it.purpose, &it.request))
    }

    fn stored(&self, id: &RequestId) -> Result<Option<Stored>, StoreError> {
        self.overlay.read(REQUEST, id.as_bytes())
    }

    /// Forgets a request, answered or no longer wanted.
    pub(super) fn forget_request(&mut self, id: &RequestId) {
        self.requests.remove(id);
        self.overlay.delete(REQUEST, id.as_bytes());
    }

    /// Forgets the requests made for a purpose.
    pub(super) fn forget_requests(&mut self, unwanted: impl Fn(&Purpose) -> bool) {
        for id in self.requests_where(|in_flight| unwanted(&in_flight.purpose)) {
            self.forget_request(&id);
        }
    }

    /// Forgets what was asked about a group, but not what commands asked.
    pub(super) fn forget_group_requests(&mut self, group: &GroupId) {
        self.forget_requests(|purpose| {
            matches!(
                purpose,
                Purpose::GroupInfo(g) | Purpose::Handshakes(g) | Purpose::GroupCredential(g)
                    if g == group
            )
        });
    }

    /// Requests by their purposes: their ids hang on keys, and the order in which they go should not.
    fn requests_where(&self, wanted: impl Fn(&InFlight) -> bool) -> Vec<RequestId> {
        let mut found: Vec<_> = self.requests.iter().filter(|(_, r)| wanted(r)).collect();
        found.sort_by(|(_, one), (_, other)| one.purpose.cmp(&other.purpose));
        found.into_iter().map(|(id, _)| id.clone()).collect()
    }

    /// Hands out again what waited long enough for its answer.
    pub(super) fn repeat_requests(&mut self) -> Result<(), StoreError> {
        let now_ms = self.now_ms;
        for in_flight in self.requests.values_mut() {
            if in_flight.next_ms == HANDED_OUT_AT_OPENING {
                in_flight.next_ms = now_ms.saturating_add(in_flight.wait_ms);
                in_flight.since_ms = now_ms;
            }
        }
        for id in self.requests_where(|in_flight| in_flight.next_ms <= now_ms) {
            let Some(stored) = self.stored(&id)? else { continue };
            let silent = self.requests.get(&id).is_some_and(|asked| asked.wait_ms >= RETRY_MAX_MS);
            // What the hub does not answer says nothing of the authority.
            let mut to = self.service_for(&stored.purpose, &stored.request)?;
            if silent && to == Service::Authentication {
                self.doubt_authority()?;
                to = self.service_for(&stored.purpose, &stored.request)?;
            }
            if stored.request != Request::HubInfo && !self.needs(&to)? {
                continue;
            }
            if let Some(in_flight) = self.requests.get_mut(&id) {
                in_flight.next_ms = now_ms.saturating_add(in_flight.wait_ms);
                in_flight.wait_ms = in_flight.wait_ms.saturating_mul(2).min(RETRY_MAX_MS);
            }
            self.outputs.push(Output::Request(to, id, stored.request));
        }
        Ok(())
    }

    /// The connection is new: answers may have been lost with the old one.
    pub(super) fn hurry_requests(&mut self) {
        let soon_ms = self.now_ms.saturating_add(WAIT_MIN_MS);
        let asked = |in_flight: &&mut InFlight| in_flight.next_ms != HANDED_OUT_AT_OPENING;
        for in_flight in self.requests.values_mut().filter(asked) {
            in_flight.next_ms = in_flight.next_ms.min(soon_ms);
        }
    }

    /// What waits goes again now: to a service that is pinned, or whose keys are new.
    pub(super) fn hurry_all_requests(&mut self) -> Result<(), StoreError> {
        let now_ms = self.now_ms;
        self.requests.values_mut().for_each(|in_flight| in_flight.next_ms = now_ms);
        self.repeat_requests()
    }

    /// The same, where the authority is at a new address or says who it is: how long it was silent before counts no more.
    pub(super) fn hurry_to_authority(&mut self) -> Result<(), StoreError> {
        for id in self.requests_where(|_| true) {
            if self.service_of(&id)? == Service::Authentication
                && let Some(in_flight) = self.requests.get_mut(&id)
            {
                in_flight.wait_ms = REQUEST_RETRY_MS;
            }
        }
        self.hurry_all_requests()
    }

    /// All requests that wait for an answer.
    pub(super) fn pending_requests(&self) -> Result<Vec<Output>, StoreError> {
        let mut outputs = Vec::new();
        for id in self.requests_where(|_| true) {
            let Some(Stored { purpose, request }) = self.stored(&id)? else { continue };
            let to = self.service_for(&purpose, &request)?;
            if request == Request::HubInfo || self.knows(&to)? {
                outputs.push(Output::Request(to, id, request));
            }
        }
        Ok(outputs)
    }

    /// A service answered. An answer to nothing that we asked is ignored.
    pub(super) fn answered(
        &mut self,
        id: &RequestId,
        result: Result<Answer, Refusal>,
    ) -> Result<(), StoreError> {
        if let Err(Refusal::Elsewhere(address)) = &result
            && self.is_sent_on(id, address)?
        {
            return Ok(());
        }
        if self.is_asked_again_elsewhere(id, &result) {
            return Ok(());
        }
        let Some(in_flight) = self.requests.get_mut(id) else { return Ok(()) };
        if let Err(Refusal::RateLimited(wait_ms) | Refusal::Unavailable(wait_ms)) = &result {
            // Whoever stands between can say that, and as long as it likes.
            let wait_ms = (*wait_ms).clamp(WAIT_MIN_MS, RETRY_AFTER_MAX_MS);
            in_flight.next_ms = self.now_ms.saturating_add(wait_ms);
            return Ok(());
        }
        let elsewhere = matches!(in_flight.purpose, Purpose::OtherHub(_));
        if result == Err(Refusal::NotOpened) && !elsewhere {
            in_flight.next_ms = self.now_ms.saturating_add(in_flight.wait_ms);
            return self.ask_for_new_keys(id);
        }
        let purpose = in_flight.purpose.clone();
        match purpose {
            Purpose::Commit(group) => self.commit_answered(&group, id, result),
            purpose => {
                let asked = self.stored_request(id)?;
                self.forget_request(id);
                self.dispatch_answer(purpose, asked, result)
            }
        }
    }

    /// Whether the hub of another domain refused, and is asked again later.
    fn is_asked_again_elsewhere(
        &mut self,
        id: &RequestId,
        result: &Result<Answer, Refusal>,
    ) -> bool {
        let (Some(Purpose::OtherHub(asked)), Err(refusal)) =
            (self.requests.get(id).map(|asked| &asked.purpose), result)
        else {
            return false;
        };
        let Some(wait_ms) = self.asks_other_hub_again(asked, refusal) else { return false };
        let next_ms = self.now_ms.saturating_add(wait_ms);
        self.requests.get_mut(id).into_iter().for_each(|asked| asked.next_ms = next_ms);
        true
    }

    fn dispatch_answer(
        &mut self,
        purpose: Purpose,
        asked: Option<Request>,
        result: Result<Answer, Refusal>,
    ) -> Result<(), StoreError> {
        match purpose {
            Purpose::HubInfo => self.hub_info_answered(result),
            Purpose::AuthorityInfo => self.authority_info_answered(result),
            Purpose::OtherHub(asked) => self.other_hub_answered(&asked, result),
            Purpose::Intent(number) => self.intent_answered(number, asked, result),
            Purpose::GroupInfo(group) => self.group_info_answered(&group, result),
            Purpose::Handshakes(group) => self.handshakes_answered(&group, result),
            Purpose::Welcomes(acknowledged) => self.welcomes_answered(&acknowledged, result),
            Purpose::FindGroup(room) => self.group_found(&room, result),
            Purpose::Proposal(group) => self.proposal_answered(&group, asked, result),
            Purpose::KeyHistory(group) => self.key_history_answered(&group, result),
            Purpose::GroupCredential(group) => self.group_credential_answered(&group, result),
            Purpose::Revocations => self.revocations_answered(result),
            Purpose::TreeHead => self.tree_head_answered(result),
            Purpose::CertificateProof(one) => self.certificate_proven(one, asked, result),
            Purpose::LogLeaves => self.log_leaves_answered(asked, result),
            Purpose::OwnEntries => self.own_entries_answered(result),
            Purpose::Credential(suite) => self.credential_answered(suite.into(), result),
            Purpose::Commit(_) | Purpose::Report => Ok(()),
        }
    }
}

#[cfg(test)]
crate::codec_properties::hold!(Purpose, Stored);
