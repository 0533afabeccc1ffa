//! Random passwords, names and ids.

use crate::error::RigError;

/// `bytes` random bytes as lower-case hex.
pub fn random_hex(bytes: usize) -> Result<String, RigError> {
    let mut buffer = vec![0; bytes];
    getrandom::fill(&mut buffer)
        .map_err(|e| RigError::Machine(format!("the system gives no random bytes: {e}")))?;
    Ok(hex::encode(buffer))
}
