//! `cargo xtask vectors`: the passive-client vectors of the MLS working group.

use std::path::PathBuf;

use clap::Args;
use tests::error::RigError;

use crate::{cargo, failed, progress};

/// Read by `mls-core/tests/vectors/folder.rs`.
const FOLDER_VARIABLE: &str = "MLS_VECTORS_DIR";

pub(crate) const TEACHES: &str = "\
A vector is a client's private keys and what it receives: a Welcome, then proposals and commits. It
passes when each epoch has the authenticator that another implementation reached. Each message is
processed on the group as our storage has it, by a client that was started for it.

The vectors are not part of this repository. Get them, and run all of them:
  git clone https://github.com/mlswg/mls-implementations
  cargo xtask vectors mls-implementations/test-vectors

Every *.json file in the folder with the schema of passive-client-*.json is run; others are named.
Without FOLDER, MLS_VECTORS_DIR names it, or it is ../shared/vectors beside the checkout; where that
is missing, the vectors are skipped. Cases of a suite that the crypto provider lacks are skipped and
counted. Fails when a case fails, and when a folder that was named holds no vectors.
`cargo xtask test` runs the same.";

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Where the vectors are
    folder: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), RigError> {
    // The test runs elsewhere, so a relative path would be another one there.
    let named = std::env::var_os(FOLDER_VARIABLE).filter(|folder| !folder.is_empty());
    let folder = arguments.folder.clone().or(named.map(PathBuf::from));
    let folder = folder
        .map(|folder| folder.canonicalize().map_err(RigError::file("open", &folder)))
        .transpose()?
        .map(|folder| folder.to_string_lossy().into_owned());
    progress::step("Compiling mls-core and the vectors' runner");
    progress::end();
    let words = ["test", "--quiet", "--workspace", "--test", "vectors", "--locked"];
    cargo::run(&words, folder.as_deref().map(|folder| (FOLDER_VARIABLE, folder)))
        .map_err(|_| failed("not all vectors passed"))
}
