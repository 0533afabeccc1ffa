//! A bit that flips on the way to the hub, or back, is noticed, and no group stalls.

mod deliveries;
mod submissions;

use tests::bot::{Account, Bot};
use tests::error::RigError;
use tests::rig::Rig;
use tests::tamper::Proxy;

/// The account, reached through a proxy in front of its server.
fn behind(proxy: &Proxy, account: &Account, server: u16) -> Account {
    let (server, proxy) = (format!(":{server}"), format!(":{}", proxy.port));
    let login = account.login.iter().map(|word| word.replace(&server, &proxy)).collect();
    Account { login, ..account.clone() }
}

/// A Matrix bot and the proxy in front of its homeserver.
pub(crate) fn matrix_bot_behind(rig: &Rig, name: &str) -> Result<(Bot, Proxy), RigError> {
    let proxy = Proxy::start(rig.synapse.port)?;
    let account = behind(&proxy, &rig.matrix_user(name)?, rig.synapse.port);
    Ok((rig.device(&account, "behind")?, proxy))
}

/// An XMPP bot and the proxy in front of its server.
pub(crate) fn xmpp_bot_behind(rig: &Rig, name: &str) -> Result<(Bot, Proxy), RigError> {
    let proxy = Proxy::start(rig.prosody.ports.client)?;
    let account = behind(&proxy, &rig.xmpp_user(name)?, rig.prosody.ports.client);
    Ok((rig.device(&account, "behind")?, proxy))
}
