//! The authority's key in a PKCS #11 token, with SoftHSM2 for one. Its configuration comes by an
//! environment variable, so each test starts itself anew with that set.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use appservice::authority::{make_intermediate, make_request, make_root, set_up};
use appservice::command_line::{IntermediateArguments, RequestArguments, RootArguments};
use appservice::config::Config;
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::Attribute;
use cryptoki::session::UserType;
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use mls_core::address::{ClientId, UserId};
use mls_core::authority::request_certificate;
use mls_core::crypto::Crypto;
use mls_core::engine;
use mls_core::hub::{AnswerEffect, Effect, Hub, HubSetup, Input, Reply, ReplyTo, RequestInput};
use mls_core::identity::check_chain;
use mls_core::policy::CIPHER_SUITES;
use mls_core::store::MemoryStore;
use mls_core::wire::issue_credential::{IssueCredential, proof_of};
use mls_core::wire::{Answer, Request};

/// Where distributions put SoftHSM2.
const MODULES: [&str; 3] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
];
const CONFIGURED: &str = "SOFTHSM2_CONF";
const LABEL: &str = "mls-bridge test";
const PIN: &str = "hunter2-1234";
/// CKA_EC_PARAMS: the curve's object identifier.
const P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const ED25519: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x70];

/// A token of the test's own, and a folder for what is made with it.
struct Hsm {
    module: PathBuf,
    folder: PathBuf,
    pkcs11: Pkcs11,
}

/// Runs a test in a process of its own that has a token, where SoftHSM2 is installed.
fn with_token(test: &str, work: impl FnOnce(&Hsm)) {
    let Some(module) = MODULES.iter().map(PathBuf::from).find(|module| module.exists()) else {
        println!("{test} SKIPPED: SoftHSM2 is not installed (apt-get install softhsm2)");
        return;
    };
    if let Some(configured) = std::env::var_os(CONFIGURED) {
        let folder = Path::new(&configured).parent().unwrap().to_owned();
        return work(&Hsm::open(module, folder));
    }
    let folder = tempfile::tempdir().unwrap();
    let (tokens, config) = (folder.path().join("tokens"), folder.path().join("softhsm2.conf"));
    fs::create_dir(&tokens).unwrap();
    fs::write(&config, format!("directories.tokendir = {}\n", tokens.display())).unwrap();
    let run = |program: &Path, arguments: &[&str]| {
        let mut command = Command::new(program);
        let output = command.args(arguments).env(CONFIGURED, &config).output().unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{said}");
        said
    };
    let token = ["--init-token", "--free", "--label", LABEL, "--pin", PIN, "--so-pin", "12345678"];
    run(Path::new("softhsm2-util"), &token);
    let said = run(&std::env::current_exe().unwrap(), &["--exact", test, "--nocapture"]);
    assert!(said.contains("1 passed"), "{said}");
    said.lines().filter(|line| line.contains("SKIPPED")).for_each(|line| println!("{line}"));
}

impl Hsm {
    fn open(module: PathBuf, folder: PathBuf) -> Self {
        let pkcs11 = Pkcs11::new(&module).unwrap();
        pkcs11.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap();
        let hsm = Self { module, folder, pkcs11 };
        hsm.write_pin(&format!("{PIN}\n"));
        hsm
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn write_pin(&self, pin: &str) {
        fs::write(self.path("pin"), pin).unwrap();
        fs::set_permissions(self.path("pin"), Permissions::from_mode(0o600)).unwrap();
    }

    fn slot(&self) -> Slot {
        let slots = self.pkcs11.get_slots_with_initialized_token().unwrap();
        *slots.first().unwrap()
    }

    /// A new key pair in the token.
    fn generate(&self, label: &str, mechanism: &Mechanism<'_>, curve: &[u8]) {
        let session = self.pkcs11.open_rw_session(self.slot()).unwrap();
        session.login(UserType::User, Some(&AuthPin::from(PIN.to_owned()))).unwrap();
        let label = Attribute::Label(label.as_bytes().to_vec());
        let public = [Attribute::Token(true), Attribute::EcParams(curve.to_vec()), label.clone()];
        let private =
            [Attribute::Token(true), Attribute::Sensitive(true), Attribute::Sign(true), label];
        session.generate_key_pair(mechanism, &public, &private).unwrap();
    }

    /// Ends what every session of this process may do, as a token does that was pulled out.
    fn log_out(&self) {
        self.pkcs11.open_ro_session(self.slot()).unwrap().logout().unwrap();
    }

    fn request(&self, key: &str, out: &str) -> Result<String, String> {
        let arguments = RequestArguments {
            module: self.module.clone(),
            token: LABEL.to_owned(),
            key: key.to_owned(),
            pin_file: self.path("pin"),
            out: self.path(out),
        };
        make_request(&arguments).map_err(|error| error.to_string())
    }

    /// A root, and an intermediate of it whose key is in the token.
    fn certify(&self, key: &str) {
        let (root, out) = (self.path(&format!("{key} root")), self.path(&format!("{key} online")));
        self.request(key, &format!("{key} asked")).unwrap();
        make_root(&RootArguments { name: "root".to_owned(), out: root.clone() }).unwrap();
        let request = Some(self.path(&format!("{key} asked")).join("request.pem"));
        let name = "online".to_owned();
        make_intermediate(&IntermediateArguments { root, name, days: 365, request, out }).unwrap();
    }

    /// What a hub with the key in the token opens with.
    fn set_up(&self, key: &str) -> Result<HubSetup, String> {
        let text = format!(
            "database = 'x.db'\n[xmpp]\ndomain = 'x.org'\ncomponent = 'mls.x.org'\n\
             address = '127.0.0.1:1'\nsecret = '{}'\nmuc_service = 'rooms.x.org'\n\
             [authority]\nchain = '{key} online/chain.pem'\n[authority.pkcs11]\nmodule = '{}'\n\
             token = '{LABEL}'\nkey = '{key}'\npin_file = 'pin'\n",
            "s".repeat(40),
            self.module.display(),
        );
        let config = Config::parse(&text, &self.folder).unwrap();
        set_up(&config).map_err(|fault| fault.to_string())
    }
}

fn juliet() -> ClientId {
    UserId::xmpp("juliet@x.org").unwrap().device("00000000000000aa").unwrap()
}

fn ask(hub: &mut Hub, store: &MemoryStore, id: &str, request: Request) -> Answer {
    let (from, id) = (juliet().user(), id.to_owned());
    let reply_to = ReplyTo::Jid("juliet@x.org/here".to_owned());
    let input = Input::Request(RequestInput { from, reply_to, id, request });
    let outcome = hub.handle(now_ms(), input).unwrap();
    store.apply(&outcome.writes);
    match outcome.effects.into_iter().next() {
        Some(Effect::Answer(AnswerEffect { reply: Reply::Ok(answer), .. })) => answer,
        other => panic!("{other:?}"),
    }
}

fn now_ms() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    u64::try_from(now.as_millis()).unwrap()
}

/// Has a hub issue a certificate, and looks at it as a member would.
fn issues(setup: HubSetup) {
    let store = MemoryStore::default();
    let (mut hub, writes) = Hub::open(Arc::new(store.clone()), setup).unwrap();
    store.apply(&writes);
    let Answer::HubInfo(info) = ask(&mut hub, &store, "1", Request::HubInfo) else {
        panic!("no hub info");
    };
    let suite = CIPHER_SUITES[0];
    let (secret, public) = Crypto::system().generate_signature_key(suite).unwrap();
    let request = request_certificate(&juliet(), suite, &secret, &public).unwrap();
    let proof = engine::sign(suite, &secret, &proof_of(&request)).unwrap();
    let request = IssueCredential { request, device_key: public.to_vec(), proof };
    let answer = ask(&mut hub, &store, "2", Request::IssueCredential(request));
    let Answer::Credential(issued) = answer else { panic!("{answer:?}") };
    let chain: Vec<_> = issued.chain.into_iter().map(|one| one.0).collect();
    assert_eq!(chain.len(), 2);
    check_chain(&chain.into(), &info.anchors, now_ms() / 1000).unwrap();
}

#[test]
fn a_hub_issues_certificates_with_a_p256_key_that_stays_in_the_token() {
    with_token("a_hub_issues_certificates_with_a_p256_key_that_stays_in_the_token", |hsm| {
        hsm.generate("p256", &Mechanism::EccKeyPairGen, P256);
        hsm.certify("p256");
        // The numbers of a signature vary in length, as DER has them.
        for _ in 0..40 {
            issues(hsm.set_up("p256").unwrap());
        }
    });
}

#[test]
fn a_hub_issues_certificates_with_an_ed25519_key_that_stays_in_the_token() {
    with_token("a_hub_issues_certificates_with_an_ed25519_key_that_stays_in_the_token", |hsm| {
        let can = hsm.pkcs11.get_mechanism_list(hsm.slot()).unwrap();
        if !can.contains(&MechanismType::EDDSA) {
            println!("an Ed25519 key in a token SKIPPED: this SoftHSM2 was built without EdDSA");
            return;
        }
        hsm.generate("ed25519", &Mechanism::EccEdwardsKeyPairGen, ED25519);
        hsm.certify("ed25519");
        issues(hsm.set_up("ed25519").unwrap());
    });
}

#[test]
fn a_token_that_forgot_its_user_is_opened_again() {
    with_token("a_token_that_forgot_its_user_is_opened_again", |hsm| {
        hsm.generate("p256", &Mechanism::EccKeyPairGen, P256);
        hsm.certify("p256");
        let setup = hsm.set_up("p256").unwrap();
        hsm.log_out();
        issues(setup);
    });
}

#[test]
fn what_keeps_the_token_from_signing_is_named() {
    with_token("what_keeps_the_token_from_signing_is_named", |hsm| {
        hsm.generate("p256", &Mechanism::EccKeyPairGen, P256);
        hsm.generate("other", &Mechanism::EccKeyPairGen, P256);
        hsm.certify("p256");
        let said = |key: &str| hsm.request(key, "never").unwrap_err();
        assert!(said("nothing").contains("0 objects"), "{}", said("nothing"));
        fs::rename(hsm.path("p256 online"), hsm.path("other online")).unwrap();
        let other = hsm.set_up("other").unwrap_err();
        assert!(other.contains("another key"), "{other}");
        fs::rename(hsm.path("other online"), hsm.path("p256 online")).unwrap();
        fs::set_permissions(hsm.path("pin"), Permissions::from_mode(0o640)).unwrap();
        let readable = hsm.set_up("p256").unwrap_err();
        assert!(
            readable.starts_with("authority.pkcs11: ") && readable.contains("chmod 600"),
            "{readable}"
        );
        hsm.write_pin("0000");
        let wrong = hsm.set_up("p256").unwrap_err();
        assert!(wrong.contains("does not take the PIN") && !wrong.contains("0000"), "{wrong}");
        hsm.write_pin(PIN);
        issues(hsm.set_up("p256").unwrap());
    });
}

/// Each further try would bring it nearer to locking itself.
#[test]
fn a_token_that_did_not_take_the_pin_is_not_asked_again() {
    with_token("a_token_that_did_not_take_the_pin_is_not_asked_again", |hsm| {
        hsm.generate("p256", &Mechanism::EccKeyPairGen, P256);
        hsm.certify("p256");
        let setup = hsm.set_up("p256").unwrap();
        hsm.log_out();
        hsm.write_pin("0000");
        let authority = setup.authority.unwrap();
        let (secret, public) = Crypto::system().generate_signature_key(CIPHER_SUITES[0]).unwrap();
        let issue = || {
            let request =
                request_certificate(&juliet(), CIPHER_SUITES[0], &secret, &public).unwrap();
            let request = mls_core::authority::CertificateRequest::from_der(&request).unwrap();
            authority.issue(&Crypto::system(), request, now_ms())
        };
        assert!(issue().is_err());
        // The right one comes too late: people have to start the hub anew.
        hsm.write_pin(PIN);
        assert!(issue().is_err());
        assert!(hsm.set_up("p256").is_ok());
    });
}
