//! The arrows of ARCHITECTURE.md, and the habits of the code, held by tests.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by a panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Which of our crates each of our crates may use, tests included.
const ARROWS: [(&str, &[&str]); 9] = [
    ("mls-core", &[]),
    ("storage", &["mls-core"]),
    ("matrix-adapter", &["mls-core"]),
    ("xmpp-adapter", &["mls-core"]),
    ("appservice", &["mls-core", "storage", "matrix-adapter", "xmpp-adapter"]),
    ("bot", &["mls-core", "storage", "matrix-adapter", "xmpp-adapter"]),
    ("tests", &["mls-core", "storage", "matrix-adapter", "xmpp-adapter", "appservice", "bot"]),
    ("simulator", &["mls-core"]),
    ("xtask", &["tests", "simulator"]),
];

/// What would make mls-core act instead of decide.
const NEVER_IN_CORE: [&str; 7] =
    ["tokio", "async-std", "reqwest", "hyper", "rusqlite", "chrono", "matrix-sdk"];

/// How a clock is read, a file opened, a thread begun.
const NEVER_SAID_IN_CORE: [&str; 7] =
    ["now_utc", "now_local", "SystemTime", "Instant", "std::fs", "std::net", "std::thread"];

/// How random bytes are drawn; in the core they come from whom opens a member or a hub.
const NEVER_DRAWN_IN_CORE: [&str; 8] = [
    "aws_lc_rs::rand",
    "AwsLcCryptoProvider",
    "getrandom",
    "rand::",
    "RandomState",
    "SystemRandomness",
    "Crypto::system",
    "KeyPair::generate(&",
];

/// Where they are taken from the caller, or the system's given in the place of none.
const DRAWS_IN_CORE: [&str; 5] =
    ["randomness.rs", "crypto.rs", "opening.rs", "hub.rs", "passive_client.rs"];

/// Licences of which one of each dependency's must be, for we ship what they cover. MPL-2.0 lies
/// on single files, which we use and never copy (xmpp-rs).
const LICENCES: [&str; 15] = [
    "Apache-2.0",
    "MIT",
    "MIT-0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "0BSD",
    "Unlicense",
    "BSL-1.0",
    "BlueOak-1.0.0",
    "CDLA-Permissive-2.0",
    "Unicode-3.0",
    "MPL-2.0",
    "MPL-2.0+",
];

/// Parts of MLS messages that the core reads and never writes; tested with what reads them.
const READ_ONLY: [&str; 2] = ["UpdatePath", "UpdatePathNode"];

const FILE_LINES_MAX: usize = 400;
const NAMES_THAT_EXPLAIN_NOTHING: [&str; 6] =
    ["util.rs", "utils.rs", "common.rs", "helpers.rs", "types.rs", "manager.rs"];

#[test]
fn no_arrow_between_our_crates_runs_the_wrong_way() {
    let dependencies = direct_dependencies();
    let ours: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    assert_eq!(ours, dependencies.keys().map(String::as_str).collect(), "a crate has no row here");
    for (name, allowed) in ARROWS {
        for used in dependencies[name].iter().filter(|used| ours.contains(used.as_str())) {
            assert!(allowed.contains(&used.as_str()), "{name} must not use {used}");
        }
    }
}

#[test]
fn the_core_brings_no_way_to_act() {
    let tree = run(&["tree", "-p", "mls-core", "-e", "normal", "--prefix", "none", "--locked"]);
    let used: BTreeSet<&str> = tree.lines().filter_map(|l| l.split_whitespace().next()).collect();
    assert!(used.contains("mls-rs"), "cargo tree shows nothing: {tree}");
    for never in NEVER_IN_CORE {
        assert!(!used.contains(never), "mls-core reaches {never}");
    }
    let sources = root().join("mls-core/src");
    for file in source_files().iter().filter(|file| file.starts_with(&sources)) {
        let text = std::fs::read_to_string(file).unwrap();
        for never in NEVER_SAID_IN_CORE {
            assert!(!text.contains(never), "{} says {never}", file.display());
        }
    }
}

#[test]
fn the_core_draws_no_random_bytes_by_itself() {
    let sources = root().join("mls-core/src");
    let mut looked_at = 0;
    for file in source_files().iter().filter(|file| file.starts_with(&sources)) {
        let name = file.file_name().and_then(|name| name.to_str()).unwrap();
        let in_tests = file.components().any(|part| part.as_os_str() == "codec_properties");
        if DRAWS_IN_CORE.contains(&name) || in_tests {
            continue;
        }
        looked_at += 1;
        let text = std::fs::read_to_string(file).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        for never in NEVER_DRAWN_IN_CORE {
            assert!(!code.contains(never), "{} says {never}", file.display());
        }
    }
    assert!(looked_at > 150, "only {looked_at} files were looked at");
}

#[test]
fn every_dependency_has_a_licence_that_goes_with_ours() {
    let metadata = run(&["metadata", "--format-version", "1", "--locked"]);
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 100, "only {} packages found", packages.len());
    for package in packages {
        let licence = package["license"].as_str().unwrap_or("none");
        assert!(goes_with_ours(licence), "{}: {licence}", package["name"]);
    }
    assert!(!goes_with_ours("GPL-3.0 AND MIT") && !goes_with_ours("none"));
    assert!(goes_with_ours("(MIT OR LGPL-2.1-or-later) AND Unicode-3.0"));
}

/// Of all that are joined by AND, one of those joined by OR (a slash is an old OR).
fn goes_with_ours(licence: &str) -> bool {
    licence.replace('/', " OR ").split(" AND ").all(|all| {
        let mut choices = all.split(" OR ").map(|one| one.trim_matches(['(', ')', ' ']));
        choices.any(|one| LICENCES.contains(&one))
    })
}

#[test]
fn every_source_file_says_what_it_is_and_stays_small() {
    let files = source_files();
    assert!(files.len() > 50, "only {} source files found", files.len());
    for file in files {
        let name = file.file_name().unwrap().to_str().unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        let shown = file.display();
        assert!(text.starts_with("//! "), "{shown} does not open with a sentence");
        let lines = text.lines().count();
        assert!(lines <= FILE_LINES_MAX, "{shown} has {lines} lines: find its seam");
        assert!(!NAMES_THAT_EXPLAIN_NOTHING.contains(&name), "{shown} explains nothing");
        assert!(name != "mod.rs", "{shown} should be named after its module");
    }
}

/// `hold!` runs the properties of mls-core/src/codec_properties.rs.
#[test]
fn every_type_of_the_core_with_a_binary_form_is_held_to_its_properties() {
    let core = root().join("mls-core/src");
    let mut types = 0;
    for file in source_files().iter().filter(|file| file.starts_with(&core)) {
        let text = std::fs::read_to_string(file).unwrap();
        let held = text.split_once("codec_properties::hold!(").map_or("", |(_, rest)| rest);
        let held = held.split(')').next().unwrap_or_default();
        let held: Vec<&str> = held.split(',').map(str::trim).collect();
        for after in text.split("#[derive(").skip(1) {
            let (derived, after) = after.split_once(")]").unwrap();
            if !derived.contains("MlsDecode") {
                continue;
            }
            let words = after.split(|c: char| !c.is_alphanumeric());
            let mut words = words.skip_while(|word| !matches!(*word, "struct" | "enum"));
            let name = words.nth(1).unwrap();
            let known = held.contains(&name) || READ_ONLY.contains(&name);
            assert!(known, "{name} in {} has no properties", file.display());
            types += 1;
        }
    }
    assert!(types > 100, "only {types} types were found");
}

fn direct_dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = run(&["metadata", "--format-version", "1", "--no-deps", "--locked"]);
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    let name = |value: &Value| value["name"].as_str().unwrap().to_owned();
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages
        .map(|p| (name(p), p["dependencies"].as_array().unwrap().iter().map(name).collect()))
        .collect()
}

fn run(arguments: &[&str]) -> String {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo).args(arguments).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn source_files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = ARROWS.iter().map(|(name, _)| root().join(name)).collect();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() && entry.file_name() != "target" {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push(path);
            }
        }
    }
    found
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}
