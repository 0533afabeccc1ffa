//! What both connections need of HTTP: the rule about clear connections, transaction ids, waiting.

use std::net::IpAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mls_core::engine::sha256_parts;
use url::{Host, Url};

/// One HTTP request, but for the long poll of /sync.
pub(crate) const REQUEST_DEADLINE: Duration = Duration::from_secs(60);
/// Setting up a connection.
pub(crate) const CONNECT_DEADLINE: Duration = Duration::from_secs(10);
/// The first wait after a failure; each next one is twice as long.
const BACKOFF_FIRST: Duration = Duration::from_millis(250);
/// The longest wait.
const BACKOFF_MAX: Duration = Duration::from_secs(30);

/// Whether nobody between us and `url` can read along: TLS, or this machine only. A name other
/// than `localhost` may lead anywhere.
pub fn is_protected(url: &Url) -> bool {
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    };
    (url.scheme() == "https" && url.has_host()) || (url.scheme() == "http" && loopback)
}

/// A transaction id that is the same for the same cause: base64url SHA-256 of the parts.
pub(crate) fn transaction_id(parts: &[&[u8]]) -> String {
    URL_SAFE_NO_PAD.encode(sha256_parts(parts).0)
}

/// Waits that grow after each failure.
#[derive(Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The next wait, at least as long as the server asked for (in milliseconds).
    pub(crate) fn next(&mut self, asked_ms: Option<u64>) -> Duration {
        let grown = BACKOFF_FIRST.saturating_mul(1 << self.failures.min(8)).min(BACKOFF_MAX);
        self.failures = self.failures.saturating_add(1);
        grown.max(Duration::from_millis(asked_ms.unwrap_or(0)))
    }

    /// It works again.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clear_connections_are_for_loopback_only() {
        for (url, protected) in [
            ("https://example.org", true),
            ("http://localhost:8008", true),
            ("http://127.0.0.1:8008", true),
            ("http://[::1]:8008", true),
            ("http://example.org", false),
            ("http://10.0.0.1", false),
            ("http://localhost.example.org", false),
            ("ftp://localhost", false),
        ] {
            assert_eq!(is_protected(&Url::parse(url).unwrap()), protected, "{url}");
        }
    }

    #[test]
    fn waits_grow_up_to_a_bound_and_never_undercut_the_server() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..12).map(|_| backoff.next(None)).collect();
        assert!(waits.is_sorted());
        assert_eq!(waits.last(), Some(&BACKOFF_MAX));
        assert_eq!(backoff.next(Some(333_000)), Duration::from_secs(333));
        backoff.reset();
        assert_eq!(backoff.next(None), BACKOFF_FIRST);
    }
}
