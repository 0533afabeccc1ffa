//! What is inside the ciphertext: MIMI content (draft-ietf-mimi-content-08), so far plain text.
//!
//! One CBOR array for both networks, so that the bridge need not translate what it cannot read.
//! A reader takes more than [`encode_text`] writes: any content whose body is one part, with any
//! optional field set; everything else is named by its type and left alone.

use minicbor::data::Type;
use minicbor::{Decoder, Encoder};
use thiserror::Error;

use crate::limits::PLAINTEXT_BYTES_MAX;

/// The media type of a plain text (the draft's mandatory one).
pub const TEXT: &str = "text/plain;charset=utf-8";

/// Length of the salt in a content, from which the draft derives the message's id.
pub const SALT_BYTES: usize = 16;
/// Fields of the outer array: salt, replaces, topic, expires, in reply to, extensions, part.
const CONTENT_FIELDS: u64 = 7;
/// Fields of a part with one content: disposition, language, cardinality, type, content.
const SINGLE_PART_FIELDS: u64 = 5;
/// Disposition of what is simply shown.
const RENDER: u64 = 1;
const NULL_PART: u64 = 0;
const SINGLE_PART: u64 = 1;
const EXTERNAL_PART: u64 = 2;
/// The longest media type that is passed on.
const CONTENT_TYPE_BYTES_MAX: usize = 256;

/// A decoded content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Plain text.
    Text(String),
    /// Something that we do not show yet.
    Other {
        /// Its media type; `multipart` where it has several parts, empty where it has none (a
        /// deletion).
        content_type: String,
    },
}

/// Bytes that are not a content, or a content beyond a bound; the sender's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ContentError {
    /// Longer than [`PLAINTEXT_BYTES_MAX`].
    #[error("the content is longer than {PLAINTEXT_BYTES_MAX} bytes: send less at once")]
    TooLarge,
    /// Not the CBOR that it should be.
    #[error("the bytes are not a MIMI content")]
    Broken,
}

/// Encodes a plain text. `salt` must be fresh and random for every message.
pub fn encode_text(text: &str, salt: [u8; SALT_BYTES]) -> Result<Vec<u8>, ContentError> {
    let mut encoder = Encoder::new(Vec::new());
    write_text(&mut encoder, text, &salt).map_err(|_| ContentError::Broken)?;
    let bytes = encoder.into_writer();
    if bytes.len() > PLAINTEXT_BYTES_MAX { Err(ContentError::TooLarge) } else { Ok(bytes) }
}

/// Decodes a content.
pub fn decode(bytes: &[u8]) -> Result<Content, ContentError> {
    if bytes.len() > PLAINTEXT_BYTES_MAX {
        return Err(ContentError::TooLarge);
    }
    read(bytes).map_err(|_| ContentError::Broken)
}

fn write_text(
    encoder: &mut Encoder<Vec<u8>>,
    text: &str,
    salt: &[u8],
) -> Result<(), minicbor::encode::Error<std::convert::Infallible>> {
    encoder
        .array(CONTENT_FIELDS)?
        .bytes(salt)?
        .null()? // replaces nothing
        .bytes(&[])? // no topic
        .null()? // does not expire
        .null()? // replies to nothing
        .map(0)?
        .array(SINGLE_PART_FIELDS)?
        .u64(RENDER)?
        .str("")? // no language
        .u64(SINGLE_PART)?
        .str(TEXT)?
        .bytes(text.as_bytes())?;
    Ok(())
}

fn read(bytes: &[u8]) -> Result<Content, minicbor::decode::Error> {
    let broken = || minicbor::decode::Error::message("not a content");
    let mut decoder = Decoder::new(bytes);
    if decoder.array()? != Some(CONTENT_FIELDS) || decoder.bytes()?.len() != SALT_BYTES {
        return Err(broken());
    }
    for _ in 0..4 {
        decoder.skip()?;
    }
    if !matches!(decoder.datatype()?, Type::Map | Type::MapIndef) {
        return Err(broken());
    }
    decoder.skip()?;
    let content = read_part(&mut decoder)?;
    if decoder.position() == bytes.len() { Ok(content) } else { Err(broken()) }
}

fn read_part(decoder: &mut Decoder<'_>) -> Result<Content, minicbor::decode::Error> {
    let broken = || minicbor::decode::Error::message("not a part");
    let fields = decoder.array()?.filter(|n| (3..=32).contains(n)).ok_or_else(broken)?;
    decoder.skip()?; // disposition
    decoder.str()?; // language
    let mut left = fields - 3;
    let content = match decoder.u64()? {
        NULL_PART => Content::Other { content_type: String::new() },
        cardinality @ (SINGLE_PART | EXTERNAL_PART) if left > 0 => {
            let content_type = decoder.str()?;
            if content_type.len() > CONTENT_TYPE_BYTES_MAX {
                return Err(broken());
            }
            left -= 1;
            if cardinality == SINGLE_PART && is_text(content_type) && left > 0 {
                left -= 1;
                let text = std::str::from_utf8(decoder.bytes()?).map_err(|_| broken())?;
                Content::Text(text.to_owned())
            } else {
                Content::Other { content_type: content_type.to_owned() }
            }
        }
        _ => Content::Other { content_type: "multipart".to_owned() },
    };
    for _ in 0..left {
        decoder.skip()?;
    }
    Ok(content)
}

/// Plain text in UTF-8, however its parameters are written.
fn is_text(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(str::trim);
    parts.next().is_some_and(|media| media.eq_ignore_ascii_case("text/plain"))
        && parts.all(|parameter| {
            !parameter.to_ascii_lowercase().starts_with("charset=")
                || parameter.eq_ignore_ascii_case("charset=utf-8")
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_has_the_bytes_that_the_draft_prescribes() {
        let bytes = encode_text("hi", [0xAA; 16]).unwrap();
        let mut expected = vec![0x87, 0x50];
        expected.extend([0xAA; 16]);
        expected.extend([0xF6, 0x40, 0xF6, 0xF6, 0xA0, 0x85, 0x01, 0x60, 0x01, 0x78, 0x18]);
        expected.extend(TEXT.as_bytes());
        expected.extend([0x42, b'h', b'i']);
        assert_eq!(bytes, expected);
    }

    #[test]
    fn what_is_not_a_single_text_is_named_by_its_type() {
        let part = |cardinality: u64, rest: &dyn Fn(&mut Encoder<Vec<u8>>), fields: u64| {
            let mut e = Encoder::new(Vec::new());
            e.array(7).unwrap().bytes(&[1; 16]).unwrap().null().unwrap().bytes(&[]).unwrap();
            e.null().unwrap().null().unwrap().map(0).unwrap().array(fields).unwrap();
            e.u64(1).unwrap().str("").unwrap().u64(cardinality).unwrap();
            rest(&mut e);
            decode(&e.into_writer()).unwrap()
        };
        let other = |content_type: &str| Content::Other { content_type: content_type.to_owned() };
        assert_eq!(part(0, &|_| (), 3), other(""));
        let picture = |e: &mut Encoder<Vec<u8>>| {
            e.str("image/png").unwrap().bytes(&[9]).unwrap();
        };
        assert_eq!(part(1, &picture, 5), other("image/png"));
        let several = |e: &mut Encoder<Vec<u8>>| {
            e.u64(0).unwrap().array(0).unwrap();
        };
        assert_eq!(part(3, &several, 5), other("multipart"));
        let latin = |e: &mut Encoder<Vec<u8>>| {
            e.str("text/plain;charset=latin1").unwrap().bytes(&[0xE4]).unwrap();
        };
        assert_eq!(part(1, &latin, 5), other("text/plain;charset=latin1"));
    }

    #[test]
    fn a_text_beyond_the_bound_is_refused_on_both_sides() {
        let long = "x".repeat(PLAINTEXT_BYTES_MAX);
        assert_eq!(encode_text(&long, [0; 16]), Err(ContentError::TooLarge));
        assert_eq!(decode(&vec![0; PLAINTEXT_BYTES_MAX + 1]), Err(ContentError::TooLarge));
    }

    proptest! {
        #[test]
        fn every_text_comes_back(text in "\\PC{0,400}", salt in any::<[u8; 16]>()) {
            let bytes = encode_text(&text, salt).unwrap();
            prop_assert_eq!(decode(&bytes), Ok(Content::Text(text)));
        }

        #[test]
        fn no_bytes_make_the_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode(&bytes);
        }

        #[test]
        fn a_damaged_text_does_not_make_the_decoder_panic(
            text in "\\PC{0,40}", at in 0usize..60, byte in any::<u8>()
        ) {
            let mut bytes = encode_text(&text, [7; 16]).unwrap();
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
            let _ = decode(&bytes);
        }
    }
}
