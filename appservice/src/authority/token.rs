//! A key in a PKCS #11 token, which signs and never leaves it.
//!
//! Ed25519 by CKM_EDDSA (PKCS #11 3.0) and P-256 by CKM_ECDSA over a digest of ours, which more tokens can
//! do than CKM_ECDSA_SHA256.

mod session;

use std::fmt;
use std::sync::{Mutex, PoisonError};

use cryptoki::context::Pkcs11;
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use mls_core::authority::{AuthorityKey, AuthorityKeyError, KeyAlgorithm};
use mls_core::engine::sha256;

use self::session::{Failure, Held};
use crate::config::Token;

/// A key in a token. It prints nothing.
pub(super) struct TokenKey {
    place: Token,
    /// Loaded once: not every module can be unloaded.
    module: Pkcs11,
    algorithm: KeyAlgorithm,
    public: Vec<u8>,
    state: Mutex<State>,
}

/// How it stands with the token.
enum State {
    /// It is open.
    Held(Held),
    /// It went away; it is looked for when something is to be signed.
    Away,
    /// It does not take the PIN. Tried again, it would lock itself; people have to look.
    Shut(String),
}

impl TokenKey {
    /// Opens the token, logs in, and finds the key.
    pub(super) fn open(place: &Token) -> Result<Self, String> {
        let module = session::load(place).map_err(|failure| failure.to_string())?;
        let held = Held::open(&module, place).map_err(|failure| failure.to_string())?;
        let (algorithm, public) = held.public(place).map_err(|failure| failure.to_string())?;
        let state = Mutex::new(State::Held(held));
        Ok(Self { place: place.clone(), module, algorithm, public, state })
    }

    fn sign_once(&self, state: &mut State, message: &[u8]) -> Result<Vec<u8>, Failure> {
        if let State::Away = state {
            *state = match Held::open(&self.module, &self.place) {
                Ok(held) => State::Held(held),
                Err(Failure::Shut(why)) => State::Shut(why),
                Err(failure) => return Err(failure),
            };
        }
        let signed = match state {
            State::Held(held) => held.sign(self.algorithm, message),
            State::Shut(why) => return Err(Failure::Shut(why.clone())),
            State::Away => return Err(Failure::Away("the token is away".to_owned())),
        };
        // What was open may be stale: another session may do.
        signed.inspect_err(|_| *state = State::Away)
    }
}

impl AuthorityKey for TokenKey {
    fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    fn public(&self) -> &[u8] {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, AuthorityKeyError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let signed = match self.sign_once(&mut state, message) {
            Err(Failure::Away(_)) => self.sign_once(&mut state, message),
            once => once,
        };
        signed.map_err(|failure| {
            tracing::warn!(%failure, "the authority's token does not sign; devices get no certificate now");
            AuthorityKeyError(failure.to_string())
        })
    }
}

impl Held {
    fn sign(&self, algorithm: KeyAlgorithm, message: &[u8]) -> Result<Vec<u8>, Failure> {
        match algorithm {
            KeyAlgorithm::Ed25519 => {
                let params = EddsaParams::new(EddsaSignatureScheme::Pure);
                self.sign_with(&Mechanism::Eddsa(params), message)
            }
            KeyAlgorithm::P256 => {
                let raw = self.sign_with(&Mechanism::Ecdsa, &sha256(message).0)?;
                ecdsa_signature(&raw)
            }
        }
    }
}

/// `ECDSA-Sig-Value` (RFC 5480 appendix A) of the two numbers that a token puts one after the other.
fn ecdsa_signature(raw: &[u8]) -> Result<Vec<u8>, Failure> {
    let (r, s) = raw
        .split_at_checked(32)
        .filter(|(_, s)| s.len() == 32)
        .ok_or_else(|| Failure::Away(format!("it gave a signature of {} bytes", raw.len())))?;
    Ok(yasna::construct_der(|writer| {
        writer.write_sequence(|writer| {
            writer.next().write_bigint_bytes(r, true);
            writer.next().write_bigint_bytes(s, true);
        });
    }))
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey(..)")
    }
}
