//! `cargo xtask ci`: everything that must hold before a change goes in.

use tests::error::RigError;

use crate::{cargo, progress, test};

pub(crate) fn run() -> Result<(), RigError> {
    progress::step("Formatting");
    progress::end();
    cargo::run(&["fmt", "--all", "--check"], None)?;
    cargo::run(
        &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"],
        None,
    )?;
    cargo::run(
        &["doc", "--workspace", "--no-deps", "--locked"],
        Some(("RUSTDOCFLAGS", "-D warnings")),
    )?;
    test::run(&test::Arguments::default())
}
