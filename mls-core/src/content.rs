//! What is inside the ciphertext: MIMI content (draft-ietf-mimi-content-09), so far texts.
//!
//! One CBOR array for both networks, so that the bridge need not translate what it cannot read.
//! A reader takes more than [`encode_text`] writes: any content, with any optional field set. What
//! is no new text is named by what it is for and by its type, and left alone.

mod decode;

pub use decode::decode;

use minicbor::Encoder;
use thiserror::Error;

use crate::limits::PLAINTEXT_BYTES_MAX;

/// The media type of a plain text, which every reader must know (section 7.1).
pub const TEXT: &str = "text/plain;charset=utf-8";
/// The media type of a marked-up text, which every reader must know and may show as it is written
/// (section 7.1).
pub const MARKDOWN: &str = "text/markdown;variant=GFM-MIMI";

/// Length of the salt in a content, which makes the message's id one of its own (section 3.3).
pub const SALT_BYTES: usize = 16;
/// Fields of the outer array: salt, replaces, topic, expires, in reply to, extensions, part.
const CONTENT_FIELDS: u64 = 7;
/// Fields of a part with one content: disposition, language, cardinality, type, content.
const SINGLE_PART_FIELDS: u64 = 5;
/// Disposition of what is simply shown.
const RENDER: u64 = 1;
/// Cardinality of a part with one content.
const SINGLE_PART: u64 = 1;

/// A decoded content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A new text to be shown, plain or marked up.
    Text(String),
    /// Something that we do not show yet.
    Other {
        /// What it is for.
        purpose: Purpose,
        /// Its media type; `multipart` where it has several parts, nothing where it has none.
        content_type: Option<String>,
    },
}

/// What a content is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A new message.
    Message,
    /// A new version of an earlier message.
    Edit,
    /// The end of an earlier message.
    Deletion,
    /// A reaction to an earlier message, or the end of one.
    Reaction,
    /// Something else, such as a profile, an icon or a call (section 4.2.1, dispositions).
    Other,
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

#[cfg(test)]
mod tests {
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
    fn a_text_beyond_the_bound_is_refused_on_both_sides() {
        let long = "x".repeat(PLAINTEXT_BYTES_MAX);
        assert_eq!(encode_text(&long, [0; 16]), Err(ContentError::TooLarge));
        assert_eq!(decode(&vec![0; PLAINTEXT_BYTES_MAX + 1]), Err(ContentError::TooLarge));
    }
}
