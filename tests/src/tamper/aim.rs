//! Which byte of an MLS message in base64 to hit.
//!
//! Lengths are those of suite 1, where a tag or a hash has 32 bytes and a signature 64. A vector
//! is preceded by its length, in one byte below 64 and in two from there on (RFC 9420 2.1.2).

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// A tag with its length.
const TAG: usize = 1 + 32;
/// A hash, or an X25519 key, with its length.
const HASH: usize = 1 + 32;

/// A byte of the message, counted from its first (0) or from its last (1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// So many bytes behind the first.
    FromStart(usize),
    /// So many bytes before the end.
    FromEnd(usize),
}

impl Aim {
    /// Past the length and the type of any message.
    pub const SOMEWHERE: Self = Self::FromStart(30);
    /// The middle of a member's PublicMessage's last field (RFC 9420 6.2).
    pub const MEMBERSHIP_TAG: Self = Self::FromEnd(16);
    /// The middle of the field before that (6.1: FramedContentAuthData).
    pub const CONFIRMATION_TAG: Self = Self::FromEnd(TAG + 16);
    /// The middle of the field before that.
    pub const COMMIT_SIGNATURE: Self = Self::FromEnd(TAG + TAG + 32);
    /// The middle of a GroupInfo's last field (12.4.3).
    pub const GROUP_INFO_SIGNATURE: Self = Self::FromEnd(32);
    /// The encrypted group secrets of the first new member of a Welcome (12.4.3.1): behind
    /// version, wire format and suite, the length of the list, KeyPackageRef, `kem_output` and
    /// the length of the ciphertext, which has 51 bytes, or 84 with a path secret.
    pub const GROUP_SECRETS: Self = Self::FromStart(2 + 2 + 2 + 2 + HASH + HASH + 2 + 24);
    /// The AEAD tag at the end of a Welcome's encrypted GroupInfo.
    pub const ENCRYPTED_GROUP_INFO: Self = Self::FromEnd(8);

    /// Flips one bit of that byte of the message itself; `None` where it is too short.
    pub fn flip_bytes(self, message: &mut [u8]) -> Option<()> {
        *message.get_mut(self.byte(message.len())?)? ^= 1;
        Some(())
    }

    /// Flips one bit of that byte in `text`, which begins with base64; `None` where the base64
    /// is too short, or does not end in `text`.
    pub(super) fn flip(self, text: &mut [u8]) -> Option<()> {
        let characters = text.iter().position(|byte| !ALPHABET.contains(byte))?;
        // The last bit of the character in which the byte begins is in that byte.
        let character = text.get_mut(self.byte(characters * 6 / 8)? * 8 / 6)?;
        let value = ALPHABET.iter().position(|known| known == character)?;
        *character = *ALPHABET.get(value ^ 1)?;
        Some(())
    }

    /// The byte in a message of so many.
    fn byte(self, length: usize) -> Option<usize> {
        let byte = match self {
            Self::FromStart(byte) => byte,
            Self::FromEnd(back) => length.checked_sub(back)?,
        };
        Some(byte).filter(|byte| *byte < length)
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

    use super::Aim;

    #[test]
    fn exactly_one_bit_of_the_byte_that_is_aimed_at_is_flipped() {
        for length in [200, 201, 202] {
            let message: Vec<u8> = (0..length).map(|n| n as u8).collect();
            for (text, end) in [
                (STANDARD.encode(&message), "</commit>"),
                (STANDARD_NO_PAD.encode(&message), "\","),
            ] {
                for (aim, hit) in [
                    (Aim::SOMEWHERE, 30),
                    (Aim::MEMBERSHIP_TAG, length - 16),
                    (Aim::CONFIRMATION_TAG, length - 49),
                    (Aim::COMMIT_SIGNATURE, length - 98),
                ] {
                    let mut changed = format!("{text}{end}").into_bytes();
                    aim.flip(&mut changed).unwrap();
                    let text = String::from_utf8(changed).unwrap();
                    let text = text.trim_end_matches(end).trim_end_matches('=');
                    let changed = STANDARD_NO_PAD.decode(text).unwrap();
                    let differ = (0..length).filter(|i| message[*i] != changed[*i]);
                    assert_eq!(differ.collect::<Vec<_>>(), [hit], "{aim:?}");
                    assert_eq!((message[hit] ^ changed[hit]).count_ones(), 1);
                }
            }
        }
    }

    #[test]
    fn base64_that_is_too_short_or_cut_off_is_left_alone() {
        for text in ["AAAA<", "AAAABBBBCCCC"] {
            let mut bytes = text.as_bytes().to_vec();
            assert_eq!(Aim::MEMBERSHIP_TAG.flip(&mut bytes), None);
            assert_eq!(bytes, text.as_bytes());
        }
    }
}
