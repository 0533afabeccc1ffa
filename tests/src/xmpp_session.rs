//! An XMPP client without MLS: a socket on which a test writes whatever text it likes.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::bot::Account;
use crate::error::RigError;
use crate::prosody::DOMAIN;

const WAIT: Duration = Duration::from_secs(30);
const SLICE: Duration = Duration::from_millis(100);

/// One more session of an account.
#[derive(Debug)]
pub struct XmppSession {
    stream: TcpStream,
    read: String,
    next_id: u32,
}

/// Whether a server answers a stream header on this port.
pub fn serves(port: u16) -> bool {
    XmppSession::connect(port).and_then(|mut s| s.read_until("</stream:features>")).is_ok()
}

impl XmppSession {
    /// Logs in with SASL PLAIN and binds a resource; sends no presence.
    pub fn login(port: u16, account: &Account) -> Result<Self, RigError> {
        let mut session = Self::connect(port)?;
        session.read_until("</stream:features>")?;
        let plain = STANDARD.encode(format!("\0{}\0{}", account.localpart(), account.password));
        let sasl = "urn:ietf:params:xml:ns:xmpp-sasl";
        session.send(&format!("<auth xmlns='{sasl}' mechanism='PLAIN'>{plain}</auth>"))?;
        session.read_until("<success")?;
        session.header()?;
        session.read_until("</stream:features>")?;
        session.iq("set", None, "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>")?;
        Ok(session)
    }

    fn connect(port: u16) -> Result<Self, RigError> {
        let doing = || format!("XMPP client on 127.0.0.1:{port}");
        let stream = TcpStream::connect(("127.0.0.1", port)).map_err(RigError::io(doing()))?;
        stream.set_read_timeout(Some(SLICE)).map_err(RigError::io(doing()))?;
        stream.set_write_timeout(Some(WAIT)).map_err(RigError::io(doing()))?;
        let mut session = Self { stream, read: String::new(), next_id: 1 };
        session.header()?;
        Ok(session)
    }

    fn header(&mut self) -> Result<(), RigError> {
        self.read.clear();
        self.send(&format!(
            "<?xml version='1.0'?><stream:stream to='{DOMAIN}' version='1.0' \
             xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
        ))
    }

    /// Writes text to the stream, as it is.
    pub fn send(&mut self, text: &str) -> Result<(), RigError> {
        self.stream.write_all(text.as_bytes()).map_err(RigError::io("XMPP client"))
    }

    /// Reads until `needle` has come; returns all text up to its end and forgets it.
    pub fn read_until(&mut self, needle: &str) -> Result<String, RigError> {
        let end = |read: &str| read.find(needle).map(|at| at + needle.len());
        self.read_to(&format!("XMPP client reads {needle:?}"), end)
    }

    /// The id of the next [`Self::iq`].
    pub fn next_iq_id(&self) -> String {
        format!("rig-{}", self.next_id)
    }

    /// Sends an IQ (`kind` is `get` or `set`) and returns the whole answer, also an error.
    pub fn iq(&mut self, kind: &str, to: Option<&str>, inner: &str) -> Result<String, RigError> {
        let id = self.next_iq_id();
        self.next_id += 1;
        let to = to.map(|to| format!(" to='{to}'")).unwrap_or_default();
        self.send(&format!("<iq type='{kind}' id='{id}'{to}>{inner}</iq>"))?;
        let mark = format!("id='{id}'");
        let text = self.read_to(&format!("answer to {inner:.80}"), |read| {
            let start = read.get(..read.find(&mark)?)?.rfind("<iq")?;
            let tag = start + read.get(start..)?.find('>')?;
            if read.get(..tag)?.ends_with('/') {
                return Some(tag + 1);
            }
            Some(tag + read.get(tag..)?.find("</iq>")? + "</iq>".len())
        })?;
        Ok(text.get(text.rfind("<iq").unwrap_or(0)..).unwrap_or_default().to_owned())
    }

    fn read_to(
        &mut self,
        what: &str,
        end: impl Fn(&str) -> Option<usize>,
    ) -> Result<String, RigError> {
        let stop = Instant::now() + WAIT;
        loop {
            if let Some(end) = end(&self.read) {
                let rest = self.read.split_off(end);
                return Ok(std::mem::replace(&mut self.read, rest));
            }
            let mut buffer = [0; 4096];
            let late = Instant::now() >= stop;
            match self.stream.read(&mut buffer) {
                Ok(count) if count > 0 && !late => {
                    let new = buffer.get(..count).unwrap_or_default();
                    self.read += &String::from_utf8_lossy(new);
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock && !late => {}
                Ok(0) | Err(_) if !late => return Err(self.failed(what, "the stream ended")),
                _ => return Err(self.failed(what, "nothing came in time")),
            }
        }
    }

    fn failed(&self, what: &str, why: &str) -> RigError {
        RigError::Answer(format!("{what}: {why}; read so far: {:.2000}", self.read))
    }

    /// Enters a multi-user chat without its history; an error when the chat refuses.
    pub fn enter(&mut self, room: &str, nick: &str) -> Result<(), RigError> {
        self.send(&format!(
            "<presence to='{room}/{nick}'><x xmlns='http://jabber.org/protocol/muc'>\
             <history maxstanzas='0'/></x></presence>"
        ))?;
        // The room ends the entry with its subject, or refuses with an error presence.
        let text = self.read_to(&format!("answer of {room}"), |read| {
            let refused = read.find("type='error'").filter(|_| read.contains("</presence>"));
            refused.or_else(|| read.find("<subject")).map(|_| read.len())
        })?;
        if text.contains("type='error'") {
            return Err(RigError::Answer(format!("{room} refuses: {text}")));
        }
        Ok(())
    }

    /// Sets the affiliation of a JID in a room (`none`, `outcast`, `member`); answers with the IQ.
    pub fn affiliate(
        &mut self,
        room: &str,
        jid: &str,
        affiliation: &str,
    ) -> Result<String, RigError> {
        let query = format!(
            "<query xmlns='http://jabber.org/protocol/muc#admin'>\
             <item affiliation='{affiliation}' jid='{jid}'/></query>"
        );
        let answer = self.iq("set", Some(room), &query)?;
        if answer.contains("type='result'") {
            Ok(answer)
        } else {
            Err(RigError::Answer(format!("{room} did not make {jid} {affiliation}: {answer}")))
        }
    }

    /// Destroys a room, as its owner (XEP-0045 10.9).
    pub fn destroy(&mut self, room: &str) -> Result<(), RigError> {
        let query = "<query xmlns='http://jabber.org/protocol/muc#owner'><destroy/></query>";
        let answer = self.iq("set", Some(room), query)?;
        match answer.contains("type='result'") {
            true => Ok(()),
            false => Err(RigError::Answer(format!("{room} was not destroyed: {answer}"))),
        }
    }

    /// The JIDs that have this affiliation with a room.
    pub fn affiliated(&mut self, room: &str, affiliation: &str) -> Result<Vec<String>, RigError> {
        let query = format!(
            "<query xmlns='http://jabber.org/protocol/muc#admin'>\
             <item affiliation='{affiliation}'/></query>"
        );
        let answer = self.iq("get", Some(room), &query)?;
        let items = answer.split("<item ").skip(1).filter_map(|item| item.split_once('>'));
        let jid = |item: &str| Some(item.split_once("jid='")?.1.split_once('\'')?.0.to_owned());
        Ok(items.filter_map(|(item, _)| jid(item)).collect())
    }
}
