//! How sealed bodies are padded, so that their sizes tell little.
//!
//! `uint32 length; opaque body[length]; zeros`, up to a multiple of 128 bytes, above 1 KiB up to a
//! length of Padmé (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and
//! Communication with PURBs"), which costs at most 12 %.

use zeroize::Zeroizing;

const LENGTH_BYTES: usize = 4;
const BLOCK_BYTES: usize = 128;
const BLOCKS_UP_TO: usize = 1024;

/// The body, with its length before and zeros behind it.
pub(super) fn pad(body: &[u8]) -> Zeroizing<Vec<u8>> {
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes();
    let mut padded = Zeroizing::new(vec![0; padded_len(LENGTH_BYTES.saturating_add(body.len()))]);
    let bytes = length.iter().chain(body);
    padded.iter_mut().zip(bytes).for_each(|(place, byte)| *place = *byte);
    padded
}

/// The body, if this is one that was padded.
pub(super) fn unpad(mut padded: Zeroizing<Vec<u8>>) -> Option<Zeroizing<Vec<u8>>> {
    let length = u32::from_be_bytes(*padded.first_chunk::<LENGTH_BYTES>()?);
    let end = LENGTH_BYTES.checked_add(usize::try_from(length).ok()?)?;
    if end > padded.len() || padded.get(end..)?.iter().any(|byte| *byte != 0) {
        return None;
    }
    padded.truncate(end);
    padded.drain(..LENGTH_BYTES);
    Some(padded)
}

/// The length that is shown for `len` bytes.
fn padded_len(len: usize) -> usize {
    let step = match len.checked_ilog2() {
        Some(exponent) if len > BLOCKS_UP_TO => {
            let kept = exponent.ilog2().saturating_add(1);
            1usize << exponent.saturating_sub(kept)
        }
        _ => BLOCK_BYTES,
    };
    len.max(1).next_multiple_of(step)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn few_sizes_are_seen_and_none_costs_much() {
        for (len, seen) in [
            (0, 128),
            (1, 128),
            (128, 128),
            (129, 256),
            (1024, 1024),
            (1025, 1088),
            (1088, 1088),
            (32 * 1024, 32 * 1024),
            (32 * 1024 + 1, 34 * 1024),
        ] {
            assert_eq!(padded_len(len), seen, "{len}");
        }
        for len in 1024..70_000 {
            let seen = padded_len(len);
            assert!(seen >= len && (seen - len) * 100 <= len * 12, "{len} is seen as {seen}");
        }
    }

    proptest! {
        #[test]
        fn a_body_comes_back_from_its_padding(body in prop::collection::vec(any::<u8>(), 0..3000)) {
            let padded = pad(&body);
            prop_assert_eq!(padded.len(), padded_len(body.len() + LENGTH_BYTES));
            prop_assert_eq!(unpad(padded).unwrap().to_vec(), body);
        }

        #[test]
        fn what_was_not_padded_is_refused_or_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Some(body) = unpad(Zeroizing::new(bytes.clone())) {
                prop_assert!(body.len() + LENGTH_BYTES <= bytes.len());
            }
        }
    }
}
