//! The smallest homeserver.yaml that serves clients on loopback and speaks to nobody else, or to others on
//! loopback.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::domain::Domain;
use crate::error::RigError;
use crate::secret::random_hex;

/// Writes homeserver.yaml, the log configuration and the signing key; returns the first's path.
pub(super) fn write(
    folder: &Path,
    port: u16,
    domain: &Domain,
    bridges: &[&Path],
    secret: &str,
) -> Result<PathBuf, RigError> {
    fs::create_dir_all(folder).map_err(RigError::file("make", folder))?;
    let seed = hex::decode(random_hex(32)?).unwrap_or_default();
    save(folder, "signing.key", &format!("ed25519 a_rig {}\n", STANDARD_NO_PAD.encode(seed)))?;
    save(folder, "log.yaml", &log_config(folder))?;
    save(folder, "homeserver.yaml", &homeserver(folder, port, domain, bridges, secret)?)
}

fn homeserver(
    folder: &Path,
    port: u16,
    domain: &Domain,
    bridges: &[&Path],
    secret: &str,
) -> Result<String, RigError> {
    let (listener, federation) = match domain.federation {
        Some(port) => federated(folder, port)?,
        None => (String::new(), "federation_domain_whitelist: []\n".to_owned()),
    };
    let (folder, server_name) = (folder.display(), &domain.matrix);
    let named = |bridge: &&Path| format!("\"{}/registration.yaml\"", bridge.display());
    let registrations = bridges.iter().map(named).collect::<Vec<_>>().join(", ");
    let (macaroon, form) = (random_hex(16)?, random_hex(16)?);
    Ok(format!(
        r#"server_name: "{server_name}"
pid_file: "{folder}/synapse.pid"
listeners:
  - port: {port}
    bind_addresses: ["127.0.0.1"]
    type: http
    tls: false
    resources: [{{ names: [client] }}]
{listener}database:
  name: sqlite3
  args: {{ database: "{folder}/homeserver.db" }}
log_config: "{folder}/log.yaml"
media_store_path: "{folder}/media"
signing_key_path: "{folder}/signing.key"
registration_shared_secret: "{secret}"
macaroon_secret_key: "{macaroon}"
form_secret: "{form}"
report_stats: false
suppress_key_server_warning: true
trusted_key_servers: []
{federation}app_service_config_files: [{registrations}]
"#
    ))
}

/// A listener for other homeservers of this machine, and what lets it speak to these: their certificates are their
/// own, their addresses loopback's.
fn federated(folder: &Path, port: u16) -> Result<(String, String), RigError> {
    let names = vec!["127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names);
    let made = made.map_err(|e| RigError::Machine(format!("no certificate for Synapse: {e}")))?;
    let certificate = save(folder, "federation.crt", &made.cert.pem())?;
    let key = save(folder, "federation.key", &made.signing_key.serialize_pem())?;
    let listener = format!(
        r#"  - port: {port}
    bind_addresses: ["127.0.0.1"]
    type: http
    tls: true
    resources: [{{ names: [federation] }}]
tls_certificate_path: "{}"
tls_private_key_path: "{}"
"#,
        certificate.display(),
        key.display()
    );
    let federation = "federation_verify_certificates: false\nip_range_blacklist: []\n";
    Ok((listener, federation.to_owned()))
}

fn log_config(folder: &Path) -> String {
    format!(
        r#"version: 1
formatters:
  precise: {{ format: "%(asctime)s %(name)s %(levelname)s %(message)s" }}
handlers:
  file: {{ class: logging.FileHandler, formatter: precise, filename: "{}/homeserver.log" }}
root: {{ level: INFO, handlers: [file] }}
disable_existing_loggers: false
"#,
        folder.display()
    )
}

/// Writes a second configuration that replaces every rate limit that a test could meet.
pub(super) fn write_lifted_limits(folder: &Path) -> Result<PathBuf, RigError> {
    let many = "{ per_second: 10000, burst_count: 10000 }";
    let mut text = String::new();
    for name in ["rc_message", "rc_registration", "rc_admin_redaction", "rc_room_creation"] {
        text += &format!("{name}: {many}\n");
    }
    for (name, parts) in [
        ("rc_login", &["address", "account", "failed_attempts"][..]),
        ("rc_joins", &["local", "remote"]),
        ("rc_joins_per_room", &[]),
        ("rc_invites", &["per_room", "per_user", "per_issuer"]),
    ] {
        if parts.is_empty() {
            text += &format!("{name}: {many}\n");
        } else {
            text += &format!("{name}:\n");
            parts.iter().for_each(|part| text += &format!("  {part}: {many}\n"));
        }
    }
    save(folder, "lifted-limits.yaml", &text)
}

fn save(folder: &Path, name: &str, text: &str) -> Result<PathBuf, RigError> {
    let path = folder.join(name);
    fs::write(&path, text).map_err(RigError::file("write", &path))?;
    Ok(path)
}
