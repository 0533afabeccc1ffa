//! What may go wrong for the peer: the hub's refusals apart, for one can act on them.

use std::fmt::Display;

use mls_core::wire::Answer;
use mls_core::wire::refusal::Refusal;

/// A refusal of the hub, or one sentence.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PeerError {
    /// The hub said no.
    #[error("the hub refuses: {0}")]
    Refused(#[from] Refusal),
    /// The engine, the network, or somebody's bytes.
    #[error("{0}")]
    Other(String),
}

impl PeerError {
    pub(crate) fn new(why: impl Display) -> Self {
        Self::Other(why.to_string())
    }

    pub(crate) fn answer(answer: &Answer) -> Self {
        Self::Other(format!("the hub answered something else than was asked: {answer:?}"))
    }
}

/// Errors of the engine and of the codecs: there is nothing to do about them but say them.
macro_rules! said {
    ($($error:ty),* $(,)?) => {$(
        impl From<$error> for PeerError {
            fn from(error: $error) -> Self {
                Self::Other(format!("{error}"))
            }
        }
    )*};
}
said!(
    openmls::prelude::CryptoError,
    openmls::prelude::tls_codec::Error,
    openmls::prelude::InvalidExtensionError,
    openmls::prelude::LibraryError,
    mls_core::address::AddressError,
    mls_core::bridge_group::BridgeGroupError,
    mls_core::engine::EngineError,
    mls_core::receipt::ReceiptError,
    mls_core::content::ContentError,
    mls_rs_codec::Error,
);
