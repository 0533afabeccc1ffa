//! Opens a component's stream: TCP, the header, the handshake (XEP-0114 3).

use std::io;
use std::net::{IpAddr, SocketAddr};

use minidom::Element;
use sha1::{Digest as _, Sha1};
use thiserror::Error;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

use super::ComponentSetup;
use crate::limits::CONNECT_DEADLINE;
use crate::mapping::Build;
use crate::mapping::namespace::{CLIENT, COMPONENT, STREAM};
use crate::stream::{self, Frame, StanzaReader, stream_error};

/// Why there is no component connection; each says how to mend it.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The operator's fault, in our configuration.
    #[error("{0:?} is not host:port; write for example 127.0.0.1:5347")]
    Address(String),
    /// The operator's fault, in our configuration.
    #[error("{0:?} is not a domain; write for example mls.example.org")]
    Domain(String),
    /// The stream is not encrypted.
    #[error(
        "{0} is not on this machine, and a component's stream is not encrypted: \
        run mls-bridge beside the XMPP server, or forward the port through a tunnel"
    )]
    NotLoopback(String),
    /// The server is not there (yet).
    #[error(
        "the component port {address} does not answer ({why}): is the XMPP server running, and \
        are `component_ports` and `component_interfaces` in its configuration set accordingly?"
    )]
    Unreachable {
        /// The address as it was configured.
        address: String,
        /// What the system says.
        why: String,
    },
    /// The server's configuration lacks the component.
    #[error(
        "the XMPP server knows no component {0}: add the section `Component \"{0}\"` that \
        `mls-bridge init` wrote to its configuration, and reload it"
    )]
    UnknownDomain(String),
    /// The secrets differ.
    #[error(
        "the XMPP server does not accept our secret: `component_secret` in its configuration \
        and in ours must be the same"
    )]
    WrongSecret,
    /// Somebody else is connected under our name.
    #[error(
        "another process is connected as this component: stop it, or set \
        `component_conflict_resolve = \"kick_old\"` in the XMPP server's configuration"
    )]
    Conflict,
    /// Something else.
    #[error("the XMPP server refuses the component: {0}")]
    Refused(String),
}

pub(super) type ComponentStream = (StanzaReader<BufReader<OwnedReadHalf>>, OwnedWriteHalf);

/// Looks for mistakes that waiting cannot mend.
pub(super) fn validate(setup: &ComponentSetup) -> Result<(), OpenError> {
    let not_an_address = || OpenError::Address(setup.address.clone());
    let (host, port) = setup.address.rsplit_once(':').ok_or_else(not_an_address)?;
    port.parse::<u16>().map_err(|_| not_an_address())?;
    let ip = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    if ip.is_ok_and(|ip| !ip.is_loopback()) {
        return Err(OpenError::NotLoopback(setup.address.clone()));
    }
    for domain in [&setup.domain, &setup.muc_service, &setup.xmpp_domain] {
        // A JID that is only a domain, and already as servers write it. Some of what a JID may
        // hold, no domain has and XML would have to escape.
        let same = jid::BareJid::new(domain).is_ok_and(|jid| jid.to_string() == **domain);
        let strange = |c: char| c.is_whitespace() || c.is_control() || "@/<>&'\"".contains(c);
        if !same || domain.contains(strange) {
            return Err(OpenError::Domain(domain.clone()));
        }
    }
    Ok(())
}

/// Connects and authenticates.
pub(super) async fn open(setup: &ComponentSetup) -> Result<ComponentStream, OpenError> {
    let unreachable = |error: io::Error| OpenError::Unreachable {
        address: setup.address.clone(),
        why: error.to_string(),
    };
    let opened = async {
        let connection = connect(setup).await?;
        connection.set_nodelay(true).map_err(unreachable)?;
        handshake(setup, connection).await
    };
    let too_late = || unreachable(io::ErrorKind::TimedOut.into());
    timeout(CONNECT_DEADLINE, opened).await.map_err(|_| too_late())?
}

async fn connect(setup: &ComponentSetup) -> Result<TcpStream, OpenError> {
    let unreachable = |error: io::Error| OpenError::Unreachable {
        address: setup.address.clone(),
        why: error.to_string(),
    };
    let found = tokio::net::lookup_host(&*setup.address).await.map_err(unreachable)?;
    let addresses: Vec<SocketAddr> = found.collect();
    if addresses.iter().any(|address| !address.ip().is_loopback()) {
        return Err(OpenError::NotLoopback(setup.address.clone()));
    }
    TcpStream::connect(&*addresses).await.map_err(unreachable)
}

async fn handshake(
    setup: &ComponentSetup,
    connection: TcpStream,
) -> Result<ComponentStream, OpenError> {
    let broke = |error: io::Error| OpenError::Refused(format!("the stream broke: {error}"));
    let (read, mut write) = connection.into_split();
    let mut reader = StanzaReader::new(BufReader::new(read), COMPONENT);
    // The domain was checked: it holds nothing that XML would have to escape.
    let header = format!(
        "<?xml version='1.0'?><stream:stream xmlns='{COMPONENT}' xmlns:stream='{STREAM}' to='{}'>",
        setup.domain
    );
    write.write_all(header.as_bytes()).await.map_err(broke)?;
    let mut secret_sent = false;
    loop {
        match reader.next().await.map_err(broke)? {
            Frame::Header { id } => {
                let digest = Sha1::new()
                    .chain_update(id.unwrap_or_default())
                    .chain_update(setup.secret.as_bytes())
                    .finalize();
                let handshake = Element::bare("handshake", CLIENT).saying(&hex::encode(digest));
                let text = stream::to_text(&handshake, COMPONENT)
                    .map_err(|error| OpenError::Refused(error.to_string()))?;
                write.write_all(text.as_bytes()).await.map_err(broke)?;
                secret_sent = true;
            }
            Frame::Stanza(stanza) if stanza.is("handshake", CLIENT) && secret_sent => {
                return Ok((reader, write));
            }
            Frame::Stanza(stanza) if stanza.is("error", STREAM) => {
                return Err(refused(setup, &stream_error(&stanza)));
            }
            Frame::Stanza(_) | Frame::Skipped(_) => {}
            Frame::End => return Err(OpenError::Refused("it closed the stream".to_owned())),
        }
    }
}

fn refused(setup: &ComponentSetup, error: &str) -> OpenError {
    match error.split(' ').next() {
        Some("host-unknown") => OpenError::UnknownDomain(setup.domain.clone()),
        Some("not-authorized") => OpenError::WrongSecret,
        Some("conflict") => OpenError::Conflict,
        _ => OpenError::Refused(error.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    fn setup(address: &str, domain: &str) -> ComponentSetup {
        ComponentSetup {
            address: address.into(),
            domain: domain.into(),
            secret: Zeroizing::new("s".into()),
            muc_service: "conference.x.test".into(),
            xmpp_domain: "x.test".into(),
        }
    }

    #[test]
    fn a_mistake_in_the_configuration_is_named() {
        let check = |address: &str, domain: &str| validate(&setup(address, domain));
        assert!(check("127.0.0.1:5347", "mls.x.test").is_ok());
        assert!(check("[::1]:5347", "mls.x.test").is_ok());
        assert!(matches!(check("127.0.0.1", "mls.x.test"), Err(OpenError::Address(_))));
        assert!(matches!(check("127.0.0.1:x", "mls.x.test"), Err(OpenError::Address(_))));
        assert!(matches!(check("192.0.2.1:5347", "mls.x.test"), Err(OpenError::NotLoopback(_))));
        for domain in ["", "a@b", "MLS.x.test", "a'b", "a b"] {
            let error = check("127.0.0.1:5347", domain);
            assert!(matches!(error, Err(OpenError::Domain(_))), "{domain}");
        }
    }
}
