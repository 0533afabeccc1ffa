//! What `init` writes works, is private, is never overwritten, and has secrets of its own.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::{Ask, CONFIG, HOMESERVER, InitError, PROSODY, REGISTRATION, init};
use crate::command_line::{InitArguments, InitRole};
use crate::config::{Config, Roles};

const FILES: [&str; 4] = [CONFIG, REGISTRATION, HOMESERVER, PROSODY];

/// Answers in order and remembers the questions; without answers, nobody is there.
#[derive(Default)]
struct Script {
    answers: Vec<&'static str>,
    questions: Vec<String>,
}

impl Ask for Script {
    fn ask(&mut self, question: &str) -> Option<io::Result<String>> {
        self.questions.push(question.to_owned());
        (!self.answers.is_empty()).then(|| Ok(self.answers.remove(0).to_owned()))
    }
}

fn both(out: &Path) -> InitArguments {
    InitArguments {
        homeserver_url: Some("http://127.0.0.1:8008".to_owned()),
        server_name: Some("example.org".to_owned()),
        listen: Some("127.0.0.1:29400".to_owned()),
        xmpp_domain: Some("example.net".to_owned()),
        component_address: Some("127.0.0.1:5347".to_owned()),
        out: out.to_owned(),
        ..InitArguments::default()
    }
}

fn read(out: &Path, name: &str) -> String {
    fs::read_to_string(out.join(name)).unwrap()
}

#[test]
fn the_files_fit_together_are_private_and_hold_no_gap() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("new/bridge");
    let said = init(&both(&out), &mut Script::default()).unwrap();
    assert_eq!(said.lines().count(), 3, "{said}");
    for name in FILES {
        let mode = fs::metadata(out.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
        assert!(!read(&out, name).contains("{{"), "{name}");
    }
    assert_eq!(fs::read_dir(&out).unwrap().count(), FILES.len());
    let config = Config::load(&out.join(CONFIG)).unwrap();
    let (matrix, xmpp) = (config.matrix.unwrap(), config.xmpp.unwrap());
    assert_eq!(
        (matrix.hub().as_str(), xmpp.component.as_str()),
        ("@mls:example.org", "mls.example.net",)
    );
    assert_eq!(xmpp.muc_service, "conference.example.net");
    let registration = read(&out, REGISTRATION);
    for part in [
        matrix.as_token.reveal(),
        matrix.hs_token.reveal(),
        "http://127.0.0.1:29400",
        "sender_localpart: 'mls'",
        r"@mls_.*:example\.org",
    ] {
        assert!(registration.contains(part), "{part}");
    }
    let prosody = read(&out, PROSODY);
    assert!(prosody.contains("\nComponent \"mls.example.net\"\n"));
    assert!(prosody.contains(&format!("component_secret = \"{}\"", xmpp.secret.reveal())));
    assert!(read(&out, HOMESERVER).contains(out.join(REGISTRATION).to_str().unwrap()));
}

#[test]
fn the_authoritys_folder_is_the_one_that_was_typed_wherever_the_configuration_lies() {
    let folder = tempfile::tempdir().unwrap();
    let published = Some(PathBuf::from("authority/published"));
    let given = InitArguments { role: InitRole::Delivery, published, ..both(folder.path()) };
    init(&given, &mut Script::default()).unwrap();
    let config = Config::load(&folder.path().join(CONFIG)).unwrap();
    let Roles::Delivery(authority) = &config.roles else { panic!("another role") };
    let here = std::env::current_dir().unwrap();
    assert_eq!(authority.roots, here.join("authority/published/roots.pem"));
}

#[test]
fn the_two_services_alone_fit_together_and_to_one_homeserver() {
    let folder = tempfile::tempdir().unwrap();
    let written = |role, name: &str| {
        let out = folder.path().join(name);
        let published = Some(folder.path().join("authority/published"));
        let listen = None;
        let given = InitArguments { role, published, listen, ..both(&out) };
        init(&given, &mut Script::default()).unwrap();
        (Config::load(&out.join(CONFIG)).unwrap(), out)
    };
    let (hub, of_hub) = written(InitRole::Delivery, "hub");
    let (alone, of_authority) = written(InitRole::Authentication, "authority");
    let (Roles::Delivery(authority), Roles::Authentication(delivery)) = (&hub.roles, &alone.roles)
    else {
        panic!("other roles");
    };
    let address = |config: &Config| config.hub_setup();
    assert_eq!(authority.address.matrix, address(&alone).matrix);
    assert_eq!(authority.address.xmpp, address(&alone).xmpp);
    assert_eq!(delivery.address.matrix, address(&hub).matrix);
    assert_eq!(delivery.address.xmpp, address(&hub).xmpp);
    assert_eq!(authority.roots, delivery.publish.join("roots.pem"));
    assert_eq!(authority.revoked, delivery.publish.join("revoked.list"));
    assert_ne!(hub.matrix.unwrap().listen, alone.matrix.unwrap().listen);
    let registrations = [&of_hub, &of_authority].map(|out| read(out, REGISTRATION));
    assert!(registrations[0].contains("id: mls-bridge\n") && registrations[0].contains("@mls_.*"));
    assert!(registrations[1].contains("id: mls-bridge-authority\n"));
    assert!(!registrations[1].contains("exclusive"), "it makes no ghosts");
    for out in [&of_hub, &of_authority] {
        assert!(!read(out, CONFIG).contains("{{"));
    }
    assert!(!read(&of_hub, CONFIG).contains("What signs certificates"));
}

#[test]
fn secrets_are_long_different_and_new_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let mut seen = Vec::new();
    for _ in 0..2 {
        let arguments = InitArguments { force: true, ..both(folder.path()) };
        init(&arguments, &mut Script::default()).unwrap();
        let config = Config::load(&folder.path().join(CONFIG)).unwrap();
        let (matrix, xmpp) = (config.matrix.unwrap(), config.xmpp.unwrap());
        seen.extend([matrix.as_token, matrix.hs_token, xmpp.secret].map(|s| s.reveal().to_owned()));
    }
    assert!(seen.iter().all(|secret| secret.len() == 64));
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 6);
}

#[test]
fn nothing_is_overwritten_without_force() {
    for name in FILES {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(name), "mine").unwrap();
        let refused = init(&both(folder.path()), &mut Script::default());
        assert!(matches!(refused, Err(InitError::Exists(_))), "{refused:?}");
        assert_eq!(read(folder.path(), name), "mine");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "{name}");
        let arguments = InitArguments { force: true, ..both(folder.path()) };
        init(&arguments, &mut Script::default()).unwrap();
        assert_ne!(read(folder.path(), name), "mine");
        let mode = fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn what_is_not_given_is_asked_and_an_empty_answer_takes_the_default() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_owned();
    let answers = vec!["http://localhost:8008", "example.org", "", ""];
    let mut script = Script { answers, questions: Vec::new() };
    init(&InitArguments { out: out.clone(), ..Default::default() }, &mut script).unwrap();
    assert_eq!(script.questions.len(), 4, "{:?}", script.questions);
    let config = Config::load(&out.join(CONFIG)).unwrap();
    assert_eq!(config.matrix.unwrap().listen.to_string(), "127.0.0.1:29341");
    assert!(config.xmpp.is_none());
    assert!(!out.join(PROSODY).exists());
}

#[test]
fn without_a_terminal_a_missing_answer_is_an_error_that_names_its_option() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("bridge");
    let check = |change: fn(&mut InitArguments), expected: &str| {
        let mut arguments = both(&out);
        change(&mut arguments);
        let error = init(&arguments, &mut Script::default()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(!out.exists());
    };
    check(|a| a.server_name = None, "--server-name");
    check(|a| a.homeserver_url = None, "--homeserver-url");
    check(|a| a.xmpp_domain = None, "--xmpp-domain");
    check(|a| a.appservice_url = Some("x".to_owned()), "--appservice-url");
    check(|a| a.listen = Some("everywhere".to_owned()), "matrix.listen");
    check(|a| a.xmpp_domain = Some("Example \" net".to_owned()), "xmpp.domain");
    check(|a| *a = InitArguments { out: a.out.clone(), ..Default::default() }, "nothing to serve");
}

#[test]
fn a_way_for_the_homeserver_that_others_could_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (url, fine) in [
        ("http://10.0.0.5:29341", false),
        ("http://mls.localhost:29341", false),
        ("not a url", false),
        ("https://mls.example.org", true),
        ("http://127.0.0.1:29341", true),
    ] {
        let out = folder.path().join(url.replace('/', "_"));
        let given = InitArguments { appservice_url: Some(url.to_owned()), ..both(&out) };
        match init(&given, &mut Script::default()) {
            Ok(_) => assert!(fine, "{url}"),
            Err(error) => {
                assert!(!fine && error.to_string().contains("--appservice-url"), "{url}: {error}");
            }
        }
    }
}
