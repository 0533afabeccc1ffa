//! `CreateRoom`: the hub makes a room, a MUC, or both, and gives the creator full rights.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

/// At least one of the two.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct CreateRoom {
    /// Make a Matrix room.
    pub matrix: bool,
    /// Make a multi-user chat.
    pub xmpp: bool,
    /// What people will call it; at most [`NAME_BYTES_MAX`](crate::limits::NAME_BYTES_MAX).
    pub name: String,
}

/// What was made.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct RoomCreated {
    /// The room id.
    pub matrix_room: Option<String>,
    /// The bare JID of the MUC.
    pub muc: Option<String>,
}

#[cfg(test)]
crate::codec_properties::hold!(CreateRoom, RoomCreated);
