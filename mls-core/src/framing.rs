//! What the engine keeps to itself of the messages that it decodes: read here from their bytes (RFC 9420 6, 7.6
//! and 12).

use mls_rs::group::LeafNode;
use mls_rs::group::proposal::Proposal;
use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};
use mls_rs_core::crypto::HpkePublicKey;

/// Wire formats (RFC 9420 6).
const PUBLIC_MESSAGE: u16 = 1;
const PRIVATE_MESSAGE: u16 = 2;
/// Types of senders that are followed by an index (RFC 9420 6).
const MEMBER: u8 = 1;
const EXTERNAL: u8 = 2;

/// RFC 9420 7.6; the engine's own type is not public.
#[derive(MlsSize, MlsEncode, MlsDecode)]
pub(crate) struct UpdatePath {
    pub(crate) leaf_node: LeafNode,
    pub(crate) nodes: Vec<UpdatePathNode>,
}

/// One node above the leaf.
#[derive(MlsSize, MlsEncode, MlsDecode)]
pub(crate) struct UpdatePathNode {
    pub(crate) public_key: HpkePublicKey,
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    encrypted_path_secrets: Vec<u8>,
}

/// The authenticated data of an MLSMessage that is a PublicMessage or a PrivateMessage, where it travels in
/// clear (RFC 9420 6.2 and 6.3); nothing for another message.
pub(crate) fn authenticated_data(message: &[u8]) -> Result<Vec<u8>, mls_rs_codec::Error> {
    match from_authenticated_data(message)? {
        Some(mut rest) => mls_rs_codec::byte_vec::mls_decode(&mut rest),
        None => Ok(Vec::new()),
    }
}

/// The path of a commit (RFC 9420 6, 6.2 and 12.4): what stands before it is passed over. `commit` is a whole
/// MLSMessage that the engine could decode as a PublicMessage with a commit.
pub(crate) fn path(commit: &[u8]) -> Result<Option<UpdatePath>, mls_rs_codec::Error> {
    let no_commit = mls_rs_codec::Error::UnsupportedEnumDiscriminant;
    let mut rest = from_authenticated_data(commit)?.ok_or(no_commit)?;
    mls_rs_codec::byte_vec::mls_decode::<Vec<u8>>(&mut rest)?; // authenticated data
    u8::mls_decode(&mut rest)?; // content type
    mls_rs_codec::byte_vec::mls_decode::<Vec<u8>>(&mut rest)?; // proposals
    Option::<UpdatePath>::mls_decode(&mut rest)
}

/// The leaf that an Update brings: it stands behind the proposal's type (RFC 9420 12.1.2).
pub(crate) fn leaf_of_update(proposal: &Proposal) -> Result<LeafNode, mls_rs_codec::Error> {
    let bytes = proposal.mls_encode_to_vec()?;
    let mut rest = bytes.as_slice();
    u16::mls_decode(&mut rest)?;
    LeafNode::mls_decode(&mut rest)
}

/// What stands in a PublicMessage or a PrivateMessage from its authenticated data on.
fn from_authenticated_data(message: &[u8]) -> Result<Option<&[u8]>, mls_rs_codec::Error> {
    let mut rest = message;
    u16::mls_decode(&mut rest)?; // version
    let format = u16::mls_decode(&mut rest)?;
    if ![PUBLIC_MESSAGE, PRIVATE_MESSAGE].contains(&format) {
        return Ok(None);
    }
    mls_rs_codec::byte_vec::mls_decode::<Vec<u8>>(&mut rest)?; // group id
    u64::mls_decode(&mut rest)?; // epoch
    let content_or_sender = u8::mls_decode(&mut rest)?;
    if format == PUBLIC_MESSAGE && matches!(content_or_sender, MEMBER | EXTERNAL) {
        u32::mls_decode(&mut rest)?; // which one
    }
    Ok(Some(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_commit_has_no_path_that_can_be_read() {
        for bytes in [&[][..], &[0, 1, 0, 1], &[0xFF; 64]] {
            assert!(path(bytes).is_err());
        }
    }
}
