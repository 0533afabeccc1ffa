//! The Prosody configuration: each domain's host and multi-user chats, the hubs' components, no federation.

use std::fs;
use std::path::{Path, PathBuf};

use super::Ports;
use crate::domain::Domain;
use crate::error::RigError;

/// Writes prosody.cfg.lua into `folder` and returns its path.
pub(super) fn write(
    folder: &Path,
    ports: Ports,
    domains: &[&Domain],
    bridges: &[&Path],
) -> Result<PathBuf, RigError> {
    let data = folder.join("data");
    fs::create_dir_all(&data).map_err(RigError::file("make", &data))?;
    let path = folder.join("prosody.cfg.lua");
    let text = text(folder, ports, domains, bridges);
    fs::write(&path, text).map_err(RigError::file("write", &path))?;
    Ok(path)
}

fn text(folder: &Path, ports: Ports, domains: &[&Domain], bridges: &[&Path]) -> String {
    let folder = folder.display();
    let include = |bridge: &&Path| format!("Include \"{}/prosody.cfg.lua\"\n", bridge.display());
    let host = |domain: &&Domain| {
        format!(
            "VirtualHost \"{}\"\n\nComponent \"{}\" \"muc\"\n  modules_enabled = {{ \"muc_mam\" }}\n\n",
            domain.xmpp,
            domain.rooms()
        )
    };
    let hosts: String = domains.iter().map(host).collect();
    let components: String = bridges.iter().map(include).collect();
    let Ports { client, component: component_port } = ports;
    let root = rustix::process::geteuid().is_root();
    format!(
        r#"run_as_root = {root}
data_path = "{folder}/data"
pidfile = "{folder}/prosody.pid"
admin_socket = "{folder}/prosody.sock"
log = {{ debug = "{folder}/prosody.log" }}
interfaces = {{ "127.0.0.1" }}
local_interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {client} }}
c2s_direct_tls_ports = {{}}
legacy_ssl_ports = {{}}
s2s_ports = {{}}
s2s_direct_tls_ports = {{}}
http_ports = {{}}
https_ports = {{}}
component_ports = {{ {component_port} }}
component_interfaces = {{ "127.0.0.1" }}
component_conflict_resolve = "kick_old"
authentication = "internal_hashed"
storage = "internal"
-- Loopback only: no certificate, no encryption.
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
modules_enabled = {{
  "roster", "saslauth", "disco", "carbons", "pep", "private", "blocklist", "vcard4",
  "vcard_legacy", "ping", "time", "version", "mam", "smacks", "csi_simple", "admin_shell",
}}
modules_disabled = {{ "s2s", "tls" }}

{hosts}{components}"#
    )
}
