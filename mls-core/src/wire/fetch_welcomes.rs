//! `FetchWelcomes`: Welcomes that wait for a device, for the way they are pushed is lossy.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::{Digest, welcome::Welcome};

/// Also tells the hub which Welcomes it need not keep, or not send.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct FetchWelcomes {
    /// The asking account's device.
    pub device: String,
    /// [`Welcome::id`](super::welcome::Welcome::id) of those that were dealt with.
    pub acknowledged: Vec<Digest>,
    /// Those that it has, and that wait there for their rooms: they are not sent again.
    pub held: Vec<Digest>,
}

/// Those that wait, as many as fit.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct Welcomes {
    /// The oldest first.
    pub welcomes: Vec<Welcome>,
    /// There are more; acknowledge or hold these and ask again.
    pub more: bool,
}

#[cfg(test)]
crate::codec_properties::hold!(FetchWelcomes, Welcomes);
