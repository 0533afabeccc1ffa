//! Whose certificates this device goes by: shown, and changed by a person's word.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use mls_core::address::Network;
use mls_core::group_settings::Settings;
use mls_core::identity::{FINGERPRINT_DIGITS, TrustAnchor, TrustAnchors};
use mls_core::member::{
    AskAuthorities, Command, DomainAnchors, DomainAnchorsCommand, GroupSummary,
};
use mls_core::wire::Digest;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::exit::Exit;
use crate::session::usual_hub;

/// More than a certificate within the bounds has in PEM, with some words around it.
const CERTIFICATE_FILE_BYTES_MAX: u64 = 16 * 1024;

/// The authorities that are known, perhaps after another hub was asked.
#[derive(Debug, Args)]
pub struct Authorities {
    /// Ask the hub of this domain first, such as example.org
    #[arg(long, value_name = "DOMAIN")]
    pub ask: Option<String>,
    /// Where that hub is, in this account's network; without it `@mls:` or `mls.` and the domain
    #[arg(long, value_name = "ADDRESS", requires = "ask")]
    pub hub: Option<String>,
}

impl Authorities {
    /// The command that it means, if anybody is to be asked.
    pub(crate) fn command(self, network: Network) -> Option<Command> {
        let domain = self.ask?;
        let hub = self.hub.unwrap_or_else(|| usual_hub(network, &domain));
        Some(Command::AskAuthorities(AskAuthorities { domain, hub }))
    }
}

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
    /// File that holds the certificate of its only authority (X.509, PEM or DER), as its operator gave it
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
    if digits.len() < FINGERPRINT_DIGITS {
        let why =
            format!("a fingerprint has at least {FINGERPRINT_DIGITS} hexadecimal digits: {typed}");
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
    if length > CERTIFICATE_FILE_BYTES_MAX {
        return Err(cannot(format!("longer than {CERTIFICATE_FILE_BYTES_MAX} bytes")));
    }
    let bytes = fs::read(file).map_err(|e| cannot(e.to_string()))?;
    let pem = CertificateDer::from_pem_slice(&bytes);
    Ok(pem.map_or(bytes.clone(), |certificate| certificate.to_vec()))
}

#[cfg(test)]
mod tests {
    use mls_core::identity::readable_fingerprint;

    use super::*;

    fn anchor(byte: u8) -> TrustAnchor {
        TrustAnchor { domain: "d".to_owned(), certificate: vec![byte] }
    }

    #[test]
    fn a_fingerprint_is_found_as_it_is_shown_and_not_by_less() {
        let named = [anchor(1), anchor(2)];
        let shown = readable_fingerprint(&named[1].fingerprint().to_string());
        assert_eq!(shown.len(), 39, "{shown}");
        assert_eq!(find(&shown, &named).unwrap(), named[1]);
        assert_eq!(find(&shown.to_uppercase(), &named).unwrap(), named[1]);
        assert!(matches!(find(&shown[..20], &named), Err(Exit::Usage(_))));
        assert!(matches!(find(&shown, &named[..1]), Err(Exit::Usage(_))));
    }

    #[test]
    fn a_certificate_is_read_as_pem_and_as_der() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("root");
        let der = [0x30, 3, 2, 1, 7];
        let pem = "-----BEGIN CERTIFICATE-----\nMAMCAQc=\n-----END CERTIFICATE-----\n";
        for form in [der.as_slice(), pem.as_bytes()] {
            fs::write(&file, form).unwrap();
            assert_eq!(read_certificate(&file).unwrap(), der);
        }
    }
}
