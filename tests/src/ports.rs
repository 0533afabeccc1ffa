//! TCP ports on 127.0.0.1 that are free now, and stay ours while their server is down.

use std::fs::{self, File};
use std::net::TcpListener;

use crate::deadline::{START, until};
use crate::error::RigError;

// Below the range from which Linux takes the near end of outgoing connections (32768 and up):
// otherwise a client that retries while a server is down could itself sit on the server's port.
const FIRST: u16 = 15_000;
const COUNT: u16 = 17_000;
const TRIES: usize = 200;

/// A port that no other rig of this user takes, listened on or not, while this value lives.
#[derive(Debug)]
pub struct Reserved {
    /// The port.
    pub port: u16,
    // Locked; the lock goes with the process, however that ends.
    _lock: File,
}

/// `N` different ports that nobody listens on now.
pub fn reserve<const N: usize>() -> Result<[Reserved; N], RigError> {
    let mut reserved = Vec::new();
    for _ in 0..TRIES {
        if reserved.len() == N {
            break;
        }
        let mut random = [0; 2];
        getrandom::fill(&mut random)
            .map_err(|e| RigError::Machine(format!("the system gives no random bytes: {e}")))?;
        reserved.extend(try_reserve(FIRST + u16::from_le_bytes(random) % COUNT)?);
    }
    reserved.try_into().map_err(|_| {
        let last = FIRST + COUNT;
        RigError::Machine(format!("no {N} free ports on 127.0.0.1 between {FIRST} and {last}"))
    })
}

fn try_reserve(port: u16) -> Result<Option<Reserved>, RigError> {
    let user = rustix::process::geteuid().as_raw();
    let folder = std::env::temp_dir().join(format!("mls-bridge-ports-{user}"));
    fs::create_dir_all(&folder).map_err(RigError::file("make", &folder))?;
    let path = folder.join(port.to_string());
    let lock = File::create(&path).map_err(RigError::file("write", &path))?;
    let ours = lock.try_lock().is_ok() && TcpListener::bind(("127.0.0.1", port)).is_ok();
    Ok(ours.then_some(Reserved { port, _lock: lock }))
}

/// Waits until a server can listen on the port, after its last owner has ended.
pub fn wait_free(port: u16) -> Result<(), RigError> {
    let look = || Ok(TcpListener::bind(("127.0.0.1", port)).is_ok().then_some(()));
    until(&format!("port {port} is free again"), START, look, || {
        "another program of this machine listens on it".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::{reserve, try_reserve};

    #[test]
    fn a_reserved_port_is_given_to_nobody_else_until_it_is_dropped() {
        let [first, second] = reserve().unwrap();
        assert_ne!(first.port, second.port);
        assert!(try_reserve(first.port).unwrap().is_none());
        let port = first.port;
        drop(first);
        assert!(try_reserve(port).unwrap().is_some());
    }
}
