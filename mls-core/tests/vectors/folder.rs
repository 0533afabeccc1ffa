//! Where the vectors are.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Names the folder; `cargo xtask vectors FOLDER` sets it.
const VARIABLE: &str = "MLS_VECTORS_DIR";
/// From the root of the workspace, where nobody names a folder.
const SIBLING: &str = "../shared/vectors";

/// What was found.
#[derive(Debug)]
pub(crate) enum Found {
    /// The folder that was asked for: it must hold vectors.
    Named(PathBuf),
    /// A folder beside the checkout.
    Sibling(PathBuf),
    /// Nothing here.
    Nowhere(PathBuf),
}

pub(crate) fn find() -> Found {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    find_from(std::env::var_os(VARIABLE), root)
}

/// A relative path is meant from where the user is, and tests run in their crate's folder: xtask
/// makes it absolute.
pub(crate) fn find_from(named: Option<OsString>, root: &Path) -> Found {
    if let Some(folder) = named.filter(|folder| !folder.is_empty()) {
        return Found::Named(folder.into());
    }
    let folder = root.join(SIBLING);
    match folder.canonicalize() {
        Ok(folder) if folder.is_dir() => Found::Sibling(folder),
        _ => Found::Nowhere(folder),
    }
}

/// The `*.json` files directly in a folder, by name.
pub(crate) fn json_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", folder.display()));
    let mut files: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .collect();
    files.sort();
    files
}
