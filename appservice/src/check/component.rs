//! Whether the XMPP server is there, and takes us as the component (XEP-0114).
//!
//! A second connection of a component would put out the first. So while mls-bridge runs, this
//! goes only as far as the stream's header, which says already whether the domain is configured.

use std::time::Duration;

use sha1::{Digest, Sha1};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Finding;
use crate::config::Xmpp;
use crate::limits::CHECK_DEADLINE;

/// What a server says before it has to be enough; headers and errors are far shorter.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// How long after its header a server may still refuse the domain.
const REFUSAL_WAIT: Duration = Duration::from_millis(300);

/// Looks at everything that can be seen. `running`: an mls-bridge is up and connected.
pub(super) async fn look(config: &Xmpp, running: bool) -> Vec<Finding> {
    let looked = timeout(CHECK_DEADLINE, connect(config, running)).await;
    let found = looked.unwrap_or_else(|_| {
        let text =
            format!("{} does not answer in time; is this the component port?", config.address);
        Finding::fault("xmpp.address", text)
    });
    let note = Finding::note(
        "xmpp",
        "Prosody needs s2s_secure_auth = true: we believe the addresses that it shows us; and \
         muc_mam on the multi-user chat service: what was missed is read from the archive",
    );
    vec![found, note]
}

async fn connect(config: &Xmpp, running: bool) -> Finding {
    let address = &config.address;
    let mut stream = match TcpStream::connect(address).await {
        Ok(stream) => stream,
        Err(error) => {
            let text = format!(
                "{address} cannot be reached: {error}; is the XMPP server running, with \
                 component_ports set to this port?"
            );
            return Finding::fault("xmpp.address", text);
        }
    };
    match converse(&mut stream, config, running).await {
        Ok(finding) => finding,
        Err(error) => Finding::fault("xmpp.address", format!("{address} broke off: {error}")),
    }
}

async fn converse(
    stream: &mut TcpStream,
    config: &Xmpp,
    running: bool,
) -> std::io::Result<Finding> {
    let component = &config.component;
    let header = format!(
        "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' \
         xmlns:stream='http://etherx.jabber.org/streams' to='{component}'>"
    );
    stream.write_all(header.as_bytes()).await?;
    let mut said = Said::default();
    said.read_until(stream, |text| text.contains("<stream:stream") && text.ends_with('>')).await?;
    // A refusal may come a moment after the header; nothing else does before the handshake.
    let refusal = said.read_until(stream, |text| text.contains("<stream:error"));
    if let Ok(read) = timeout(REFUSAL_WAIT, refusal).await {
        read?;
    }
    let Some(id) = stream_id(&said.0).filter(|_| !said.0.contains("<stream:error")) else {
        return Ok(unknown_domain(component));
    };
    if running {
        return Ok(Finding::good("xmpp.component", format!("{component} is configured")));
    }
    let proof = hex::encode(Sha1::digest(format!("{id}{}", config.secret.reveal())));
    let before = said.0.len();
    stream.write_all(format!("<handshake>{proof}</handshake>").as_bytes()).await?;
    let after = |text: &str| text.get(before..).unwrap_or_default().to_owned();
    said.read_until(stream, |text| {
        let rest = after(text);
        rest.contains("<handshake") || rest.contains("</stream:stream>")
    })
    .await?;
    let rest = after(&said.0);
    // Best effort: the verdict is there, the server closes the stream by itself.
    let _ = stream.write_all(b"</stream:stream>").await;
    Ok(if rest.contains("<handshake") {
        Finding::good("xmpp.secret", format!("the XMPP server takes us as {component}"))
    } else if rest.contains("host-unknown") {
        unknown_domain(component)
    } else {
        Finding::fault(
            "xmpp.secret",
            "the XMPP server refuses it; it must be the component_secret of the Component in \
             Prosody's configuration, and Prosody restarted since",
        )
    })
}

fn unknown_domain(component: &str) -> Finding {
    let text = format!(
        "the XMPP server does not know {component}; include the snippet prosody.cfg.lua in its \
         configuration and restart it"
    );
    Finding::fault("xmpp.component", text)
}

/// What the server said so far.
#[derive(Default)]
struct Said(String);

impl Said {
    /// Reads until `enough`, the end of the stream, or the bound.
    async fn read_until(
        &mut self,
        stream: &mut TcpStream,
        enough: impl Fn(&str) -> bool,
    ) -> std::io::Result<()> {
        let mut chunk = [0; 2048];
        while !enough(&self.0) && self.0.len() < ANSWER_BYTES_MAX {
            let read = stream.read(&mut chunk).await?;
            if read == 0 {
                break;
            }
            self.0.push_str(&String::from_utf8_lossy(chunk.get(..read).unwrap_or_default()));
        }
        Ok(())
    }
}

/// The `id` of the stream's header.
fn stream_id(text: &str) -> Option<&str> {
    let (_, header) = text.split_once("<stream:stream")?;
    let (header, _) = header.split_once('>')?;
    let (_, rest) = header.split_once(" id=")?;
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    rest.get(1..)?.split_once(quote).map(|(id, _)| id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_stream_is_found_in_either_quotes() {
        for (header, expected) in [
            ("<?xml version='1.0'?><stream:stream xmlns='x' id='a-1' from='y'>", Some("a-1")),
            ("<stream:stream from=\"y\" id=\"b'2\">more", Some("b'2")),
            ("<stream:stream from='y'><x id='3'/>", None),
            ("<stream:stream id='4'", None),
            ("", None),
        ] {
            assert_eq!(stream_id(header), expected, "{header}");
        }
    }
}
