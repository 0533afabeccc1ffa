//! From a name to a stream that carries stanzas: TCP, TLS, SASL, resource binding (RFC 6120 5-7).

use std::borrow::Cow;
use std::net::SocketAddr;

use jid::{BareJid, Jid};
use minidom::Element;
use sasl::common::Credentials;
use thiserror::Error;
use tokio::io::{AsyncWriteExt, BufReader, ReadHalf, WriteHalf};
use tokio::time::timeout;
use tokio_xmpp::connect::{
    AsyncReadAndWrite, DirectTlsServerConnector, DnsConfig, ServerConnector,
    StartTlsServerConnector, TcpServerConnector,
};
use tokio_xmpp::error::AuthError;
use tokio_xmpp::parsers::sasl::DefinedCondition;
use tokio_xmpp::xmlstream::{FallibleStreamElement, StreamHeader, Timeouts};

use super::ClientSetup;
use crate::limits::{CONNECT_DEADLINE, STOP_DEADLINE};
use crate::mapping::Build;
use crate::mapping::namespace::{BIND, CLIENT};
use crate::mapping::stanza::{self, StanzaError};
use crate::stream::{self, Frame, StanzaReader};

type Io = Box<dyn AsyncReadAndWrite>;

/// A stream on which stanzas may be sent.
pub(super) struct ClientStream {
    /// Our full JID.
    pub(super) me: String,
    pub(super) reader: StanzaReader<BufReader<ReadHalf<Io>>>,
    pub(super) writer: WriteHalf<Io>,
}

impl ClientStream {
    /// Ends it in good order.
    pub(super) async fn end(mut self) {
        let end = async {
            self.writer.write_all(b"</stream:stream>").await?;
            self.writer.shutdown().await
        };
        // The server ends it in any case when we are gone.
        let _ = timeout(STOP_DEADLINE, end).await;
    }
}

/// Why there is none.
#[derive(Debug, Error)]
pub(super) enum LoginError {
    /// An address is none; the caller's fault.
    #[error("{0}")]
    Address(String),
    /// The server knows no such account with this password, or has closed it.
    #[error("the XMPP server does not let us in: {0}")]
    Account(String),
    /// The server does not let us in, for another reason.
    #[error("the XMPP server does not let us in: {0}")]
    Refused(String),
    /// The server is away, or the way to it is broken.
    #[error("the XMPP server cannot be reached: {0}")]
    Unreachable(String),
}

/// Logs in, with TLS unless the server is on this machine.
pub(super) async fn login(setup: &ClientSetup) -> Result<ClientStream, LoginError> {
    // With several in the program rustls would not know which to take; ours is as good as any.
    let _ = tokio_xmpp::rustls::crypto::aws_lc_rs::default_provider().install_default();
    let account = BareJid::new(&setup.jid).map_err(|e| LoginError::Address(e.to_string()))?;
    let stream = timeout(CONNECT_DEADLINE, open(setup, &account));
    let io = stream.await.map_err(|_| LoginError::Unreachable("no answer".to_owned()))??;
    let (read, write) = tokio::io::split(io);
    let broken = |error: std::io::Error| LoginError::Unreachable(error.to_string());
    let reader = StanzaReader::after_header(BufReader::new(read), CLIENT).map_err(broken)?;
    let bound = timeout(CONNECT_DEADLINE, bind(setup, reader, write));
    bound.await.map_err(|_| LoginError::Unreachable("no answer".to_owned()))?
}

async fn open(setup: &ClientSetup, account: &BareJid) -> Result<Io, LoginError> {
    let domain = account.domain().as_str();
    let Some(server) = &setup.server else {
        let start_tls = StartTlsServerConnector(DnsConfig::srv_default_client(domain));
        let direct = DirectTlsServerConnector(DnsConfig::srv_xmpps(domain));
        return open_tls(start_tls, direct, setup, account).await;
    };
    let (host, port) = host_and_port(server)?;
    let found = tokio::net::lookup_host((&*host, port)).await;
    let found = found.map_err(|error| LoginError::Unreachable(error.to_string()))?;
    let addresses: Vec<SocketAddr> = found.collect();
    if addresses.iter().all(|address| address.ip().is_loopback())
        && let Some(address) = addresses.first()
    {
        let plain = TcpServerConnector(DnsConfig::addr(&address.to_string()));
        return authenticate(plain, setup, account).await;
    }
    let start_tls = StartTlsServerConnector(DnsConfig::no_srv(&host, port));
    let direct = DirectTlsServerConnector(DnsConfig::no_srv(&host, port));
    open_tls(start_tls, direct, setup, account).await
}

/// Some servers, and some networks, have only the one.
async fn open_tls(
    start_tls: StartTlsServerConnector,
    direct: DirectTlsServerConnector,
    setup: &ClientSetup,
    account: &BareJid,
) -> Result<Io, LoginError> {
    match authenticate(start_tls, setup, account).await {
        Err(LoginError::Unreachable(first)) => {
            let second = authenticate(direct, setup, account).await;
            second.map_err(|error| match error {
                LoginError::Unreachable(second) => {
                    let why = format!("with StartTLS: {first}; with direct TLS: {second}");
                    LoginError::Unreachable(why)
                }
                error => error,
            })
        }
        other => other,
    }
}

async fn authenticate<C>(
    connector: C,
    setup: &ClientSetup,
    account: &BareJid,
) -> Result<Io, LoginError>
where
    C: ServerConnector,
    C::Stream: 'static,
{
    let jid = Jid::from(account.clone());
    let (header, binding) =
        connector.connect(&jid, CLIENT, Timeouts::tight()).await.map_err(why)?;
    let (features, stream) = header.recv_features().await.map_err(|e| why(e.into()))?;
    let name = account.node().map(|node| node.as_str().to_owned()).unwrap_or_default();
    let credentials = Credentials::default()
        .with_username(name)
        .with_password(setup.password.as_str())
        .with_channel_binding(binding);
    let stream = tokio_xmpp::client_login(stream, features.sasl_mechanisms, credentials).await;
    let to = Some(Cow::Borrowed(account.domain().as_str()));
    let header = StreamHeader { from: None, to, id: None };
    let header = stream.map_err(why)?.send_header(header).await.map_err(|e| why(e.into()))?;
    let features = header.recv_features::<FallibleStreamElement>().await;
    let (_, stream) = features.map_err(|e| why(e.into()))?;
    Ok(Box::new(stream.into_inner()))
}

/// Whose fault it is.
fn why(error: tokio_xmpp::Error) -> LoginError {
    match &error {
        tokio_xmpp::Error::Auth(AuthError::Fail(DefinedCondition::TemporaryAuthFailure)) => {
            LoginError::Unreachable(error.to_string())
        }
        tokio_xmpp::Error::Auth(AuthError::Fail(condition)) => {
            let why = format!("{condition:?}; check the account's name and password");
            match condition {
                DefinedCondition::NotAuthorized
                | DefinedCondition::AccountDisabled
                | DefinedCondition::CredentialsExpired => LoginError::Account(why),
                _ => LoginError::Refused(why),
            }
        }
        tokio_xmpp::Error::Auth(_) => LoginError::Refused(error.to_string()),
        _ => LoginError::Unreachable(error.to_string()),
    }
}

/// The resource says which device it is, so that a new connection replaces a dead one.
async fn bind(
    setup: &ClientSetup,
    mut reader: StanzaReader<BufReader<ReadHalf<Io>>>,
    mut writer: WriteHalf<Io>,
) -> Result<ClientStream, LoginError> {
    let broken = |error: std::io::Error| LoginError::Unreachable(error.to_string());
    let resource = Element::bare("resource", BIND).saying(&format!("mls-{}", setup.device));
    let payload = Element::bare("bind", BIND).holding(resource);
    let iq = Element::bare("iq", CLIENT).with("type", "set").with("id", "bind").holding(payload);
    let text = stream::to_text(&iq, CLIENT).map_err(|e| LoginError::Address(e.to_string()))?;
    writer.write_all(text.as_bytes()).await.map_err(broken)?;
    writer.flush().await.map_err(broken)?;
    loop {
        match reader.next().await.map_err(broken)? {
            Frame::Stanza(answer) if answer.attr("id") == Some("bind") => {
                if let Some(error) = StanzaError::of(&answer) {
                    return Err(LoginError::Refused(error.to_string()));
                }
                let bound = answer.get_child("bind", BIND).and_then(|b| b.get_child("jid", BIND));
                let me = bound.map(Element::text).unwrap_or_default();
                if stanza::bare(&me) != setup.jid {
                    return Err(LoginError::Refused(format!("we are {me} and not {}", setup.jid)));
                }
                return Ok(ClientStream { me, reader, writer });
            }
            Frame::End => return Err(LoginError::Unreachable("the stream ended".to_owned())),
            _ => {}
        }
    }
}

fn host_and_port(server: &str) -> Result<(String, u16), LoginError> {
    let mistake = || {
        LoginError::Address(format!(
            "{server:?} is not host:port; write for example xmpp.test:5222"
        ))
    };
    let (host, port) = server.rsplit_once(':').ok_or_else(mistake)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() {
        return Err(mistake());
    }
    Ok((host.to_owned(), port.parse().map_err(|_| mistake())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_host_and_a_port() {
        for (server, expected) in [
            ("x.test:5222", Some(("x.test", 5222))),
            ("[::1]:5222", Some(("::1", 5222))),
            ("x.test", None),
            (":5222", None),
            ("x.test:port", None),
        ] {
            let read = host_and_port(server).ok();
            assert_eq!(read.as_ref().map(|(host, port)| (&**host, *port)), expected);
        }
    }
}
