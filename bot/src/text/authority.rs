//! The authorities that this device goes by, for people.

use crate::authorities::readable;
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
    format!("      {what}  {}", readable(&certificate.fingerprint))
}

/// Others are named than are known.
pub(super) fn changed(domain: &str, known: &[String], named: &[String], whose: &str) -> String {
    let list = |prints: &[String]| {
        let new = prints.iter().map(|print| readable(print));
        new.collect::<Vec<_>>().join(", ")
    };
    let domain = plain(domain);
    format!(
        "warning: {whose} names another authority of {domain} than this device knows\n      \
         known    {}\n      named    {}\n      \
         compare it with what the operator of {domain} shows; `trust {domain} FINGERPRINT` accepts it",
        list(known),
        list(named)
    )
}
