//! Somebody on the way between a client and its server, who flips one bit of base64.

mod aim;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::error::RigError;

pub use aim::Aim;

/// Bytes that come within this time belong together: a rule sees a request or a stanza whole.
const QUIET: Duration = Duration::from_millis(15);
const TOGETHER_MAX: usize = 1 << 20;

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
}

/// Where to flip a bit, once.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Which way.
    pub way: Way,
    /// Texts that stand before the base64, in this order, with anything between.
    pub needles: Vec<String>,
    /// Where in the base64.
    pub aim: Aim,
}

/// A TCP proxy on 127.0.0.1 for connections without TLS.
#[derive(Debug)]
pub struct Proxy {
    /// Its port.
    pub port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    rule: Mutex<Option<Rule>>,
    changed: AtomicUsize,
}

impl Proxy {
    /// Starts a proxy to a port of this machine; it changes nothing until it has a rule.
    pub fn start(target: u16) -> Result<Self, RigError> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(RigError::io("proxy"))?;
        let port = listener.local_addr().map_err(RigError::io("proxy"))?.port();
        let shared = Arc::new(Shared::default());
        let for_thread = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if let Ok(server) = TcpStream::connect(("127.0.0.1", target)) {
                    for_thread.join(client, server);
                }
            }
        });
        Ok(Self { port, shared })
    }

    /// Flips one bit at the next place where the rule fits.
    pub fn change_once(&self, rule: Rule) {
        *self.shared.rule.lock().unwrap_or_else(PoisonError::into_inner) = Some(rule);
    }

    /// How many bits it has flipped so far.
    pub fn changed(&self) -> usize {
        self.shared.changed.load(Ordering::SeqCst)
    }
}

impl Shared {
    fn join(self: &Arc<Self>, client: TcpStream, server: TcpStream) {
        let (Ok(client_too), Ok(server_too)) = (client.try_clone(), server.try_clone()) else {
            return;
        };
        for (way, from, to) in [(Way::Up, client, server_too), (Way::Down, server, client_too)] {
            let shared = Arc::clone(self);
            thread::spawn(move || {
                // A connection that breaks on one side is broken on the other.
                let _ended = shared.pass(way, &from, &to);
                let _ended = to.shutdown(Shutdown::Both);
            });
        }
    }

    fn pass(&self, way: Way, mut from: &TcpStream, mut to: &TcpStream) -> std::io::Result<()> {
        let mut buffer = vec![0; 65_536];
        loop {
            let mut together = Vec::new();
            from.set_read_timeout(None)?;
            loop {
                match from.read(&mut buffer) {
                    Ok(0) => return to.write_all(&together),
                    Ok(count) => together.extend(buffer.iter().take(count)),
                    Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                    Err(e) => return Err(e),
                }
                if together.len() > TOGETHER_MAX {
                    break;
                }
                from.set_read_timeout(Some(QUIET))?;
            }
            self.change(way, &mut together);
            to.write_all(&together)?;
        }
    }

    fn change(&self, way: Way, bytes: &mut [u8]) {
        let mut rule = self.rule.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = rule.as_ref().filter(|rule| rule.way == way);
        if fits.is_some_and(|rule| rule.apply(bytes).is_some()) {
            *rule = None;
            self.changed.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl Rule {
    /// Flips the bit; `None` where the rule does not fit.
    fn apply(&self, bytes: &mut [u8]) -> Option<()> {
        let mut at = 0;
        for needle in &self.needles {
            let rest = bytes.get(at..)?;
            let found = rest.windows(needle.len()).position(|w| w == needle.as_bytes())?;
            at += found + needle.len();
        }
        self.aim.flip(bytes.get_mut(at..)?)
    }
}

#[cfg(test)]
mod tests {
    use super::{Aim, Rule, Shared, Way};

    #[test]
    fn one_character_is_changed_once_and_only_that_way() {
        let shared = Shared::default();
        let needles = ["<submit", "<commit", ">"].map(str::to_owned).to_vec();
        *shared.rule.lock().unwrap() = Some(Rule { way: Way::Up, needles, aim: Aim::SOMEWHERE });
        let text = format!("<submit a='1'><commit>{}</commit>", "x".repeat(100)).into_bytes();
        let mut bytes = text.clone();
        shared.change(Way::Down, &mut bytes);
        assert_eq!(bytes, text);
        shared.change(Way::Up, &mut bytes);
        let differ: Vec<usize> = (0..text.len()).filter(|i| text[*i] != bytes[*i]).collect();
        assert_eq!(differ, ["<submit a='1'><commit>".len() + 40]);
        let once = bytes.clone();
        shared.change(Way::Up, &mut bytes);
        assert_eq!(bytes, once);
    }
}
