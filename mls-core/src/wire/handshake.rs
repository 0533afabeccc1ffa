//! `Handshake`: an accepted proposal or commit, with the receipt that orders it. It comes in answers
//! of the hub; in rooms it stands sealed.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::{GroupId, blob::Part};
use crate::engine::{EngineError, crypto_error};

/// The sender on either network must be the hub, and the receipt must be the group's next.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct Handshake {
    /// The group.
    pub group: GroupId,
    /// Position in the group's one order, over both networks.
    pub seq: u64,
    /// The epoch in which the message was sent.
    pub epoch: u64,
    /// An MLSMessage that holds a PublicMessage.
    pub message: Part,
    /// An encoded [`crate::receipt::Receipt`].
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub receipt: Vec<u8>,
}

/// A handshake as it stands in the rooms: what orders it is in clear.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct SealedHandshake {
    /// The group.
    pub group: GroupId,
    /// Position in the group's one order.
    pub seq: u64,
    /// The epoch in which the message was sent, under whose key it is sealed.
    pub epoch: u64,
    /// The [`Handshake`] under a [`crate::seal::handshake_key::HandshakeKey`]; empty where it is too
    /// large for a room and is to be fetched.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub sealed: Vec<u8>,
}

impl SealedHandshake {
    /// The place of a handshake that is to be fetched.
    pub fn left_out(handshake: &Handshake) -> Self {
        let Handshake { group, seq, epoch, .. } = handshake;
        Self { group: group.clone(), seq: *seq, epoch: *epoch, sealed: Vec::new() }
    }

    /// What is bound to the sealed bytes.
    pub(crate) fn place(&self) -> Result<Vec<u8>, EngineError> {
        let group = self.group.mls_encode_to_vec().map_err(crypto_error)?;
        Ok([group.as_slice(), &self.seq.to_be_bytes(), &self.epoch.to_be_bytes()].concat())
    }
}

#[cfg(test)]
crate::codec_properties::hold!(Handshake, SealedHandshake);
