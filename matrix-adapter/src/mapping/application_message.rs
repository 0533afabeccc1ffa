//! An application message: `m.room.encrypted {algorithm, ciphertext, checkpoint?}` with our
//! algorithm.

use mls_core::checkpoint::CheckpointBytes;
use mls_core::limits::APPLICATION_BYTES_MAX;
use serde_json::Value;

use super::DecodeError;
use super::json::{Fields, Invalid, base64_text, object};
use super::namespace::suite_of;

/// The content of the event. `algorithm` is the room's, see [`super::namespace::algorithm`].
pub fn encode(algorithm: &str, message: &[u8], checkpoint: Option<&CheckpointBytes>) -> Value {
    let text = |bytes: &CheckpointBytes| Value::from(base64_text(&bytes.0));
    object([
        ("algorithm", Value::from(algorithm)),
        ("ciphertext", Value::from(base64_text(message))),
        ("checkpoint", checkpoint.map(text).unwrap_or_default()),
    ])
}

/// The MLSMessage in the content and what stands beside it; another algorithm's is not for us. A
/// checkpoint that cannot be one is passed over: the message is worth reading without.
pub fn decode(content: Value) -> Result<(Vec<u8>, Option<CheckpointBytes>), DecodeError> {
    let mut fields = Fields::of(content)?;
    let algorithm: Option<String> = fields.take("algorithm").unwrap_or_default();
    if algorithm.as_deref().and_then(suite_of).is_none() {
        return Err(DecodeError::Mismatch);
    }
    let message: Vec<u8> = fields.take("ciphertext")?;
    if message.len() > APPLICATION_BYTES_MAX {
        return Err(Invalid("ciphertext should be at most 32 KiB".to_owned()).into());
    }
    let checkpoint: Option<Vec<u8>> = fields.take("checkpoint").unwrap_or_default();
    Ok((message, checkpoint.and_then(CheckpointBytes::of)))
}

/// Whether the content of an `m.room.encryption` marks the room as one of ours.
pub fn marks_our_room(encryption: &Value) -> bool {
    encryption.get("algorithm").and_then(Value::as_str).and_then(suite_of).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_decoder_tells_not_mine_from_mine_but_broken() {
        let ours = super::super::namespace::algorithm(1).unwrap();
        assert_eq!(decode(encode(&ours, b"x", None)), Ok((b"x".to_vec(), None)));
        let checkpoint = CheckpointBytes(b"signed".to_vec());
        let both = decode(encode(&ours, b"x", Some(&checkpoint)));
        assert_eq!(both, Ok((b"x".to_vec(), Some(checkpoint))));
        for no_checkpoint in [json!(7), json!("?"), json!("AA".repeat(1000))] {
            let content =
                json!({"algorithm": ours, "ciphertext": "eA", "checkpoint": no_checkpoint});
            assert_eq!(decode(content), Ok((b"x".to_vec(), None)));
        }
        for not_mine in [
            json!({"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "AA"}),
            json!({"algorithm": 7, "ciphertext": "AA"}),
            json!({}),
        ] {
            assert_eq!(decode(not_mine), Err(DecodeError::Mismatch));
        }
        for broken in [
            json!({"algorithm": ours}),
            json!({"algorithm": ours, "ciphertext": "AA=="}),
            json!({"algorithm": ours, "ciphertext": {"x": "AA"}}),
            encode(&ours, &vec![0; APPLICATION_BYTES_MAX + 1], None),
        ] {
            assert!(matches!(decode(broken), Err(DecodeError::Invalid(_))));
        }
    }
}
