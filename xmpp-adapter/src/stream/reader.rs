//! Reads stanzas off a stream, at most so long and so deep; a longer one is passed over as it comes.

use std::io;

use minidom::Element;
use mls_core::limits::{STANZA_DEPTH_MAX, STANZA_READ_BYTES_MAX};
use rxml::error::EndOrError;
use rxml::parser::{Event, Options, Parse, Parser, WithOptions};
use rxml::{AsyncReader, AttrMap, Namespace};
use tokio::io::AsyncBufRead;

use crate::mapping::namespace::{CLIENT, STREAM};

/// What a stream gives.
#[derive(Debug)]
pub(crate) enum Frame {
    /// The stream's own header, with its id.
    Header {
        /// The stream id, which a component's handshake needs.
        id: Option<String>,
    },
    /// A whole stanza, in `jabber:client`, or a stream-level element.
    Stanza(Element),
    /// A stanza that is too long or too deep: its name and attributes only.
    Skipped(Element),
    /// The other side has ended the stream.
    End,
}

/// Reads one stream.
pub(crate) struct StanzaReader<R> {
    reader: AsyncReader<R>,
    /// The stream's namespace, read as `jabber:client`.
    namespace: &'static str,
    /// Open elements of the stanza that comes in; only the first of them while it is skipped.
    open: Vec<Element>,
    /// Open elements, the stream's own included.
    depth: usize,
    /// Bytes of the stanza so far.
    bytes: usize,
    skipping: bool,
}

impl<R: AsyncBufRead + Unpin> StanzaReader<R> {
    /// For a stream whose header is still to come.
    pub(crate) fn new(connection: R, namespace: &'static str) -> Self {
        Self::with_parser(connection, namespace, parser(), 0)
    }

    /// For a stream whose header was read by somebody else; only the prefix `stream` is known.
    pub(crate) fn after_header(connection: R, namespace: &'static str) -> io::Result<Self> {
        let header = format!("<stream:stream xmlns:stream='{STREAM}' xmlns='{namespace}'>");
        let mut parser = parser();
        let mut rest = header.as_bytes();
        loop {
            match parser.parse(&mut rest, false) {
                Ok(Some(Event::StartElement(..))) => break,
                Ok(Some(_)) => {}
                Ok(None) | Err(EndOrError::NeedMoreData) => {
                    return Err(io::Error::other("the stream's header was not understood"));
                }
                Err(EndOrError::Error(error)) => return Err(io::Error::other(error)),
            }
        }
        Ok(Self::with_parser(connection, namespace, parser, 1))
    }

    fn with_parser(connection: R, namespace: &'static str, parser: Parser, depth: usize) -> Self {
        let reader = AsyncReader::wrap(connection, parser);
        Self { reader, namespace, open: Vec::new(), depth, bytes: 0, skipping: false }
    }

    /// The next frame. Nothing is lost when it is not waited for to the end. An error is the end
    /// of the stream.
    pub(crate) async fn next(&mut self) -> io::Result<Frame> {
        loop {
            let Some(event) = self.reader.read().await? else { return Ok(Frame::End) };
            self.bytes = self.bytes.saturating_add(event.metrics().len());
            let frame = match event {
                Event::XmlDeclaration(..) => None,
                Event::StartElement(_, (namespace, name), attributes) => {
                    self.start(&namespace, &name, attributes)
                }
                Event::Text(_, text) => {
                    self.text(&text);
                    None
                }
                Event::EndElement(_) => self.end(),
            };
            if let Some(frame) = frame {
                return Ok(frame);
            }
        }
    }

    fn start(&mut self, namespace: &str, name: &str, attributes: AttrMap) -> Option<Frame> {
        self.depth += 1;
        match self.depth {
            1 => {
                let id = attributes.get(&Namespace::NONE, "id").cloned();
                return Some(Frame::Header { id });
            }
            2 => {
                self.bytes = 0;
                self.skipping = false;
            }
            _ => self.skip_if_too_much(),
        }
        if !self.skipping {
            let namespace = if namespace == self.namespace { CLIENT } else { namespace };
            let mut element = Element::bare(name, namespace);
            *element.attrs_mut() = attributes;
            self.open.push(element);
        }
        None
    }

    fn text(&mut self, text: &str) {
        self.skip_if_too_much();
        if !self.skipping
            && let Some(open) = self.open.last_mut()
        {
            open.append_text(text);
        }
    }

    fn end(&mut self) -> Option<Frame> {
        self.depth = self.depth.saturating_sub(1);
        if self.depth == 0 {
            return Some(Frame::End);
        }
        if self.skipping && self.depth > 1 {
            return None;
        }
        let element = self.open.pop()?;
        match self.open.last_mut() {
            Some(parent) => {
                parent.append_child(element);
                None
            }
            None if self.skipping => Some(Frame::Skipped(element)),
            None => Some(Frame::Stanza(element)),
        }
    }

    fn skip_if_too_much(&mut self) {
        let too_much = self.bytes > STANZA_READ_BYTES_MAX || self.depth > STANZA_DEPTH_MAX + 1;
        if too_much && !self.skipping && self.depth > 1 {
            self.skipping = true;
            self.open.truncate(1);
            if let Some(stanza) = self.open.first_mut() {
                stanza.take_nodes();
            }
        }
    }
}

/// An attribute of up to twice a whole stanza still passes; a longer one ends the stream.
fn parser() -> Parser {
    let options = Options { max_token_length: 2 * STANZA_READ_BYTES_MAX, ..Options::default() };
    Parser::with_options(options)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::namespace::COMPONENT;

    const HEADER: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' \
        xmlns:stream='http://etherx.jabber.org/streams' id='abc' from='mls.test'>";

    async fn frames(stream: &str) -> Vec<Frame> {
        let mut reader = StanzaReader::new(stream.as_bytes(), COMPONENT);
        let mut frames = Vec::new();
        loop {
            frames.push(reader.next().await.unwrap());
            if matches!(frames.last(), Some(Frame::End)) {
                return frames;
            }
        }
    }

    #[tokio::test]
    async fn stanzas_come_out_whole_and_in_the_client_namespace() {
        let stanzas = " <message from='a@b'><body>x &amp; y</body><f xmlns='urn:x'>\
            <message xmlns='jabber:client'/></f></message>\n<iq/>";
        let frames = frames(&format!("{HEADER}{stanzas}</stream:stream>")).await;
        assert!(matches!(&frames[0], Frame::Header { id: Some(id) } if id == "abc"));
        let Frame::Stanza(message) = &frames[1] else { panic!("{frames:?}") };
        assert_eq!(message.get_child("body", CLIENT).unwrap().text(), "x & y");
        assert!(message.get_child("f", "urn:x").unwrap().has_child("message", CLIENT));
        assert!(matches!(&frames[2], Frame::Stanza(iq) if iq.name() == "iq"));
        assert_eq!(frames.len(), 4);
    }

    #[tokio::test]
    async fn a_stanza_that_is_too_long_or_too_deep_is_skipped_and_the_next_one_read() {
        let long = format!("<message id='1'><body>{}</body></message>", "x".repeat(700_000));
        let deep = format!("<message id='1'>{}{}</message>", "<a>".repeat(100), "</a>".repeat(100));
        let many = format!("<message id='1'>{}</message>", "<a b='c'/>".repeat(100_000));
        for bad in [long, deep, many] {
            let frames = frames(&format!("{HEADER}{bad}<iq id='2'/></stream:stream>")).await;
            let Frame::Skipped(head) = &frames[1] else { panic!("{:?}", frames[1]) };
            assert_eq!((head.name(), head.attr("id")), ("message", Some("1")));
            assert_eq!(head.nodes().count(), 0);
            assert!(matches!(&frames[2], Frame::Stanza(iq) if iq.attr("id") == Some("2")));
        }
    }

    #[tokio::test]
    async fn a_long_attribute_passes() {
        let stanza = format!("<message id='1'><a b='{}'/></message>", "x".repeat(100_000));
        let frames = frames(&format!("{HEADER}{stanza}</stream:stream>")).await;
        assert!(matches!(&frames[1], Frame::Stanza(_)));
    }

    #[tokio::test]
    async fn a_stream_can_go_on_after_somebody_else_read_its_header() {
        let mut reader = StanzaReader::after_header(&b"<iq id='1'/>"[..], CLIENT).unwrap();
        assert!(matches!(reader.next().await.unwrap(), Frame::Stanza(iq) if iq.name() == "iq"));
    }
}
