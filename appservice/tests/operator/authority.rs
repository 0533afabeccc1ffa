//! `mls-bridge authority`, and what `check` and `run` say of the authority in a configuration.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use appservice::authority::{end_is_near, other_root, set_up};
use appservice::config::{Config, Fault};
use mls_core::authority::Authority;
use mls_core::hub::Hub;
use storage::{Database, Role};
use tempfile::TempDir;

use crate::{CONFIG, bridge};

const AUTHORITY: &str =
    "[authority]\nchain = \"online/chain.pem\"\nkey = \"online/authority.key\"\n";

/// An operator's folder.
struct Operator(TempDir);

impl Operator {
    /// With a root and an intermediate, as the commands make them.
    fn new() -> Self {
        let operator = Self(tempfile::tempdir().unwrap());
        operator.write("mls-bridge.toml", &[CONFIG, AUTHORITY].concat());
        operator.make_root("root");
        operator.make_intermediate("root", "365", "online");
        operator
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
        self.set_mode(name, 0o600);
    }

    fn set_mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), Permissions::from_mode(mode)).unwrap();
    }

    /// Whether it went well, and all that it said.
    fn said(&self, arguments: &[&str]) -> (Option<i32>, String) {
        bridge(self.0.path(), arguments)
    }

    fn make_root(&self, out: &str) {
        let made = self.said(&["authority", "root", "--name", "Example root", "--out", out]);
        assert_eq!(made.0, Some(0), "{}", made.1);
    }

    fn intermediate(&self, root: &str, days: &str, out: &str) -> (Option<i32>, String) {
        let name = "Example online";
        self.said(&[
            "authority",
            "intermediate",
            "--root",
            root,
            "--name",
            name,
            "--days",
            days,
            "--out",
            out,
        ])
    }

    fn make_intermediate(&self, root: &str, days: &str, out: &str) {
        let made = self.intermediate(root, days, out);
        assert_eq!(made.0, Some(0), "{}", made.1);
    }

    fn config(&self) -> Config {
        Config::load(&self.path("mls-bridge.toml")).unwrap()
    }

    fn authority(&self) -> Result<Authority, Fault> {
        Ok(set_up(&self.config())?.authority.unwrap())
    }

    /// What is wrong with the authority now.
    fn fault(&self) -> String {
        self.authority().map(drop).unwrap_err().to_string()
    }

    /// The hub starts once, under what is configured, and ends.
    fn start_once(&self) {
        let (config, database) = (self.config(), self.database());
        let store = Arc::new(database.clone());
        let (_, writes) = Hub::open(store, set_up(&config).unwrap()).unwrap();
        database.commit(&writes).unwrap();
    }

    fn database(&self) -> Database {
        Database::open(&self.path("mls-bridge.db"), Role::Hub, None).unwrap()
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_commands_make_an_authority_that_the_bridge_takes_and_keys_that_nobody_else_reads() {
    let operator = Operator::new();
    for key in ["root/root.key", "online/authority.key"] {
        assert_eq!(mode(&operator.path(key)), 0o600, "{key}");
    }
    let authority = operator.authority().unwrap();
    let [own, root] = authority.chain() else { panic!("a chain of two") };
    assert_ne!(own, root);
    assert_eq!(authority.anchor(), root);
    let (_, said) = operator.said(&["check", "--config", "mls-bridge.toml"]);
    assert!(said.contains("good  authority: signs until 20"), "{said}");
}

#[test]
fn no_key_is_written_over() {
    let operator = Operator::new();
    let files = ["root/root.key", "root/root.pem", "online/authority.key", "online/chain.pem"];
    let read = || files.map(|file| fs::read(operator.path(file)).unwrap());
    let before = read();
    let (code, said) = operator.said(&["authority", "root", "--name", "x", "--out", "root"]);
    assert!(code == Some(2) && said.contains("there already"), "{said}");
    let (code, said) = operator.intermediate("root", "365", "online");
    assert!(code == Some(2) && said.contains("there already"), "{said}");
    assert_eq!(read(), before);
}

#[test]
fn an_intermediate_needs_its_root_and_does_not_outlast_it() {
    let operator = Operator::new();
    let (code, said) = operator.intermediate("nowhere", "365", "other");
    assert!(code == Some(2) && said.contains("nowhere/root.key"), "{said}");
    let (code, said) = operator.intermediate("root", "7300", "other");
    assert!(code == Some(2) && said.contains("less --days"), "{said}");
    operator.make_root("second");
    fs::copy(operator.path("second/root.pem"), operator.path("root/root.pem")).unwrap();
    let (code, said) = operator.intermediate("root", "365", "other");
    assert!(code == Some(2) && said.contains("another key"), "{said}");
    assert!(!operator.path("other").exists());
}

#[test]
fn the_help_teaches_to_keep_the_root_offline() {
    let operator = Operator(tempfile::tempdir().unwrap());
    for command in [vec!["authority"], vec!["authority", "root"], vec!["authority", "intermediate"]]
    {
        let (code, said) = operator.said(&[command, vec!["--help"]].concat());
        assert!(code == Some(0) && said.contains("Keep the root offline"), "{said}");
    }
}

#[test]
fn each_fault_of_the_files_is_named_with_its_key_and_how_to_mend_it() {
    let operator = Operator::new();
    operator.set_mode("online/authority.key", 0o640);
    let said = operator.fault();
    assert!(said.starts_with("authority.key: ") && said.contains("chmod 600"), "{said}");
    operator.set_mode("online/authority.key", 0o400);
    assert!(operator.authority().is_ok());
    // The key of the root, or of another intermediate, is not the first certificate's.
    fs::rename(operator.path("online/authority.key"), operator.path("good.key")).unwrap();
    fs::copy(operator.path("root/root.key"), operator.path("online/authority.key")).unwrap();
    let said = operator.fault();
    assert!(said.starts_with("authority.key: ") && said.contains("another key"), "{said}");
    operator.write("online/authority.key", "-----BEGIN EC PRIVATE KEY-----\nAAAA\n");
    let said = operator.fault();
    assert!(said.starts_with("authority.key: ") && said.contains("PKCS #8"), "{said}");
    fs::remove_file(operator.path("online/authority.key")).unwrap();
    let said = operator.fault();
    assert!(said.starts_with("authority.key: cannot open"), "{said}");
    fs::rename(operator.path("good.key"), operator.path("online/authority.key")).unwrap();
    // Without the root, or without anything.
    let chain = fs::read_to_string(operator.path("online/chain.pem")).unwrap();
    let end = "-----END CERTIFICATE-----";
    let (own, root) = chain.split_once(end).unwrap();
    operator.write("online/chain.pem", &[own, end, "\n"].concat());
    let said = operator.fault();
    assert!(said.starts_with("authority.chain: ") && said.contains("not a root"), "{said}");
    operator.write("online/chain.pem", root);
    assert!(operator.fault().contains("another key"));
    operator.write("online/chain.pem", "nothing");
    let said = operator.fault();
    assert!(said.starts_with("authority.chain: ") && said.contains("no certificate"), "{said}");
}

#[test]
fn check_and_run_name_a_fault_and_do_not_go_on() {
    let operator = Operator::new();
    operator.set_mode("online/authority.key", 0o644);
    let (code, said) = operator.said(&["check", "--config", "mls-bridge.toml"]);
    assert!(code == Some(1) && said.contains("FAULT authority: authority.key"), "{said}");
    let (code, said) = operator.said(&["run", "--config", "mls-bridge.toml"]);
    assert!(code == Some(2) && said.contains("chmod 600"), "{said}");
    assert!(!operator.path("mls-bridge.db").exists());
}

#[test]
fn an_end_that_is_near_is_told() {
    let operator = Operator::new();
    assert_eq!(end_is_near(&operator.authority().unwrap()), None);
    for (days, near) in [("31", false), ("30", true), ("15", true)] {
        fs::remove_dir_all(operator.path("online")).unwrap();
        operator.make_intermediate("root", days, "online");
        let told = end_is_near(&operator.authority().unwrap());
        assert_eq!(told.is_some(), near, "{days}: {told:?}");
    }
    let (_, said) = operator.said(&["check", "--config", "mls-bridge.toml"]);
    assert!(said.contains("note  authority: its certificates end on"), "{said}");
}

#[test]
fn another_intermediate_is_taken_at_the_next_start_and_another_root_only_by_command() {
    let operator = Operator::new();
    operator.start_once();
    fs::remove_dir_all(operator.path("online")).unwrap();
    operator.make_intermediate("root", "365", "online");
    operator.start_once();
    operator.make_root("second");
    fs::remove_dir_all(operator.path("online")).unwrap();
    operator.make_intermediate("second", "365", "online");
    for (command, end) in [("run", 2), ("check", 1), ("replace-keys", 2)] {
        let (code, said) = operator.said(&[command, "--config", "mls-bridge.toml"]);
        assert!(code == Some(end) && said.contains("authority replace"), "{command}: {said}");
    }
    let replace = ["authority", "replace", "--config", "mls-bridge.toml"];
    let (code, said) = operator.said(&replace);
    assert!(code == Some(0) && said.contains("Another root signs from now on"), "{said}");
    operator.start_once();
    let (code, said) = operator.said(&replace);
    assert!(code == Some(0) && said.contains("Nothing to do"), "{said}");
}

#[test]
fn from_the_hubs_own_key_to_a_given_one_and_back_is_another_root_too() {
    let operator = Operator::new();
    let given = fs::read_to_string(operator.path("mls-bridge.toml")).unwrap();
    let is_other = || {
        let database = operator.database();
        other_root(&set_up(&operator.config()).unwrap(), &database).unwrap()
    };
    operator.write("mls-bridge.toml", CONFIG);
    operator.start_once();
    for text in [given.as_str(), CONFIG] {
        assert_eq!(is_other(), None);
        operator.write("mls-bridge.toml", text);
        assert!(is_other().is_some_and(|said| said.contains("authority replace")));
        let (code, said) = operator.said(&["authority", "replace", "--config", "mls-bridge.toml"]);
        assert_eq!(code, Some(0), "{said}");
        operator.start_once();
    }
}
