//! `mls-bridge check` against real servers: no fault where there is none, and each fault by name.

use std::fs;
use std::path::Path;

use mls_core::identity::readable_fingerprint;
use serde_json::json;
use tests::deadline::{STEP, until};
use tests::error::RigError;
use tests::rig::{Options, Rig, own};
use tests::synapse::RateLimits;

/// Runs a flow on a rig as `init` says that it should be.
fn as_init_says(flow: impl FnOnce(&mut Rig) -> Result<(), RigError>) -> Result<(), RigError> {
    own(Options { limits: RateLimits::HubSnippet, ..Options::default() }, flow)
}

/// Replaces text in a configuration of Prosody, and starts Prosody anew with it.
fn reconfigure(rig: &mut Rig, file: &Path, from: &str, to: &str) -> Result<(), RigError> {
    let text = fs::read_to_string(file).map_err(RigError::file("read", file))?;
    assert!(text.contains(from), "no {from:?} in {}", file.display());
    fs::write(file, text.replace(from, to)).map_err(RigError::file("write", file))?;
    rig.prosody.stop()?;
    rig.prosody.start()
}

#[test]
fn check_names_what_is_down_and_finds_no_fault_when_all_is_up() -> Result<(), RigError> {
    own(Options { limits: RateLimits::HubSnippet, ..Options::default() }, |rig| {
        let (good, said) = rig.bridge.check()?;
        assert!(good, "check found a fault in a good installation: {said}");
        rig.prosody.stop()?;
        let (good, said) = rig.bridge.check()?;
        assert!(!good, "check did not notice that Prosody is down: {said}");
        rig.prosody.start()?;
        rig.synapse.stop()?;
        let (good, said) = rig.bridge.check()?;
        assert!(!good, "check did not notice that Synapse is down: {said}");
        rig.synapse.start()
    })
}

/// While it runs, `check` leaves its connection alone.
#[test]
fn check_tries_the_whole_component_while_the_bridge_is_stopped() -> Result<(), RigError> {
    as_init_says(|rig| {
        rig.bridge.stop()?;
        let (good, said) = rig.bridge.check()?;
        assert!(good && said.contains("takes us as"), "a fault in a good installation: {said}");
        let component = rig.bridge.folder().join("prosody.cfg.lua");
        let server = rig.prosody.folder().join("prosody.cfg.lua");
        for (file, text, instead, named) in [
            (&component, "component_secret = \"", "component_secret = \"not ", "component_secret"),
            (&component, "Component \"mls.", "Component \"mlt.", "knows no component"),
            (&server, "modules_enabled = { \"muc_mam\" }", "", "muc_mam"),
            (&server, "\"muc\"\n", "\"muc\"\n restrict_room_creation = true\n", "restrict_room"),
            (&server, "Component \"rooms.", "Component \"halls.", "no multi-user chat service"),
        ] {
            let was = fs::read_to_string(file).map_err(RigError::file("read", file))?;
            reconfigure(rig, file, text, instead)?;
            let (good, said) = rig.bridge.check()?;
            assert!(!good && said.contains(named), "{text:?} as {instead:?} was not named: {said}");
            fs::write(file, was).map_err(RigError::file("write", file))?;
        }
        rig.prosody.stop()?;
        rig.prosody.start()?;
        let (good, said) = rig.bridge.check()?;
        assert!(good, "a fault where all was mended: {said}");
        Ok(())
    })
}

#[test]
fn the_operator_is_shown_the_fingerprint_that_members_pin() -> Result<(), RigError> {
    as_init_says(|rig| {
        let bob = rig.xmpp_bot("bob")?;
        let pinned = || {
            let answer = bob.command(json!({"command": "authorities"}))?;
            let print = answer["authorities"][0]["known"][0]["fingerprint"].as_str();
            Ok(print.map(readable_fingerprint))
        };
        let pinned = until("an authority is pinned", STEP, pinned, String::new)?;
        rig.bridge.wait_logged(&pinned)?;
        rig.bridge.stop()?;
        let (good, said) = rig.bridge.check()?;
        assert!(good && said.contains(&pinned), "{pinned} is not shown: {said}");
        Ok(())
    })
}
