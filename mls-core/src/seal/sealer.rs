//! A member's way to its hub: seals each request, opens each answer.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thiserror::Error;
use zeroize::Zeroizing;

use super::answer_key::AnswerKey;
use super::{KEY_BYTES, hub_key};
use crate::address::UserId;
use crate::crypto::Crypto;
use crate::engine::{EngineError, sha256_parts};
use crate::limits::{OTHER_HUBS_MAX, REQUEST_RETRY_MS};
use crate::service::Service;
use crate::wire::refusal::Refusal;
use crate::wire::sealed::RequestEnvelope;
use crate::wire::{Answer, Reply, Request, RequestId};

const SEED_BYTES: usize = 32;
/// Services whose last request in clear is remembered: hub, authority, and other hubs.
const IN_CLEAR_MAX: usize = 2 + OTHER_HUBS_MAX;

/// Why a request cannot be sealed.
#[derive(Debug, Error)]
pub enum SealError {
    /// Who the hub is has to be asked first.
    #[error("the seal key of whom is asked is not known yet")]
    NoKey,
    /// The hub's key cannot be used, or the crypto provider failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Clones are one: they share the hub's key. Prints no secret.
///
/// The keys for answers follow from the requests' ids and a seed of this process, so a repeated
/// request has the same one, and nothing has to be remembered. After a restart, unanswered requests
/// are repeated with other keys.
#[derive(Clone)]
pub struct Sealer(Arc<Inner>);

struct Inner {
    account: UserId,
    seed: Zeroizing<Vec<u8>>,
    shared: Mutex<Shared>,
}

#[derive(Default)]
struct Shared {
    /// The hub's public seal key.
    hub_key: Option<Vec<u8>>,
    /// The same of the authority, where that is not the hub.
    authority_key: Option<Vec<u8>>,
    /// Where the authority is, where that is not the hub.
    authority_at: Option<String>,
    /// The last request in clear to each who was asked so, the oldest first.
    in_clear: VecDeque<(Service, RequestId)>,
}

impl Shared {
    fn key(&self, to: &Service) -> Option<&[u8]> {
        match to {
            Service::Delivery => self.hub_key.as_deref(),
            Service::Authentication => self.authority_key.as_deref(),
            Service::OtherHub(_) => None,
        }
    }

    fn note_in_clear(&mut self, to: &Service, id: &RequestId) {
        self.in_clear.retain(|(asked, _)| asked != to);
        if self.in_clear.len() >= IN_CLEAR_MAX {
            self.in_clear.pop_front();
        }
        self.in_clear.push_back((to.clone(), id.clone()));
    }

    /// Who was asked this in clear.
    fn asked_in_clear(&self, id: &RequestId) -> Option<&Service> {
        self.in_clear.iter().find_map(|(asked, last)| (last == id).then_some(asked))
    }
}

impl Sealer {
    /// For what this account asks.
    pub fn new(account: UserId, crypto: &Crypto) -> Result<Self, EngineError> {
        let seed = Zeroizing::new(crypto.random_bytes(SEED_BYTES)?);
        Ok(Self(Arc::new(Inner { account, seed, shared: Mutex::default() })))
    }

    /// From now on requests to the hub are sealed to this key; its signature was checked.
    pub fn use_key(&self, seal_key: &[u8]) {
        self.shared().hub_key = Some(seal_key.to_vec());
    }

    /// The authority is a service of its own, at this address; its key, as soon as that is known and checked.
    pub fn use_authority(&self, address: &str, seal_key: Option<&[u8]>) {
        let mut shared = self.shared();
        shared.authority_at = Some(address.to_owned());
        shared.authority_key = seal_key.map(<[u8]>::to_vec);
    }

    /// Where the authority is, in this account's network, where it is a service of its own: it answers too.
    pub fn authority_at(&self) -> Option<String> {
        self.shared().authority_at.clone()
    }

    /// Whether the hub of another domain at this address was asked who it is.
    pub fn asks_other_hub(&self, address: &str) -> bool {
        let is = |asked: &Service| matches!(asked, Service::OtherHub(at) if at == address);
        self.shared().in_clear.iter().any(|(asked, _)| is(asked))
    }

    /// The request as it travels: sealed, but for the one that asks for a service's keys.
    pub fn seal(
        &self,
        to: &Service,
        id: &RequestId,
        request: &Request,
    ) -> Result<RequestEnvelope, SealError> {
        if *request == Request::HubInfo {
            self.shared().note_in_clear(to, id);
            return Ok(RequestEnvelope::HubInfo);
        }
        let public = self.shared().key(to).map(<[u8]>::to_vec).ok_or(SealError::NoKey)?;
        let key = self.answer_key(id);
        let sealed = hub_key::seal(&public, id, &self.0.account, request, key)?;
        Ok(RequestEnvelope::Sealed(sealed))
    }

    /// What `by` answered; nothing if this is from nobody who was asked, or to an earlier process.
    ///
    /// Of what comes in clear only the answer to the one request in clear counts, of the service that was
    /// asked, and that a request did not get through: whether a service refuses it is a sealed answer.
    pub fn open(
        &self,
        by: &Service,
        id: &RequestId,
        reply: Reply,
    ) -> Option<Result<Answer, Refusal>> {
        let asked = self.shared().asked_in_clear(id).cloned();
        match reply {
            Reply::Sealed(sealed) => match self.answer_key(id).open(id, &sealed).ok()? {
                Reply::Ok(answer) => Some(Ok(answer)),
                Reply::Refused(refusal) => Some(Err(refusal)),
                Reply::Sealed(_) => None,
            },
            Reply::Ok(answer @ Answer::HubInfo(_)) => {
                (asked.as_ref() == Some(by)).then_some(Ok(answer))
            }
            Reply::Ok(_) => None,
            Reply::Refused(_) if asked.as_ref().is_some_and(|asked| asked != by) => None,
            // It was asked nothing else.
            Reply::Refused(_) if asked.is_none() && matches!(by, Service::OtherHub(_)) => None,
            Reply::Refused(refusal) if is_of_the_way(&refusal) => Some(Err(refusal)),
            Reply::Refused(_) => Some(Err(Refusal::Unavailable(REQUEST_RETRY_MS))),
        }
    }

    fn answer_key(&self, id: &RequestId) -> AnswerKey {
        let hash = Zeroizing::new(sha256_parts(&[&self.0.seed, id.as_bytes()]).0);
        let mut key = AnswerKey([0; KEY_BYTES]);
        key.0.iter_mut().zip(hash.iter()).for_each(|(place, byte)| *place = *byte);
        key
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.0.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a refusal says that the request did not get to the hub, or its answer not back.
fn is_of_the_way(refusal: &Refusal) -> bool {
    matches!(
        refusal,
        Refusal::NotOpened
            | Refusal::Invalid(_)
            | Refusal::TooLarge(_)
            | Refusal::Unsupported
            | Refusal::RateLimited(_)
            | Refusal::Unavailable(_)
    )
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealer({})", self.0.account)
    }
}

#[cfg(test)]
mod tests {
    use super::super::hub_key::SealKeyPair;
    use super::*;
    use crate::wire::find_group::FindGroup;
    use crate::wire::hub_info::HubInfo;

    const HUB: Service = Service::Delivery;
    const AUTHORITY: Service = Service::Authentication;

    fn other(address: &str) -> Service {
        Service::OtherHub(address.to_owned())
    }

    fn find() -> Request {
        Request::FindGroup(FindGroup { room: crate::address::RoomAddress::matrix("!a:a.org") })
    }

    #[test]
    fn a_request_waits_for_the_hubs_key_and_its_answer_comes_back_to_it_alone() {
        let alice = UserId::matrix("@alice:a.org").unwrap();
        let (sealer, id) =
            (Sealer::new(alice.clone(), &Crypto::system()).unwrap(), "r1".to_owned());
        assert!(matches!(sealer.seal(&HUB, &id, &find()), Err(SealError::NoKey)));
        let hub = SealKeyPair::generate(&Crypto::system()).unwrap();
        sealer.clone().use_key(hub.public());
        let RequestEnvelope::Sealed(sealed) = sealer.seal(&HUB, &id, &find()).unwrap() else {
            panic!()
        };
        let (request, key) = hub.open(&sealed, &id, &alice).unwrap();
        assert_eq!(request, find());
        let answer =
            Reply::Sealed(key.seal(&Crypto::system(), &id, &Reply::Ok(Answer::Done)).unwrap());
        assert_eq!(sealer.open(&HUB, &id, answer.clone()), Some(Ok(Answer::Done)));
        assert_eq!(sealer.open(&HUB, &"r2".to_owned(), answer.clone()), None);
        assert_eq!(
            Sealer::new(alice, &Crypto::system()).unwrap().open(&HUB, &id, answer),
            None,
            "of another process"
        );
        // A repeat has the same key, so a late answer to the first still opens.
        let RequestEnvelope::Sealed(again) = sealer.seal(&HUB, &id, &find()).unwrap() else {
            panic!()
        };
        assert_eq!(hub.open(&again, &id, &UserId::matrix("@alice:a.org").unwrap()).unwrap().1, key);
    }

    #[test]
    fn in_clear_only_the_hubs_keys_and_the_troubles_of_the_way_count() {
        let sealer =
            Sealer::new(UserId::matrix("@alice:a.org").unwrap(), &Crypto::system()).unwrap();
        let id = "r1".to_owned();
        assert_eq!(sealer.seal(&HUB, &id, &Request::HubInfo).unwrap(), RequestEnvelope::HubInfo);
        assert_eq!(sealer.open(&HUB, &id, Reply::Ok(Answer::Done)), None);
        let way = Refusal::NotOpened;
        assert_eq!(sealer.open(&HUB, &id, Reply::Refused(way.clone())), Some(Err(way)));
        let said = sealer.open(&HUB, &id, Reply::Refused(Refusal::UnknownGroup));
        assert_eq!(said, Some(Err(Refusal::Unavailable(REQUEST_RETRY_MS))));
    }

    #[test]
    fn who_a_service_is_only_that_service_says() {
        let sealer =
            Sealer::new(UserId::matrix("@alice:a.org").unwrap(), &Crypto::system()).unwrap();
        let info = Reply::Ok(Answer::HubInfo(HubInfo::blank()));
        let refused = Reply::Refused(Refusal::NotOpened);
        let pairs = [
            (HUB, AUTHORITY),
            (AUTHORITY, HUB),
            (other("mls.y.org"), HUB),
            (HUB, other("mls.y.org")),
            (other("mls.z.org"), other("mls.y.org")),
        ];
        for (asked, other) in pairs {
            let id = format!("{asked:?} {other:?}");
            sealer.seal(&asked, &id, &Request::HubInfo).unwrap();
            for reply in [&info, &refused] {
                assert_eq!(sealer.open(&other, &id, reply.clone()), None);
                assert!(sealer.open(&asked, &id, reply.clone()).is_some());
            }
        }
        // Nobody was asked that.
        assert_eq!(sealer.open(&HUB, &"r1".to_owned(), info), None);
    }

    #[test]
    fn the_hub_of_another_domain_is_asked_who_it_is_and_answers_nothing_else() {
        let alice = UserId::xmpp("alice@a.org").unwrap();
        let sealer = Sealer::new(alice, &Crypto::system()).unwrap();
        sealer.use_key(SealKeyPair::generate(&Crypto::system()).unwrap().public());
        let (other, id) = (other("mls.y.org"), "r1".to_owned());
        assert!(matches!(sealer.seal(&other, &id, &find()), Err(SealError::NoKey)));
        assert!(!sealer.asks_other_hub("mls.y.org"));
        sealer.seal(&HUB, &id, &find()).unwrap();
        // What the hub was asked it cannot refuse.
        let refused = Reply::Refused(Refusal::NotOpened);
        assert_eq!(sealer.open(&other, &id, refused.clone()), None);
        assert!(sealer.open(&HUB, &id, refused).is_some());
        sealer.seal(&other, &"r2".to_owned(), &Request::HubInfo).unwrap();
        assert!(sealer.asks_other_hub("mls.y.org"));
        for one in 0..IN_CLEAR_MAX {
            let at = Service::OtherHub(format!("mls.z{one}.org"));
            sealer.seal(&at, &"r3".to_owned(), &Request::HubInfo).unwrap();
        }
        assert!(!sealer.asks_other_hub("mls.y.org"), "the oldest is forgotten");
    }
}
