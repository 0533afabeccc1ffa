//! Elements of ours, written and read: attributes for names and numbers, bytes as base64 text.

use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use minidom::Element;
use mls_core::limits::{NAME_BYTES_MAX, SENTENCE_CHARS_MAX};
use mls_core::wire::{Digest, GroupId};
use rxml::{Namespace, NcName};
use thiserror::Error;

use super::namespace::MLS_BRIDGE;

/// Why an element was not read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unread {
    /// It is none of ours: somebody else's business.
    #[error("not an element of {MLS_BRIDGE}")]
    NotMine,
    /// It is in our namespace and has a name that this version does not know.
    #[error("<{0}/> is not known to this version")]
    Unknown(String),
    /// It is ours and does not say what it must; the sender's fault.
    #[error(transparent)]
    Broken(#[from] Broken),
}

/// An element of ours that does not say what it must.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("<{element}/> is broken: {what}")]
pub struct Broken {
    /// The element's name.
    pub element: String,
    /// What is missing or wrong, with its name.
    pub what: String,
}

/// Writes elements front to back.
pub(crate) trait Build: Sized {
    /// With an attribute; `name` must be a plain XML name, or nothing is added.
    fn with(self, name: &str, value: impl Into<String>) -> Self;

    /// With a child.
    fn holding(self, child: Element) -> Self;

    /// With children.
    fn holding_all(self, children: impl IntoIterator<Item = Element>) -> Self {
        children.into_iter().fold(self, Self::holding)
    }

    /// With text; what XML cannot carry is left out.
    fn saying(self, text: &str) -> Self;
}

impl Build for Element {
    fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        if let Ok(name) = NcName::try_from(name) {
            self.attrs_mut().insert(Namespace::NONE, name, printable(&value.into()));
        }
        self
    }

    fn holding(mut self, child: Element) -> Self {
        self.append_child(child);
        self
    }

    fn saying(mut self, text: &str) -> Self {
        self.append_text(printable(text));
        self
    }
}

/// XML 1.0 has no way to write most control characters; one in a name must not end the stream.
fn printable(text: &str) -> String {
    let carried = |c: &char| matches!(*c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    text.chars().filter(carried).collect()
}

/// An element in our namespace.
pub(crate) fn ours(name: &str) -> Element {
    Element::bare(name, MLS_BRIDGE)
}

/// An element in our namespace that holds bytes.
pub(crate) fn bytes(name: &str, bytes: &[u8]) -> Element {
    ours(name).saying(&STANDARD.encode(bytes))
}

/// Reads one element of ours.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a>(&'a Element);

impl<'a> Fields<'a> {
    /// The element, if it is in our namespace.
    pub(crate) fn of(element: &'a Element) -> Result<Self, Unread> {
        if element.has_ns(MLS_BRIDGE) { Ok(Self(element)) } else { Err(Unread::NotMine) }
    }

    /// Its name.
    pub(crate) fn name(self) -> &'a str {
        self.0.name()
    }

    /// An attribute that must be there, at most [`NAME_BYTES_MAX`] long.
    pub(crate) fn attr(self, name: &str) -> Result<&'a str, Broken> {
        self.optional_attr(name)?.ok_or_else(|| self.broken(format!("attribute {name} is missing")))
    }

    /// An attribute that may be there.
    pub(crate) fn optional_attr(self, name: &str) -> Result<Option<&'a str>, Broken> {
        match self.0.attrs().get(&Namespace::NONE, name) {
            Some(value) if value.len() > NAME_BYTES_MAX => {
                Err(self.broken(format!("attribute {name} is longer than {NAME_BYTES_MAX} bytes")))
            }
            value => Ok(value.map(String::as_str)),
        }
    }

    /// An attribute that reads as a number.
    pub(crate) fn number<T: FromStr>(self, name: &str) -> Result<T, Broken> {
        let value = self.attr(name)?;
        value.parse().map_err(|_| self.broken(format!("attribute {name} is not such a number")))
    }

    /// A yes or no; missing is no.
    pub(crate) fn flag(self, name: &str) -> Result<bool, Broken> {
        match self.0.attr(name) {
            Some("true" | "1") => Ok(true),
            None | Some("false" | "0") => Ok(false),
            Some(_) => Err(self.broken(format!("attribute {name} is neither true nor false"))),
        }
    }

    /// The attribute `group`, in hex.
    pub(crate) fn group(self) -> Result<GroupId, Broken> {
        let bytes = hex::decode(self.attr("group")?);
        bytes.map(GroupId).map_err(|_| self.broken("attribute group is not hex".to_owned()))
    }

    /// A digest in hex, in the text.
    pub(crate) fn text_digest(self) -> Result<Digest, Broken> {
        self.hex_digest(&self.text()?)
    }

    fn hex_digest(self, text: &str) -> Result<Digest, Broken> {
        let mut digest = [0; 32];
        let read = hex::decode_to_slice(text, &mut digest);
        read.map_err(|_| self.broken("a SHA-256 digest is not 64 hex digits".to_owned()))?;
        Ok(Digest(digest))
    }

    /// The text, at most [`NAME_BYTES_MAX`] long.
    pub(crate) fn text(self) -> Result<String, Broken> {
        let text = self.0.text();
        if text.len() > NAME_BYTES_MAX {
            return Err(self.broken(format!("the text is longer than {NAME_BYTES_MAX} bytes")));
        }
        Ok(text)
    }

    /// Text that is shown to people: its beginning, where it is longer than a name and a sentence
    /// together. What it explains must not go unread for it.
    pub(crate) fn sentence(self) -> String {
        self.0.text().chars().take(NAME_BYTES_MAX.saturating_add(SENTENCE_CHARS_MAX)).collect()
    }

    /// The text as padded base64.
    pub(crate) fn bytes(self) -> Result<Vec<u8>, Broken> {
        let decoded = STANDARD.decode(self.0.text());
        decoded.map_err(|_| self.broken("the text is not padded base64".to_owned()))
    }

    /// The first child of that name, which must be there.
    pub(crate) fn child(self, name: &str) -> Result<Self, Broken> {
        self.optional(name).ok_or_else(|| self.broken(format!("<{name}/> is missing")))
    }

    /// The first child of that name.
    pub(crate) fn optional(self, name: &str) -> Option<Self> {
        self.0.get_child(name, MLS_BRIDGE).map(Self)
    }

    /// All children of that name.
    pub(crate) fn children(self, name: &str) -> impl Iterator<Item = Self> {
        self.0.children().filter(move |child| child.is(name, MLS_BRIDGE)).map(Self)
    }

    /// Says what is wrong with it.
    pub(crate) fn broken(self, what: String) -> Broken {
        Broken { element: self.0.name().chars().take(100).collect(), what }
    }
}
