//! `cargo xtask bench`: not there yet, and it says so.

use tests::error::RigError;

use crate::failed;

pub(crate) fn run() -> Result<(), RigError> {
    Err(failed("there is no benchmark yet: nothing was measured"))
}
