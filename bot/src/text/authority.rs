//! The authorities that this device goes by, for people.

use mls_core::identity::readable_fingerprint;

use crate::json::{AuthorityLine, CertificateLine};

use super::plain;

/// All of them, with their fingerprints.
pub(super) fn all(authorities: &[AuthorityLine]) -> String {
    if authorities.is_empty() {
        return "no authorities are known".to_owned();
    }
    authorities.iter().map(one).collect::<Vec<_>>().join("\n")
}

fn one(authority: &AuthorityLine) -> String {
    let from = match authority.source {
        "hub" => "named by its own hub at first use",
        "person" => "accepted by you",
        _ => "vouched for by another domain's hub",
    };
    let mut lines = vec![format!("{}: {from}", plain(&authority.domain))];
    lines.extend(authority.known.iter().map(|one| print("known  ", one)));
    lines.extend(authority.offered.iter().map(|one| print("offered", one)));
    lines.join("\n")
}

fn print(what: &str, certificate: &CertificateLine) -> String {
    format!("      {what}  {}", readable_fingerprint(&certificate.fingerprint))
}

/// Others are named than are known.
pub(super) fn changed(domain: &str, known: &[String], named: &[String], whose: &str) -> String {
    let list = |prints: &[String]| {
        let new = prints.iter().map(|print| readable_fingerprint(print));
        new.collect::<Vec<_>>().join(", ")
    };
    let domain = plain(domain);
    let what = match named.iter().all(|print| known.contains(print)) {
        true => "names fewer authorities of",
        false => "names another authority of",
    };
    format!(
        "warning: {whose} {what} {domain} than this device knows\n      \
         known    {}\n      named    {}\n      \
         compare that with what the operator of {domain} shows; `trust {domain} FINGERPRINT` accepts it",
        list(known),
        list(named)
    )
}
