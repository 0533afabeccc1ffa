//! Certificates of the authentication service: what one is worth, and what is refused.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use mls_core::address::{ClientId, UserId};
use mls_core::authority::{
    Authority, CertificateRequest, RequestError, RevokedCertificate, request_certificate,
};
use mls_core::bridge_group::{BridgeGroup, Order};
use mls_core::crypto::Crypto;
use mls_core::identity::{
    Certificate, CertificateError, IdentityError, ListInfo, Revocations, Standing, TrustAnchor,
    TrustAnchors, check_leaf, check_leaf_against, client_id, credential, public_key_of,
};
use mls_core::policy::{CIPHER_SUITES, CREDENTIAL_LIFETIME_MS};
use mls_core::transparency::{HeadSigner, RevocationReason};
use mls_core::wire::issue_credential::CertificateBytes;
use mls_rs_core::crypto::{CipherSuite, SignaturePublicKey, SignatureSecretKey};
use mls_rs_core::identity::{CertificateChain, Credential, SigningIdentity};

const NOW_MS: u64 = 1_800_000_000_000;
const DAY_MS: u64 = 24 * 3600 * 1000;
const ED25519: CipherSuite = CipherSuite::CURVE25519_AES128;

fn alice() -> ClientId {
    UserId::matrix("@alice:example.org").unwrap().device("PHONE").unwrap()
}

fn juliet() -> ClientId {
    UserId::xmpp("juliet@capulet.example").unwrap().device("00000000000000aa").unwrap()
}

fn authority() -> Authority {
    Authority::make(&Crypto::system(), "mls-bridge of example.org").unwrap().0
}

fn anchor(domain: &str, authority: &Authority) -> TrustAnchor {
    TrustAnchor { domain: domain.to_owned(), certificate: authority.anchor().to_vec() }
}

/// A group that takes these authorities' certificates, and basic credentials or not.
fn group(anchors: Vec<TrustAnchor>, basic_allowed: bool) -> BridgeGroup {
    BridgeGroup {
        version: 0,
        receipt_key: vec![7; 32],
        hub_matrix: "@mls:example.org".to_owned(),
        hub_xmpp: String::new(),
        matrix_room: "!room:example.org".to_owned(),
        matrix_via: String::new(),
        muc: String::new(),
        admins: alice().user().to_string(),
        order: Order::Hub,
        members_may_add: false,
        basic_allowed,
        open_join: false,
        join_psk: Vec::new(),
        previous_key: Vec::new(),
        handover: Vec::new(),
        replaces: Vec::new(),
        anchors: TrustAnchors(anchors),
    }
}

/// A leaf whose certificate was issued for `client`, and its key pair.
fn leaf(authority: &Authority, client: &ClientId, suite: CipherSuite) -> SigningIdentity {
    let (secret, public) = Crypto::system().generate_signature_key(suite).unwrap();
    identity(issue(authority, client, suite, &secret, &public), public)
}

fn issue(
    authority: &Authority,
    client: &ClientId,
    suite: CipherSuite,
    secret: &SignatureSecretKey,
    public: &SignaturePublicKey,
) -> Vec<Vec<u8>> {
    let request = request_certificate(client, suite, secret, public).unwrap();
    let request = CertificateRequest::from_der(&request).unwrap();
    assert_eq!((&request.client, request.key()), (client, public.as_ref()));
    authority.issue(&Crypto::system(), request, NOW_MS).unwrap()
}

fn identity(chain: Vec<Vec<u8>>, public: SignaturePublicKey) -> SigningIdentity {
    SigningIdentity::new(Credential::X509(chain.into()), public)
}

fn path_error(result: Result<Standing, IdentityError>) -> bool {
    matches!(result, Err(IdentityError::Certificate(CertificateError::Path(_))))
}

#[test]
fn a_certificate_of_its_domains_authority_vouches_for_a_leaf_of_every_suite_while_it_lasts() {
    let authority = authority();
    let group = group(vec![anchor("example.org", &authority)], false);
    for suite in CIPHER_SUITES {
        let leaf = leaf(&authority, &alice(), suite);
        assert_eq!(client_id(&leaf), Ok(alice()));
        let until_s = (NOW_MS + CREDENTIAL_LIFETIME_MS) / 1000;
        let vouched = Ok(Standing::Vouched { until_s });
        for time_s in [None, Some(NOW_MS / 1000), Some(until_s - 1)] {
            assert_eq!(check_leaf(&leaf, &group, time_s), vouched);
        }
        let day_s = DAY_MS / 1000;
        for time_s in [NOW_MS / 1000 - day_s, until_s + 1] {
            assert!(path_error(check_leaf(&leaf, &group, Some(time_s))));
        }
    }
}

#[test]
fn an_authority_vouches_for_its_own_domain_only() {
    let (ours, theirs) = (authority(), Authority::make(&Crypto::system(), "capulet").unwrap().0);
    let anchors = vec![anchor("example.org", &ours), anchor("capulet.example", &theirs)];
    let group = group(anchors, true);
    for (authority, client, good) in [
        (&ours, alice(), true),
        (&theirs, juliet(), true),
        (&ours, juliet(), false),
        (&theirs, alice(), false),
    ] {
        let standing = check_leaf(&leaf(authority, &client, ED25519), &group, None);
        assert_eq!(standing.is_ok(), good, "{client}: {standing:?}");
        assert!(good || path_error(standing));
    }
}

#[test]
fn a_certificate_of_an_authority_that_the_group_does_not_name_is_worth_a_basic_credential() {
    let stranger = leaf(&authority(), &juliet(), ED25519);
    let basic = SigningIdentity::new(credential(&juliet()), stranger.signature_key.clone());
    let named = || vec![anchor("example.org", &authority())];
    for leaf in [stranger, basic] {
        assert_eq!(check_leaf(&leaf, &group(named(), true), None), Ok(Standing::Unvouched));
        let refused = Err(IdentityError::Unvouched(juliet()));
        assert_eq!(check_leaf(&leaf, &group(named(), false), None), refused);
    }
}

#[test]
fn a_certificate_speaks_for_one_key_only() {
    let authority = authority();
    let good = leaf(&authority, &alice(), ED25519);
    let other = leaf(&authority, &alice(), ED25519);
    let mixed = SigningIdentity::new(good.credential, other.signature_key);
    let group = group(vec![anchor("example.org", &authority)], true);
    let refused = Err(IdentityError::Certificate(CertificateError::OtherKey));
    assert_eq!(check_leaf(&mixed, &group, None), refused);
}

#[test]
fn a_certificate_that_was_changed_in_any_byte_vouches_for_nothing() {
    let authority = authority();
    let (secret, public) = Crypto::system().generate_signature_key(ED25519).unwrap();
    let chain = issue(&authority, &alice(), ED25519, &secret, &public);
    let group = group(vec![anchor("example.org", &authority)], true);
    for place in 0..chain[0].len() {
        let mut changed = chain.clone();
        changed[0][place] ^= 1;
        let standing = check_leaf(&identity(changed, public.clone()), &group, None);
        assert!(!matches!(standing, Ok(Standing::Vouched { .. })), "byte {place}");
    }
}

#[test]
fn no_bytes_make_the_readers_of_certificates_and_requests_panic() {
    let (secret, public) = Crypto::system().generate_signature_key(ED25519).unwrap();
    let chain = issue(&authority(), &alice(), ED25519, &secret, &public);
    let request = request_certificate(&alice(), ED25519, &secret, &public).unwrap();
    for good in [chain[0].clone(), request] {
        for place in 0..good.len() {
            for bytes in [good[..place].to_vec(), {
                let mut changed = good.clone();
                changed[place] = changed[place].wrapping_add(0x80);
                changed
            }] {
                drop(Certificate::of(&CertificateChain::from(vec![bytes.clone()])));
                // What the signature does not cover is DER's frame, which says nothing.
                if let Ok(read) = CertificateRequest::from_der(&bytes) {
                    assert_eq!((&read.client, read.key()), (&alice(), public.as_ref()));
                }
            }
        }
    }
}

#[test]
fn a_request_that_another_key_signed_or_that_names_no_client_is_refused() {
    let (_, public) = Crypto::system().generate_signature_key(ED25519).unwrap();
    let (other, _) = Crypto::system().generate_signature_key(ED25519).unwrap();
    let request = request_certificate(&alice(), ED25519, &other, &public).unwrap();
    assert_eq!(CertificateRequest::from_der(&request).err(), Some(RequestError::Broken));
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let mut authoritative = uri(alice().as_str());
    authoritative.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    for (params, error) in [
        (rcgen::CertificateParams::default(), RequestError::Subject),
        (
            rcgen::CertificateParams::new(vec!["example.org".to_owned()]).unwrap(),
            RequestError::Subject,
        ),
        (uri("https://example.org/alice"), RequestError::Subject),
        (authoritative, RequestError::Authority),
    ] {
        let request = params.serialize_request(&key).unwrap();
        assert_eq!(CertificateRequest::from_der(request.der()).err(), Some(error));
    }
}

fn uri(text: &str) -> rcgen::CertificateParams {
    let mut params = rcgen::CertificateParams::default();
    params.subject_alt_names = vec![rcgen::SanType::URI(text.try_into().unwrap())];
    params
}

#[test]
fn an_authority_opened_again_goes_on_signing_under_its_anchor() {
    let (first, secret) = Authority::make(&Crypto::system(), "mls-bridge").unwrap();
    let again = Authority::open(secret, first.public(), first.chain().to_vec()).unwrap();
    let group = group(vec![anchor("example.org", &first)], false);
    assert!(check_leaf(&leaf(&again, &alice(), ED25519), &group, None).is_ok());
}

#[test]
fn an_intermediate_signs_and_only_the_root_is_pinned() {
    let root_key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(1));
    let root = rcgen::CertifiedIssuer::self_signed(params.clone(), root_key).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(0));
    params.distinguished_name.push(rcgen::DnType::CommonName, "online");
    let (made, secret) = Authority::make(&Crypto::system(), "unused").unwrap();
    let public = made.public();
    let spki =
        [&[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00], &public[..]];
    let spki = rcgen::SubjectPublicKeyInfo::from_der(&spki.concat()).unwrap();
    let online = params.signed_by(&spki, &root).unwrap();
    let chain = vec![online.der().to_vec(), root.der().to_vec()];
    let authority = Authority::open(secret, public, chain).unwrap();
    let group = group(vec![anchor("example.org", &authority)], false);
    let leaf = leaf(&authority, &alice(), ED25519);
    let Credential::X509(chain) = &leaf.credential else { panic!("no certificate") };
    assert_eq!(chain.len(), 2, "the leaf's and the intermediate's; the root is pinned");
    assert!(check_leaf(&leaf, &group, None).is_ok());
}

/// The serial number of a leaf's certificate.
fn serial(leaf: &SigningIdentity) -> Vec<u8> {
    match &leaf.credential {
        Credential::X509(chain) => Certificate::of(chain).unwrap().serial,
        _ => Vec::new(),
    }
}

fn list(authority: &Authority, number: u64, revoked: &[&SigningIdentity]) -> Revocations {
    let reason = RevocationReason::KeyCompromise;
    let one = |leaf: &&SigningIdentity| RevokedCertificate {
        serial: serial(leaf),
        at_ms: NOW_MS,
        reason,
    };
    let revoked = revoked.iter().map(one).collect();
    let der = authority.sign_revocations(revoked, number, NOW_MS).unwrap();
    assert_eq!(ListInfo::of(&der).unwrap().number, number);
    Revocations::from_der(&der).unwrap()
}

#[test]
fn a_certificate_that_its_authority_lists_as_revoked_vouches_for_nothing() {
    let ours = authority();
    let group = group(vec![anchor("example.org", &ours)], true);
    let suite = CIPHER_SUITES[0];
    let (lost, kept) = (leaf(&ours, &alice(), suite), leaf(&ours, &alice(), suite));
    let revoked = Err(IdentityError::Certificate(CertificateError::Revoked));
    let list = list(&ours, 1, &[&lost]);
    let late_s = (NOW_MS + 30 * DAY_MS) / 1000;
    for time_s in [None, Some(NOW_MS / 1000), Some(late_s)] {
        assert_eq!(check_leaf_against(&lost, &group, time_s, &list), revoked, "an old list too");
        assert!(check_leaf_against(&kept, &group, time_s, &list).is_ok());
    }
    assert!(check_leaf(&lost, &group, None).is_ok(), "what a group takes depends on no list");
    assert!(list.names(&lost) && !list.names(&kept));
}

#[test]
fn a_list_that_another_signed_revokes_nothing() {
    let ours = authority();
    let group = group(vec![anchor("example.org", &ours)], true);
    let leaf = leaf(&ours, &alice(), CIPHER_SUITES[0]);
    let other = Authority::make(&Crypto::system(), "a stranger").unwrap().0;
    let foreign = list(&other, 1, &[&leaf]);
    assert!(check_leaf_against(&leaf, &group, None, &foreign).is_ok());
    // One that even has the authority's name.
    let forged = list(&authority(), 1, &[&leaf]);
    assert!(check_leaf_against(&leaf, &group, None, &forged).is_ok());
    assert!(Revocations::from_der(b"no list").is_err() && ListInfo::of(b"no list").is_err());
}

#[test]
fn who_signed_a_head_is_told_by_the_path_and_not_by_what_else_is_in_the_chain() {
    let authority = authority();
    let (secret, public) = Crypto::system().generate_signature_key(ED25519).unwrap();
    let mut chain = issue(&authority, &alice(), ED25519, &secret, &public);
    // One for her own key, where that of the issuer is looked for.
    let own = chain.first().unwrap().clone();
    chain.insert(1, own);
    let signer = HeadSigner {
        root: CertificateBytes(authority.anchor().to_vec()),
        chain: chain.into_iter().map(CertificateBytes).collect(),
    };
    let root = public_key_of(authority.anchor()).unwrap();
    assert_eq!(signer.key("example.org").unwrap(), SignaturePublicKey::from(root));
    assert!(signer.key("capulet.example").is_err());
}
