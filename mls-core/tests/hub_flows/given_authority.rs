//! An authority that its operator gives: an intermediate under a root, what is refused of it, and what
//! its certificates are worth.

use std::sync::Arc;

use mls_core::address::{ClientId, UserId};
use mls_core::authority::{
    Authority, AuthorityError, AuthorityKey, AuthorityKeyError, CertificateRequest, ChainError,
    KeyAlgorithm, request_certificate,
};
use mls_core::crypto::Crypto;
use mls_core::identity::{Certificate, TrustAnchor, check_chain};
use mls_core::limits::CERTIFICATES_PER_CHAIN_MAX;
use mls_core::policy::{CREDENTIAL_LIFETIME_MIN_MS, CREDENTIAL_LIFETIME_MS};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519,
    PublicKeyData,
};

use crate::device::SUITE;
use crate::operator::{at, below, file_key, given, key, root, signs};
use crate::world::NOW;

const DAY_MS: u64 = 24 * 3600 * 1000;

/// A token that was pulled out.
struct AwayKey(KeyPair);

impl AuthorityKey for AwayKey {
    fn algorithm(&self) -> KeyAlgorithm {
        KeyAlgorithm::Ed25519
    }

    fn public(&self) -> &[u8] {
        self.0.der_bytes()
    }

    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, AuthorityKeyError> {
        Err(AuthorityKeyError("the token is away".to_owned()))
    }
}

fn alice() -> ClientId {
    UserId::matrix("@alice:example.org").unwrap().device("PHONE").unwrap()
}

fn issue(authority: &Authority, now_ms: u64) -> Result<Vec<Vec<u8>>, AuthorityError> {
    let (secret, public) = Crypto::system().generate_signature_key(SUITE).unwrap();
    let request = request_certificate(&alice(), SUITE, &secret, &public).unwrap();
    authority.issue(&Crypto::system(), CertificateRequest::from_der(&request).unwrap(), now_ms)
}

/// Whether a member that has pinned the authority's root takes a chain.
fn takes(authority: &Authority, chain: &[Vec<u8>], time_ms: u64) -> bool {
    let certificate = authority.anchor().to_vec();
    let anchor = TrustAnchor { domain: "example.org".to_owned(), certificate };
    check_chain(&chain.to_vec().into(), &[anchor], time_ms / 1000).is_ok()
}

#[test]
fn what_an_intermediate_of_either_algorithm_signs_is_good_under_a_root_of_either() {
    for of_root in [&PKCS_ED25519, &PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384] {
        for of_own in [&PKCS_ED25519, &PKCS_ECDSA_P256_SHA256] {
            let root = CertifiedIssuer::self_signed(signs("root"), key(of_root)).unwrap();
            let own = CertifiedIssuer::signed_by(signs("online"), key(of_own), &root).unwrap();
            let authority = given(own, &[&root]).unwrap();
            assert_eq!(authority.anchor(), root.der().as_ref());
            let chain = issue(&authority, NOW).unwrap();
            assert_eq!(chain.len(), 2, "the leaf's and the intermediate's; the root is pinned");
            assert!(takes(&authority, &chain, NOW));
            assert!(!takes(&authority, &chain[..1], NOW), "without the intermediate");
        }
    }
}

#[test]
fn a_chain_has_as_many_certificates_as_members_take_and_no_more() {
    let root = root();
    let middle = below(&root, signs("middle"));
    let authority = given(below(&middle, signs("online")), &[&middle, &root]).unwrap();
    let chain = issue(&authority, NOW).unwrap();
    assert_eq!(chain.len(), CERTIFICATES_PER_CHAIN_MAX);
    assert!(takes(&authority, &chain, NOW));
    let lower = below(&middle, signs("lower"));
    let long = given(below(&lower, signs("online")), &[&lower, &middle, &root]);
    assert!(matches!(long, Err(ChainError::Length(4))), "{long:?}");
    let none = Authority::given(file_key(&root), Vec::new(), NOW);
    assert!(matches!(none, Err(ChainError::Length(0))), "{none:?}");
}

#[test]
fn each_fault_of_an_intermediate_is_named() {
    let root = root();
    let with = |change: &dyn Fn(&mut CertificateParams)| {
        let mut params = signs("online");
        change(&mut params);
        given(below(&root, params), &[&root]).unwrap_err()
    };
    assert!(matches!(with(&|it| it.is_ca = IsCa::ExplicitNoCa), ChainError::NoAuthority(1)));
    assert!(matches!(with(&|it| it.key_usages.clear()), ChainError::NoAuthority(1)));
    let crl_only = |it: &mut CertificateParams| it.key_usages = vec![KeyUsagePurpose::CrlSign];
    assert!(matches!(with(&crl_only), ChainError::NoAuthority(1)));
    let no_lists = |it: &mut CertificateParams| it.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    assert!(matches!(with(&no_lists), ChainError::NoLists));
    assert!(matches!(with(&|it| it.not_after = at(NOW)), ChainError::Ended(1)));
    assert!(matches!(with(&|it| it.not_before = at(NOW + 1000)), ChainError::TooEarly(1)));
    let long = |it: &mut CertificateParams| {
        it.distinguished_name.push(DnType::OrganizationName, "x".repeat(2048));
    };
    assert!(matches!(with(&long), ChainError::Long(1)));
    // Good for servers only: nothing that a client could use.
    let servers = |it: &mut CertificateParams| {
        it.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    };
    assert!(matches!(with(&servers), ChainError::Path(_)));
}

#[test]
fn a_chain_that_does_not_lead_from_the_key_to_its_root_is_refused() {
    let (root, stranger) = (root(), root());
    let own = below(&root, signs("online"));
    let (own_der, root_der) = (own.der().to_vec(), root.der().to_vec());
    let chain_of =
        |chain: Vec<Vec<u8>>| Authority::given(file_key(&own), chain, NOW).map(drop).unwrap_err();
    // Both roots have the same name.
    let other_root = chain_of(vec![own_der.clone(), stranger.der().to_vec()]);
    assert!(matches!(other_root, ChainError::Path(_)), "{other_root}");
    let without_root = chain_of(vec![own_der.clone()]);
    assert!(matches!(without_root, ChainError::NoRoot), "{without_root}");
    let upside_down = chain_of(vec![root_der.clone(), own_der.clone()]);
    assert!(matches!(upside_down, ChainError::OtherKey), "{upside_down}");
    let other_key = chain_of(vec![below(&root, signs("other")).der().to_vec(), root_der.clone()]);
    assert!(matches!(other_key, ChainError::OtherKey), "{other_key}");
    let cut = chain_of(vec![own_der.clone(), root_der[..root_der.len() - 1].to_vec()]);
    assert!(matches!(cut, ChainError::Broken(2)), "{cut}");
    let mut forged = root_der;
    *forged.last_mut().unwrap() ^= 1;
    let forged = chain_of(vec![own_der, forged]);
    assert!(matches!(forged, ChainError::NoRoot), "{forged}");
    let below_a_lowest = {
        let mut lowest = signs("lowest");
        lowest.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let lowest = below(&root, lowest);
        given(below(&lowest, signs("online")), &[&lowest, &root]).unwrap_err()
    };
    assert!(matches!(below_a_lowest, ChainError::Path(_)), "{below_a_lowest}");
}

#[test]
fn a_root_alone_signs_and_a_key_that_is_away_does_not() {
    let root = root();
    let chain = vec![root.der().to_vec()];
    let authority = Authority::given(file_key(&root), chain, NOW).unwrap();
    assert!(takes(&authority, &issue(&authority, NOW).unwrap(), NOW));
    let own = CertifiedIssuer::signed_by(signs("online"), key(&PKCS_ED25519), &root).unwrap();
    let pair = KeyPair::try_from(own.key().serialized_der()).unwrap();
    let chain = vec![own.der().to_vec(), root.der().to_vec()];
    let refused = Authority::given(Arc::new(AwayKey(pair)), chain, NOW).map(drop).unwrap_err();
    assert!(matches!(&refused, ChainError::Key(why) if why.0.contains("away")), "{refused}");
}

#[test]
fn no_certificate_outlasts_the_one_that_signs_it_and_none_is_made_that_ends_too_soon() {
    let root = root();
    let mut params = signs("online");
    let until_ms = NOW + 100 * DAY_MS;
    params.not_after = at(until_ms);
    let authority = given(below(&root, params), &[&root]).unwrap();
    assert_eq!(authority.ends_ms(), until_ms);
    let until_s = |now_ms: u64| {
        let chain = issue(&authority, now_ms).unwrap();
        assert!(takes(&authority, &chain, now_ms));
        Certificate::of(&chain.into()).unwrap().not_after_s
    };
    assert_eq!(until_s(NOW), (NOW + CREDENTIAL_LIFETIME_MS) / 1000);
    assert_eq!(until_s(NOW + 50 * DAY_MS), until_ms / 1000);
    let last_ms = until_ms - CREDENTIAL_LIFETIME_MIN_MS;
    assert_eq!(until_s(last_ms), until_ms / 1000);
    assert!(matches!(issue(&authority, last_ms + 1000), Err(AuthorityError::Ends)));
}

#[test]
fn what_a_new_intermediate_signs_at_once_is_good_as_of_its_own_beginning() {
    let root = root();
    let mut params = signs("online");
    params.not_before = at(NOW);
    let authority = given(below(&root, params), &[&root]).unwrap();
    let chain = issue(&authority, NOW).unwrap();
    let from_s = Certificate::of(&chain.clone().into()).unwrap().not_before_s;
    // As whoever joins a group judges it.
    assert!(takes(&authority, &chain, from_s * 1000));
}
