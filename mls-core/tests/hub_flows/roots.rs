//! Which root members of a hub pin, and how an operator puts another into its place: an intermediate
//! at every start, a root only when a person says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mls_core::address::{ClientId, UserId};
use mls_core::authority::{
    Authority, AuthorityKey, AuthorityKeyError, KeyAlgorithm, request_certificate,
};
use mls_core::crypto::Crypto;
use mls_core::engine::{self, sha256};
use mls_core::hub::{
    AnswerEffect, Effect, Hub, HubSetup, Input, Reply, ReplyTo, RequestInput, RootChange,
};
use mls_core::identity::{TrustAnchor, check_chain};
use mls_core::limits::FORMER_ROOTS_MAX;
use mls_core::policy::CREDENTIAL_LIFETIME_MS;
use mls_core::store::{MemoryStore, StoreError};
use mls_core::wire::fetch_revocations::RevocationLists;
use mls_core::wire::fetch_tree_head::FetchTreeHead;
use mls_core::wire::hub_info::HubInfo;
use mls_core::wire::issue_credential::{IssueCredential, proof_of};
use mls_core::wire::refusal::Refusal;
use mls_core::wire::{Answer, Request};
use mls_rs_core::crypto::{SignaturePublicKey, SignatureSecretKey};
use rcgen::{CertifiedIssuer, PKCS_ECDSA_P256_SHA256};

use crate::device::SUITE;
use crate::operator::{FileKey, Issuer, at, below, file_key, given, key, root, signs};
use crate::world::NOW;

const DAY_MS: u64 = 24 * 3600 * 1000;

/// The two domains of the hub here.
const DOMAINS: [&str; 2] = ["a.org", "x.org"];

/// A token that may be pulled out.
struct Token {
    key: Arc<FileKey>,
    away: AtomicBool,
}

impl AuthorityKey for Token {
    fn algorithm(&self) -> KeyAlgorithm {
        self.key.algorithm()
    }

    fn public(&self) -> &[u8] {
        self.key.public()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, AuthorityKeyError> {
        match self.away.load(Ordering::Relaxed) {
            true => Err(AuthorityKeyError("the token is away".to_owned())),
            false => self.key.sign(message),
        }
    }
}

/// A hub that is opened anew for everything, with a device that asks it for certificates.
pub(crate) struct Operated {
    pub(crate) store: MemoryStore,
    pub(crate) now: u64,
    device: (SignatureSecretKey, SignaturePublicKey),
    requests: u32,
}

/// A new intermediate under a root.
pub(crate) fn intermediate(root: &Issuer) -> Option<Authority> {
    Some(given(below(root, signs("online")), &[root]).unwrap())
}

fn setup(authority: &Option<Authority>) -> HubSetup {
    HubSetup {
        matrix: Some("@mls:a.org".to_owned()),
        xmpp: Some("mls.x.org".to_owned()),
        authority: authority.clone(),
        ..HubSetup::default()
    }
}

pub(crate) fn juliet() -> ClientId {
    UserId::xmpp("juliet@x.org").unwrap().device("00000000000000aa").unwrap()
}

fn is_good(chain: &[Vec<u8>], anchors: &[TrustAnchor], now: u64) -> bool {
    check_chain(&chain.to_vec().into(), anchors, now / 1000).is_ok()
}

impl Operated {
    pub(crate) fn new() -> Self {
        let device = Crypto::system().generate_signature_key(SUITE).unwrap();
        Self { store: MemoryStore::default(), now: NOW, device, requests: 0 }
    }

    pub(crate) fn open(&self, authority: &Option<Authority>) -> Result<Hub, StoreError> {
        let (hub, writes) = Hub::open(Arc::new(self.store.clone()), setup(authority))?;
        self.store.apply(&writes);
        Ok(hub)
    }

    fn replace(&self, authority: &Option<Authority>) -> Result<usize, StoreError> {
        let store = Arc::new(self.store.clone());
        let writes = Hub::replace_root(store, &setup(authority), self.now)?;
        self.store.apply(&writes);
        Ok(writes.len())
    }

    fn change(&self, authority: &Option<Authority>) -> Option<RootChange> {
        Hub::root_change(Arc::new(self.store.clone()), &setup(authority)).unwrap()
    }

    fn ask(&mut self, hub: &mut Hub, request: Request) -> Result<Answer, Refusal> {
        self.requests += 1;
        let input = RequestInput {
            from: juliet().user(),
            reply_to: ReplyTo::Jid("juliet@x.org/here".to_owned()),
            id: format!("request-{}", self.requests),
            request,
        };
        let outcome = hub.handle(self.now, Input::Request(input)).unwrap();
        self.store.apply(&outcome.writes);
        match outcome.effects.into_iter().next() {
            Some(Effect::Answer(AnswerEffect { reply: Reply::Ok(answer), .. })) => Ok(answer),
            Some(Effect::Answer(AnswerEffect { reply: Reply::Refused(why), .. })) => Err(why),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn info(&mut self, authority: &Option<Authority>) -> HubInfo {
        let mut hub = self.open(authority).unwrap();
        match self.ask(&mut hub, Request::HubInfo) {
            Ok(Answer::HubInfo(info)) => info,
            other => panic!("{other:?}"),
        }
    }

    fn anchors(&mut self, authority: &Option<Authority>) -> Vec<TrustAnchor> {
        self.info(authority).anchors
    }

    /// The lists of revoked certificates, DER.
    pub(crate) fn revocations(
        &mut self,
        authority: &Option<Authority>,
    ) -> Result<Vec<Vec<u8>>, Refusal> {
        let mut hub = self.open(authority).unwrap();
        match self.ask(&mut hub, Request::FetchRevocations)? {
            Answer::Revocations(RevocationLists { lists }) => {
                Ok(lists.iter().map(|part| part.inline().unwrap().to_vec()).collect())
            }
            other => panic!("{other:?}"),
        }
    }

    /// A certificate for a fresh key of the device.
    pub(crate) fn certificate(
        &mut self,
        authority: &Option<Authority>,
    ) -> Result<Vec<Vec<u8>>, Refusal> {
        let (secret, public) = Crypto::system().generate_signature_key(SUITE).unwrap();
        let request = request_certificate(&juliet(), SUITE, &secret, &public).unwrap();
        let proof = engine::sign(SUITE, &self.device.0, &proof_of(&request)).unwrap();
        let device_key = self.device.1.to_vec();
        let mut hub = self.open(authority).unwrap();
        let request = IssueCredential { request, device_key, proof };
        match self.ask(&mut hub, Request::IssueCredential(request))? {
            Answer::Credential(issued) => Ok(issued.chain.into_iter().map(|one| one.0).collect()),
            other => panic!("{other:?}"),
        }
    }
}

/// The roots that are named, each for both domains.
fn roots(anchors: &[TrustAnchor]) -> Vec<Vec<u8>> {
    let of = |domain: &str| -> Vec<Vec<u8>> {
        let named = anchors.iter().filter(|anchor| anchor.domain == domain);
        named.map(|anchor| anchor.certificate.clone()).collect()
    };
    let [matrix, xmpp] = DOMAINS.map(of);
    assert_eq!(matrix, xmpp);
    matrix
}

#[test]
fn another_intermediate_under_the_same_root_is_taken_at_the_next_start() {
    let (mut hub, root) = (Operated::new(), root());
    let (first, second) = (intermediate(&root), intermediate(&root));
    let old = hub.certificate(&first).unwrap();
    let anchors = hub.anchors(&first);
    let new = hub.certificate(&second).unwrap();
    assert_eq!(hub.anchors(&second), anchors, "nothing changes for members");
    assert_eq!(roots(&anchors), [root.der().to_vec()]);
    assert_ne!(old[1], new[1], "each brings the intermediate that signed it");
    for chain in [&old, &new] {
        assert!(is_good(chain, &anchors, NOW) && is_good(chain, &anchors, NOW + 89 * DAY_MS));
    }
}

#[test]
fn another_root_is_refused_until_a_person_says_so() {
    let (old, new) = (root(), root());
    let cases = [
        (None, intermediate(&new)),
        (intermediate(&old), intermediate(&new)),
        (intermediate(&old), None),
    ];
    for (before, after) in cases {
        let mut hub = Operated::new();
        let anchors = hub.anchors(&before);
        let refused = hub.open(&after).map(drop).unwrap_err();
        assert!(refused.to_string().contains("another root"), "{refused}");
        assert_eq!(hub.anchors(&before), anchors, "and nothing has changed");
        assert!(hub.replace(&after).unwrap() > 0);
        assert!(hub.open(&after).is_ok());
        assert!(hub.open(&before).is_err(), "the way back is a change as well");
    }
}

#[test]
fn a_replaced_root_is_named_beside_the_new_one_until_its_last_certificate_has_ended() {
    let mut hub = Operated::new();
    let own = hub.anchors(&None);
    let old = hub.certificate(&None).unwrap();
    let root = root();
    let given = intermediate(&root);
    hub.replace(&given).unwrap();
    let both = hub.anchors(&given);
    assert_eq!(roots(&both), [root.der().to_vec(), own[0].certificate.clone()]);
    let new = hub.certificate(&given).unwrap();
    assert!(is_good(&old, &both, hub.now) && is_good(&new, &both, hub.now));
    hub.now = NOW + CREDENTIAL_LIFETIME_MS - 1;
    assert_eq!(hub.anchors(&given), both);
    hub.now += 1;
    assert_eq!(roots(&hub.anchors(&given)), [root.der().to_vec()]);
    assert!(!is_good(&old, &both, hub.now + 1000), "as late as that it is over");
}

#[test]
fn back_to_the_hubs_own_key_names_no_root_twice() {
    let mut hub = Operated::new();
    let own = roots(&hub.anchors(&None));
    let root = root();
    let given = intermediate(&root);
    hub.replace(&given).unwrap();
    assert_eq!(hub.replace(&given).unwrap(), 0, "it is done");
    hub.now += DAY_MS;
    hub.replace(&None).unwrap();
    assert_eq!(roots(&hub.anchors(&None)), [own[0].clone(), root.der().to_vec()]);
}

#[test]
fn only_so_many_roots_are_replaced_while_their_certificates_last() {
    let mut hub = Operated::new();
    hub.anchors(&None);
    let mut last = None;
    for _ in 0..FORMER_ROOTS_MAX {
        last = intermediate(&root());
        hub.replace(&last).unwrap();
        assert!(hub.open(&last).is_ok());
    }
    let one_more = intermediate(&root());
    assert!(hub.replace(&one_more).is_err());
    assert_eq!(roots(&hub.anchors(&last)).len(), 1 + FORMER_ROOTS_MAX);
    hub.now += CREDENTIAL_LIFETIME_MS;
    hub.replace(&one_more).unwrap();
    assert_eq!(roots(&hub.anchors(&one_more)).len(), 2);
}

#[test]
fn a_hub_that_was_never_opened_takes_whatever_root_it_is_given() {
    let (mut hub, root) = (Operated::new(), root());
    let given = intermediate(&root);
    assert_eq!(hub.change(&given), None);
    assert_eq!(hub.replace(&given).unwrap(), 0);
    assert_eq!(roots(&hub.anchors(&given)), [root.der().to_vec()]);
    let pinned = sha256(root.der());
    assert_eq!(hub.change(&given), None);
    assert_eq!(hub.change(&None), Some(RootChange { pinned, new: None }));
}

#[test]
fn where_the_intermediate_ends_too_soon_devices_are_told_and_all_else_goes_on() {
    let (mut hub, root) = (Operated::new(), root());
    let mut short = signs("online");
    short.not_after = at(NOW + 20 * DAY_MS);
    let authority = Some(given(below(&root, short), &[&root]).unwrap());
    assert!(hub.certificate(&authority).is_ok());
    hub.now += 10 * DAY_MS;
    let refused = hub.certificate(&authority).unwrap_err();
    assert!(matches!(&refused, Refusal::NotAllowed(why) if why.contains("operator")), "{refused}");
    assert_eq!(roots(&hub.anchors(&authority)).len(), 1);
    assert!(hub.certificate(&intermediate(&root)).is_ok(), "a new one mends it");
}

#[test]
fn while_the_key_is_away_devices_are_told_to_come_again_and_all_else_goes_on() {
    let (mut hub, root) = (Operated::new(), root());
    let own = CertifiedIssuer::signed_by(signs("online"), key(&PKCS_ECDSA_P256_SHA256), &root);
    let own = own.unwrap();
    let token = Arc::new(Token { key: file_key(&own), away: AtomicBool::new(false) });
    let chain = [&own, &root].map(|issuer| issuer.der().to_vec()).to_vec();
    let authority = Some(Authority::given(token.clone(), chain, NOW).unwrap());
    let head = |hub: &mut Operated| {
        let mut opened = hub.open(&authority).unwrap();
        hub.ask(&mut opened, Request::FetchTreeHead(FetchTreeHead { since_size: 0 }))
    };
    for away in [false, true, false] {
        token.away.store(away, Ordering::Relaxed);
        let certificate = hub.certificate(&authority).map(drop);
        let list = hub.revocations(&authority).map(drop);
        let head = head(&mut hub).map(|answer| match answer {
            Answer::TreeHead(fetched) => {
                let public = authority.as_ref().unwrap().public();
                fetched.head.verify(&public).unwrap();
            }
            other => panic!("{other:?}"),
        });
        for answer in [certificate, head] {
            match (away, answer) {
                (true, Err(Refusal::Unavailable(_))) | (false, Ok(())) => {}
                other => panic!("{other:?}"),
            }
        }
        // The list that was signed before is still good.
        assert_eq!(list, Ok(()));
        assert_eq!(roots(&hub.anchors(&authority)), [root.der().to_vec()]);
    }
    token.away.store(true, Ordering::Relaxed);
    hub.now += DAY_MS;
    let list = hub.revocations(&authority);
    assert!(matches!(list, Err(Refusal::Unavailable(_))), "{list:?}");
}
