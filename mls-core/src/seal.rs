//! What keeps servers between a member and its hub from reading along.
//!
//! Requests are sealed to the hub's seal key ([`hub_key`]), answers under a key that came with the
//! request, both padded (`padding`). A member does both with a [`Sealer`]. Handshakes that the hub
//! posts into rooms are sealed under a key that members derive from their epoch
//! ([`handshake_key`]), and which the hub is given by whoever commits.

pub mod answer_key;
pub mod handshake_key;
pub mod hub_key;
mod padding;
mod sealer;

pub use sealer::{SealError, Sealer};

use mls_rs_core::crypto::{CipherSuite, CipherSuiteProvider};
use zeroize::Zeroizing;

use crate::engine::{EngineError, cipher_suite, crypto_error};

/// DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and AES-128-GCM, whatever a group's suite is.
const SUITE: CipherSuite = CipherSuite::CURVE25519_AES128;
/// Bytes of a key of the AEAD.
const KEY_BYTES: usize = 16;
/// Bytes of a nonce of the AEAD.
const NONCE_BYTES: usize = 12;

/// Pads and encrypts: the nonce, which must be used for these bytes only, then the ciphertext.
fn aead_seal(key: &[u8], nonce: &[u8], aad: &[u8], body: &[u8]) -> Result<Vec<u8>, EngineError> {
    let padded = padding::pad(body);
    let sealed =
        cipher_suite(SUITE)?.aead_seal(key, &padded, Some(aad), nonce).map_err(crypto_error)?;
    Ok([nonce, &sealed].concat())
}

/// What [`aead_seal`] sealed.
fn aead_open(key: &[u8], aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, EngineError> {
    let (nonce, sealed) = sealed
        .split_at_checked(NONCE_BYTES)
        .ok_or_else(|| crypto_error("what should be sealed is too short"))?;
    let padded =
        cipher_suite(SUITE)?.aead_open(key, sealed, Some(aad), nonce).map_err(crypto_error)?;
    padding::unpad(padded).ok_or_else(|| crypto_error("what was sealed is not padded"))
}
