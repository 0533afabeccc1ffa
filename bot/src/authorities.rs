//! Whose certificates this device goes by: shown, and changed by a person's word.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use mls_core::group_settings::Settings;
use mls_core::identity::{TrustAnchor, TrustAnchors};
use mls_core::limits::CERTIFICATE_BYTES_MAX;
use mls_core::member::{Command, DomainAnchors, DomainAnchorsCommand, GroupSummary};
use mls_core::wire::Digest;

use crate::exit::Exit;

/// Digits of a fingerprint that must at least be given: 128 bits of it, as they are shown.
pub(crate) const SHORT_DIGITS: usize = 32;
/// Digits between two spaces of a fingerprint.
const DIGITS_TOGETHER: usize = 4;

/// The authorities of a domain, by a person's word.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("which").required(true).multiple(false)))]
pub struct Trust {
    /// The domain, such as example.org
    pub domain: String,
    /// Fingerprints of all its authorities, in quotes where they have spaces; each must be one that
    /// `authorities` or `members GROUP` shows
    #[arg(group = "which", value_name = "FINGERPRINT")]
    pub fingerprints: Vec<String>,
    /// File that holds the certificate of its only authority (X.509, DER), as the operator gave it
    #[arg(long, group = "which", value_name = "FILE")]
    pub certificate: Option<PathBuf>,
}

impl Trust {
    /// The command that it means, from what this device knows.
    pub(crate) fn command(
        &self,
        known: &[DomainAnchors],
        groups: &[GroupSummary],
    ) -> Result<Command, Exit> {
        let anchors = match &self.certificate {
            Some(file) => {
                let certificate = read_certificate(file)?;
                vec![TrustAnchor { domain: self.domain.clone(), certificate }]
            }
            None => {
                let named = named(known, groups);
                let of_domain: Vec<_> =
                    named.into_iter().filter(|anchor| anchor.domain == self.domain).collect();
                let find = |typed: &String| find(typed, &of_domain);
                self.fingerprints.iter().map(find).collect::<Result<_, _>>()?
            }
        };
        let (domain, anchors) = (self.domain.clone(), TrustAnchors(anchors));
        Ok(Command::TrustAnchors(DomainAnchorsCommand { domain, anchors }))
    }
}

/// Puts authorities that are named on the command line into a change of settings.
pub(crate) fn into_settings(
    settings: &mut Settings,
    add_domains: &[String],
    remove: &[String],
    known: &[DomainAnchors],
    groups: &[GroupSummary],
) -> Result<(), Exit> {
    for domain in add_domains {
        let of_domain = known.iter().find(|known| known.domain == *domain).ok_or_else(|| {
            Exit::Usage(format!("no authority of {domain} is known; `trust` makes one known"))
        })?;
        settings.anchors_add.extend(of_domain.known.0.iter().cloned());
    }
    let named = named(known, groups);
    for typed in remove {
        settings.anchors_remove.push(find(typed, &named)?.fingerprint());
    }
    Ok(())
}

/// A fingerprint as people read it: 128 bits in groups of four digits.
pub(crate) fn readable(fingerprint: &str) -> String {
    let short: Vec<char> = fingerprint.chars().take(SHORT_DIGITS).collect();
    let together = short.chunks(DIGITS_TOGETHER).map(|four| four.iter().collect::<String>());
    together.collect::<Vec<_>>().join(" ")
}

/// All anchors that this device was ever told of, and has not forgotten.
fn named(known: &[DomainAnchors], groups: &[GroupSummary]) -> Vec<TrustAnchor> {
    let pinned = known.iter().flat_map(|known| known.known.0.iter().chain(&known.offered.0));
    let of_groups = groups.iter().flat_map(|group| &group.anchors).map(|named| &named.anchor);
    let mut named: Vec<TrustAnchor> = Vec::new();
    for anchor in pinned.chain(of_groups) {
        if !named.contains(anchor) {
            named.push(anchor.clone());
        }
    }
    named
}

fn find(typed: &str, named: &[TrustAnchor]) -> Result<TrustAnchor, Exit> {
    let digits: String =
        typed.chars().filter(char::is_ascii_hexdigit).collect::<String>().to_ascii_lowercase();
    if digits.len() < SHORT_DIGITS {
        let why = format!("a fingerprint has at least {SHORT_DIGITS} hexadecimal digits: {typed}");
        return Err(Exit::Usage(why));
    }
    let shown = |fingerprint: Digest| fingerprint.to_string().starts_with(&digits);
    let found = named.iter().find(|anchor| shown(anchor.fingerprint()));
    found.cloned().ok_or_else(|| {
        Exit::Usage(format!("nobody has named an authority with the fingerprint {typed}"))
    })
}

fn read_certificate(file: &Path) -> Result<Vec<u8>, Exit> {
    let cannot = |why: String| Exit::Failed(format!("{}: {why}", file.display()));
    let length = fs::metadata(file).map_err(|e| cannot(e.to_string()))?.len();
    if length > CERTIFICATE_BYTES_MAX as u64 {
        return Err(cannot(format!("longer than {CERTIFICATE_BYTES_MAX} bytes")));
    }
    fs::read(file).map_err(|e| cannot(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anchor(byte: u8) -> TrustAnchor {
        TrustAnchor { domain: "d".to_owned(), certificate: vec![byte] }
    }

    #[test]
    fn a_fingerprint_is_found_as_it_is_shown_and_not_by_less() {
        let named = [anchor(1), anchor(2)];
        let shown = readable(&named[1].fingerprint().to_string());
        assert_eq!(shown.len(), 39, "{shown}");
        assert_eq!(find(&shown, &named).unwrap(), named[1]);
        assert_eq!(find(&shown.to_uppercase(), &named).unwrap(), named[1]);
        assert!(matches!(find(&shown[..20], &named), Err(Exit::Usage(_))));
        assert!(matches!(find(&shown, &named[..1]), Err(Exit::Usage(_))));
    }
}
