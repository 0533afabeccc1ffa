//! Reading a MIMI content (draft-ietf-mimi-content-09, section 4 and appendix A).

use minicbor::Decoder;
use minicbor::data::Type;

use super::{
    CONTENT_FIELDS, Content, ContentError, MARKDOWN, Purpose, SALT_BYTES, SINGLE_PART,
    SINGLE_PART_FIELDS,
};
use crate::limits::PLAINTEXT_BYTES_MAX;

/// Length of the id of a message: the number of the hash, and 31 bytes of it.
const MESSAGE_ID_BYTES: usize = 32;
/// The longest topic.
const TOPIC_BYTES_MAX: usize = 4096;
/// The longest media type that is passed on; the bound is ours.
const CONTENT_TYPE_BYTES_MAX: usize = 256;

const REACTION: u64 = 2;
/// Dispositions that are no message: profile, icon, session, preview.
const NO_MESSAGE: [u64; 4] = [3, 5, 7, 8];

const NULL_PART: u64 = 0;
const EXTERNAL_PART: u64 = 2;
const MULTI_PART: u64 = 3;
const NULL_PART_FIELDS: u64 = 3;
const EXTERNAL_PART_FIELDS: u64 = 15;
const MULTI_PART_FIELDS: u64 = 5;

type Cbor<T> = Result<T, minicbor::decode::Error>;

/// Decodes a content.
pub fn decode(bytes: &[u8]) -> Result<Content, ContentError> {
    if bytes.len() > PLAINTEXT_BYTES_MAX {
        return Err(ContentError::TooLarge);
    }
    read(bytes).map_err(|_| ContentError::Broken)
}

fn read(bytes: &[u8]) -> Cbor<Content> {
    let mut decoder = Decoder::new(bytes);
    check(decoder.array()? == Some(CONTENT_FIELDS))?;
    check(decoder.bytes()?.len() == SALT_BYTES)?;
    let replaces = message_id(&mut decoder)?;
    check(decoder.bytes()?.len() <= TOPIC_BYTES_MAX)?;
    if !null(&mut decoder)? {
        check(decoder.array()? == Some(2))?;
        decoder.bool()?; // from the moment of reading on
        decoder.u32()?;
    }
    message_id(&mut decoder)?; // in reply to
    check(decoder.datatype()? == Type::Map)?;
    decoder.skip()?;
    let part = read_part(&mut decoder)?;
    check(decoder.position() == bytes.len())?;
    Ok(part.content(replaces))
}

/// A message id or nothing; whether there was one.
fn message_id(decoder: &mut Decoder<'_>) -> Cbor<bool> {
    if null(decoder)? {
        return Ok(false);
    }
    check(decoder.bytes()?.len() == MESSAGE_ID_BYTES)?;
    Ok(true)
}

/// Reads a null, if one stands here.
fn null(decoder: &mut Decoder<'_>) -> Cbor<bool> {
    let is_null = decoder.datatype()? == Type::Null;
    if is_null { decoder.null().map(|()| true) } else { Ok(false) }
}

/// The outermost part.
struct Part<'a> {
    disposition: u64,
    content_type: Option<&'a str>,
    text: Option<&'a str>,
}

fn read_part<'a>(decoder: &mut Decoder<'a>) -> Cbor<Part<'a>> {
    let fields = decoder.array()?;
    let disposition = decoder.u64()?;
    decoder.str()?; // language
    let cardinality = decoder.u64()?;
    let (expected, read) = match cardinality {
        NULL_PART => (NULL_PART_FIELDS, 3),
        SINGLE_PART => (SINGLE_PART_FIELDS, 5),
        EXTERNAL_PART => (EXTERNAL_PART_FIELDS, 4),
        MULTI_PART => (MULTI_PART_FIELDS, 3),
        _ => return Err(broken()),
    };
    check(fields == Some(expected))?;
    let mut part = Part { disposition, content_type: None, text: None };
    match cardinality {
        SINGLE_PART => {
            let (content_type, bytes) = (content_type(decoder)?, decoder.bytes()?);
            part.content_type = Some(content_type);
            if is_text(content_type) {
                part.text = Some(std::str::from_utf8(bytes).map_err(|_| broken())?);
            }
        }
        EXTERNAL_PART => part.content_type = Some(content_type(decoder)?),
        MULTI_PART => part.content_type = Some("multipart"),
        _ => {}
    }
    for _ in read..expected {
        decoder.skip()?;
    }
    Ok(part)
}

fn content_type<'a>(decoder: &mut Decoder<'a>) -> Cbor<&'a str> {
    let content_type = decoder.str()?;
    check(content_type.len() <= CONTENT_TYPE_BYTES_MAX)?;
    Ok(content_type)
}

impl Part<'_> {
    fn content(&self, replaces: bool) -> Content {
        let purpose = match self.disposition {
            REACTION => Purpose::Reaction,
            disposition if NO_MESSAGE.contains(&disposition) => Purpose::Other,
            _ if replaces && self.content_type.is_none() => Purpose::Deletion,
            _ if replaces => Purpose::Edit,
            // Also what nobody knows yet is shown (section 4.2.1).
            _ => Purpose::Message,
        };
        match self.text {
            Some(text) if purpose == Purpose::Message => Content::Text(text.to_owned()),
            _ => Content::Other { purpose, content_type: self.content_type.map(str::to_owned) },
        }
    }
}

/// Text in UTF-8 that can be shown as it is, however the parameters of its type are written.
fn is_text(content_type: &str) -> bool {
    if content_type.eq_ignore_ascii_case(MARKDOWN) {
        return true;
    }
    let mut parts = content_type.split(';').map(str::trim);
    parts.next().is_some_and(|media| media.eq_ignore_ascii_case("text/plain"))
        && parts.all(|parameter| {
            !parameter.to_ascii_lowercase().starts_with("charset=")
                || parameter.eq_ignore_ascii_case("charset=utf-8")
        })
}

fn check(holds: bool) -> Cbor<()> {
    if holds { Ok(()) } else { Err(broken()) }
}

fn broken() -> minicbor::decode::Error {
    minicbor::decode::Error::message("not a content")
}

#[cfg(test)]
mod tests {
    use minicbor::Encoder;
    use proptest::prelude::*;

    use super::*;
    use crate::codec_properties::Damage;
    use crate::content::encode_text;

    /// Examples of the draft, sections 5.1 (original), 5.3 (reaction) and 5.6 (deletion).
    const ORIGINAL: &str = "87505eed9406c2545547ab6f09f20a18b003f640f6f6a20178206d696d693a2f2f6578616d706c652e636f6d2f752f616c6963652d736d6974680278256d696d693a2f2f6578616d706c652e636f6d2f722f656e67696e656572696e675f7465616d85016001781e746578742f6d61726b646f776e3b76617269616e743d47464d2d4d494d49583948692065766572796f6e652c207765206a75737420736869707065642072656c6561736520322e302e205f5f476f6f642020776f726b5f5f21";
    const REACTION: &str = "8750d37bc0e6a8b4f04e9e6382375f587bf6f640f65820017ce54837404c3696e0c747b985cb172716d0ed0a3d249ca63ace7d82a096f4a20178256d696d693a2f2f6578616d706c652e636f6d2f752f63617468792d77617368696e67746f6e0278256d696d693a2f2f6578616d706c652e636f6d2f722f656e67696e656572696e675f7465616d850260017818746578742f706c61696e3b636861727365743d7574662d3843e29da4";
    const DELETION: &str = "87500a590d73b2c7761c39168be5ebf7f2e65820015354973c2b65ca937bf1e035ae53a5ab80e947afa43d46920d4202e5cc0b2740f65820017ce54837404c3696e0c747b985cb172716d0ed0a3d249ca63ace7d82a096f4a201781e6d696d693a2f2f6578616d706c652e636f6d2f752f626f622d6a6f6e65730278256d696d693a2f2f6578616d706c652e636f6d2f722f656e67696e656572696e675f7465616d83016000";

    fn other(purpose: Purpose, content_type: &str) -> Content {
        let content_type = Some(content_type).filter(|name| !name.is_empty()).map(str::to_owned);
        Content::Other { purpose, content_type }
    }

    #[test]
    fn the_drafts_examples_are_a_text_a_reaction_and_a_deletion() {
        let text = "Hi everyone, we just shipped release 2.0. __Good  work__!";
        for (example, expected) in [
            (ORIGINAL, Content::Text(text.to_owned())),
            (REACTION, other(Purpose::Reaction, "text/plain;charset=utf-8")),
            (DELETION, other(Purpose::Deletion, "")),
        ] {
            assert_eq!(decode(&hex::decode(example).unwrap()), Ok(expected));
        }
    }

    type WriteRest<'a> = &'a dyn Fn(&mut Encoder<Vec<u8>>);

    /// A content with this part, which replaces an earlier one or not.
    fn with_part(
        replaces: bool,
        (fields, disposition, cardinality): (u64, u64, u64),
        rest: WriteRest<'_>,
    ) -> Result<Content, ContentError> {
        let mut e = Encoder::new(Vec::new());
        e.array(7).unwrap().bytes(&[1; 16]).unwrap();
        match replaces {
            true => e.bytes(&[1; 32]).unwrap(),
            false => e.null().unwrap(),
        };
        e.bytes(&[]).unwrap().array(2).unwrap().bool(true).unwrap().u32(5).unwrap();
        e.null().unwrap().map(0).unwrap().array(fields).unwrap();
        e.u64(disposition).unwrap().str("").unwrap().u64(cardinality).unwrap();
        rest(&mut e);
        decode(&e.into_writer())
    }

    #[test]
    fn what_is_not_a_new_text_is_named_by_its_purpose_and_type() {
        let single = |content_type: &'static str| {
            move |e: &mut Encoder<Vec<u8>>| {
                e.str(content_type).unwrap().bytes(b"hi").unwrap();
            }
        };
        let several = |e: &mut Encoder<Vec<u8>>| {
            e.u64(0).unwrap().array(2).unwrap();
            for _ in 0..2 {
                e.array(3).unwrap().u64(1).unwrap().str("").unwrap().u64(0).unwrap();
            }
        };
        let external = |e: &mut Encoder<Vec<u8>>| {
            e.str("").unwrap();
            for _ in 0..11 {
                e.u64(0).unwrap();
            }
        };
        let one_too_many = |e: &mut Encoder<Vec<u8>>| {
            e.null().unwrap();
        };
        let text = || Ok(Content::Text("hi".to_owned()));
        let cases: [(_, _, WriteRest<'_>, _); 11] = [
            (false, (5, 1, 1), &single("text/plain"), text()),
            (false, (5, 200, 1), &single("Text/Markdown;variant=GFM-MIMI"), text()),
            (true, (5, 1, 1), &single("text/plain"), Ok(other(Purpose::Edit, "text/plain"))),
            (false, (5, 3, 1), &single("text/plain"), Ok(other(Purpose::Other, "text/plain"))),
            (false, (5, 1, 1), &single("image/png"), Ok(other(Purpose::Message, "image/png"))),
            (
                false,
                (5, 1, 1),
                &single("text/plain;charset=latin1"),
                Ok(other(Purpose::Message, "text/plain;charset=latin1")),
            ),
            (false, (3, 2, 0), &|_| (), Ok(other(Purpose::Reaction, ""))),
            (false, (5, 1, 3), &several, Ok(other(Purpose::Message, "multipart"))),
            (false, (15, 7, 2), &external, {
                Ok(Content::Other { purpose: Purpose::Other, content_type: Some(String::new()) })
            }),
            (false, (4, 1, 0), &one_too_many, Err(ContentError::Broken)),
            (false, (3, 1, 4), &|_| (), Err(ContentError::Broken)),
        ];
        for (replaces, part, rest, expected) in cases {
            assert_eq!(with_part(replaces, part, rest), expected, "{replaces} {part:?}");
        }
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
        fn a_damaged_text_does_not_make_the_decoder_panic(text in "\\PC{0,40}", damage: Damage) {
            let _ = decode(&damage.done_to(encode_text(&text, [7; 16]).unwrap()));
        }
    }
}
