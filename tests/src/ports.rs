//! Free TCP ports on 127.0.0.1.

use std::net::TcpListener;

use crate::error::RigError;

// Below the range from which Linux takes the near end of outgoing connections (32768 and up):
// otherwise a client that retries while a server is down could itself sit on the server's port.
const FIRST: u16 = 15_000;
const COUNT: u16 = 17_000;
const TRIES: usize = 200;

/// `N` different ports that nobody listens on now.
pub fn free<const N: usize>() -> Result<[u16; N], RigError> {
    let mut held: Vec<(u16, TcpListener)> = Vec::new();
    for _ in 0..TRIES {
        if held.len() == N {
            break;
        }
        let mut random = [0; 2];
        getrandom::fill(&mut random)
            .map_err(|e| RigError::Machine(format!("the system gives no random bytes: {e}")))?;
        let port = FIRST + u16::from_le_bytes(random) % COUNT;
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
            held.push((port, listener));
        }
    }
    let ports: Vec<u16> = held.iter().map(|(port, _)| *port).collect();
    ports.try_into().map_err(|_| {
        RigError::Machine(format!(
            "no {N} free ports on 127.0.0.1 between {FIRST} and {}",
            FIRST + COUNT
        ))
    })
}
