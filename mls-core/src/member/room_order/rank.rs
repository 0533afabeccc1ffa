//! Which of the commits that were made in one state wins: a rule over MLS bytes only, so that
//! everybody picks the same one.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use crate::wire::Digest;

/// The least wins: a member's before one from outside, then the lowest leaf, then the lowest hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub(super) struct Rank {
    external: bool,
    /// The committer's; 0 for one from outside, who has none.
    leaf: u32,
    /// SHA-256 of the commit's MLSMessage.
    hash: Digest,
}

impl Rank {
    /// Of a commit. Where it came from outside, its committer's leaf is one that it made itself.
    pub(super) fn new(external: bool, leaf: u32, hash: Digest) -> Self {
        Self { external, leaf: if external { 0 } else { leaf }, hash }
    }
}

#[cfg(test)]
crate::codec_properties::hold!(Rank);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_leaf_wins_then_the_lowest_hash_and_who_comes_from_outside_last() {
        let low = Digest([1; 32]);
        let high = Digest([2; 32]);
        let in_order = [
            Rank::new(false, 0, high),
            Rank::new(false, 1, low),
            Rank::new(false, 1, high),
            Rank::new(true, 5, low),
            Rank::new(true, 0, high),
        ];
        assert!(in_order.is_sorted());
    }
}
