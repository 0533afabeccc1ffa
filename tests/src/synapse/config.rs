//! The smallest homeserver.yaml that serves clients on loopback and speaks to nobody else.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::SERVER_NAME;
use crate::error::RigError;
use crate::secret::random_hex;

/// Writes homeserver.yaml, the log configuration and the signing key; returns the first's path.
pub(super) fn write(
    folder: &Path,
    port: u16,
    bridges: &[&Path],
    secret: &str,
) -> Result<PathBuf, RigError> {
    fs::create_dir_all(folder).map_err(RigError::file("make", folder))?;
    let seed = hex::decode(random_hex(32)?).unwrap_or_default();
    save(folder, "signing.key", &format!("ed25519 a_rig {}\n", STANDARD_NO_PAD.encode(seed)))?;
    save(folder, "log.yaml", &log_config(folder))?;
    save(folder, "homeserver.yaml", &homeserver(folder, port, bridges, secret)?)
}

fn homeserver(
    folder: &Path,
    port: u16,
    bridges: &[&Path],
    secret: &str,
) -> Result<String, RigError> {
    let folder = folder.display();
    let named = |bridge: &&Path| format!("\"{}/registration.yaml\"", bridge.display());
    let registrations = bridges.iter().map(named).collect::<Vec<_>>().join(", ");
    let (macaroon, form) = (random_hex(16)?, random_hex(16)?);
    Ok(format!(
        r#"server_name: "{SERVER_NAME}"
pid_file: "{folder}/synapse.pid"
listeners:
  - port: {port}
    bind_addresses: ["127.0.0.1"]
    type: http
    tls: false
    resources: [{{ names: [client] }}]
database:
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
federation_domain_whitelist: []
app_service_config_files: [{registrations}]
"#
    ))
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
