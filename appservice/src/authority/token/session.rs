//! A session with a token in which its user is logged in, and the key that was found.

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use mls_core::authority::KeyAlgorithm;
use thiserror::Error;

use super::super::private_file::read_private;
use crate::config::Token;

/// The curve's object identifier in DER, as CKA_EC_PARAMS has it (RFC 5480 2.1.1.1).
const P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// The lengths of public keys: of Ed25519, and of an uncompressed point of P-256.
const ED25519_BYTES: usize = 32;
const P256_BYTES: usize = 65;

/// Why the token does not do what it should.
#[derive(Debug, Error)]
pub(super) enum Failure {
    /// It may do it later.
    #[error("{0}")]
    Away(String),
    /// It will not, before people have looked.
    #[error("{0}")]
    Shut(String),
}

/// An open session and the private key. The session is closed when this is dropped.
pub(super) struct Held {
    session: Session,
    key: ObjectHandle,
}

/// Loads the library that speaks with the token.
pub(super) fn load(place: &Token) -> Result<Pkcs11, Failure> {
    let module = place.module.display();
    let away = |error: Error| Failure::Away(format!("{module}: {error}"));
    let pkcs11 = Pkcs11::new(&place.module).map_err(away)?;
    match pkcs11.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        // By others in this process.
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(pkcs11),
        Err(error) => Err(away(error)),
    }
}

impl Held {
    /// Finds the token, logs in and finds the private key.
    pub(super) fn open(pkcs11: &Pkcs11, place: &Token) -> Result<Self, Failure> {
        let slot = slot(pkcs11, place)?;
        let session = pkcs11.open_ro_session(slot).map_err(token_error(place))?;
        log_in(&session, place)?;
        let key = only(&session, ObjectClass::PRIVATE_KEY, place)?;
        Ok(Self { session, key })
    }

    /// The algorithm of the key, and the bits of its public part.
    pub(super) fn public(&self, place: &Token) -> Result<(KeyAlgorithm, Vec<u8>), Failure> {
        let public = only(&self.session, ObjectClass::PUBLIC_KEY, place)?;
        let wanted = [AttributeType::KeyType, AttributeType::EcParams, AttributeType::EcPoint];
        let found = self.session.get_attributes(public, &wanted).map_err(token_error(place))?;
        let (mut kind, mut curve, mut point) = (None, Vec::new(), Vec::new());
        for attribute in found {
            match attribute {
                Attribute::KeyType(found) => kind = Some(found),
                Attribute::EcParams(found) => curve = found,
                Attribute::EcPoint(found) => point = found,
                _ => {}
            }
        }
        let (algorithm, length) = match kind {
            Some(KeyType::EC_EDWARDS) => (KeyAlgorithm::Ed25519, ED25519_BYTES),
            Some(KeyType::EC) if curve == P256 => (KeyAlgorithm::P256, P256_BYTES),
            _ => return Err(wrong_key(place)),
        };
        let bits = point_bits(&point, length).ok_or_else(|| wrong_key(place))?;
        Ok((algorithm, bits.to_vec()))
    }

    pub(super) fn sign_with(
        &self,
        mechanism: &Mechanism<'_>,
        data: &[u8],
    ) -> Result<Vec<u8>, Failure> {
        let signed = self.session.sign(mechanism, self.key, data);
        signed.map_err(|error| Failure::Away(format!("the token: {error}")))
    }
}

fn slot(pkcs11: &Pkcs11, place: &Token) -> Result<Slot, Failure> {
    let slots = pkcs11.get_slots_with_token().map_err(token_error(place))?;
    let named = |slot: &Slot| {
        let info = pkcs11.get_token_info(*slot);
        info.is_ok_and(|info| info.label().trim_end() == place.token)
    };
    slots.into_iter().find(named).ok_or_else(|| {
        let (module, token) = (place.module.display(), &place.token);
        Failure::Away(format!("{module} has no token with the label {token:?} now"))
    })
}

fn log_in(session: &Session, place: &Token) -> Result<(), Failure> {
    let text = read_private(&place.pin_file).map_err(Failure::Shut)?;
    let shown = place.pin_file.display();
    let pin = std::str::from_utf8(&text)
        .map_err(|_| Failure::Shut(format!("{shown} is not text")))?
        .trim_end_matches(['\n', '\r']);
    match session.login(UserType::User, Some(&AuthPin::from(pin.to_owned()))) {
        // In another session of this process.
        Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
        Err(Error::Pkcs11(why, _)) if is_about_the_pin(&why) => {
            let token = &place.token;
            Err(Failure::Shut(format!(
                "the token {token:?} does not take the PIN in {shown}: {why}"
            )))
        }
        Err(error) => Err(token_error(place)(error)),
    }
}

fn is_about_the_pin(why: &RvError) -> bool {
    use RvError::{
        PinExpired, PinIncorrect, PinInvalid, PinLenRange, PinLocked, UserPinNotInitialized,
    };
    matches!(
        why,
        PinIncorrect | PinInvalid | PinLenRange | PinExpired | PinLocked | UserPinNotInitialized
    )
}

/// The one object of a class with the key's label.
fn only(session: &Session, class: ObjectClass, place: &Token) -> Result<ObjectHandle, Failure> {
    let what = [Attribute::Class(class), Attribute::Label(place.key.clone().into_bytes())];
    let found = session.find_objects(&what).map_err(token_error(place))?;
    let [only] = found.as_slice() else {
        let (token, key, count) = (&place.token, &place.key, found.len());
        return Err(Failure::Shut(format!(
            "the token {token:?} has {count} objects of {class} with the label {key:?}; it must have \
             one private key and the public key that goes with it"
        )));
    };
    Ok(*only)
}

/// The bits of a point, which stand in an OCTET STRING (PKCS #11 3.0 6.3.3), by some tokens without.
fn point_bits(point: &[u8], length: usize) -> Option<&[u8]> {
    let inside = match point {
        [0x04, count, rest @ ..] if usize::from(*count) == rest.len() => rest,
        bare => bare,
    };
    (inside.len() == length).then_some(inside)
}

fn wrong_key(place: &Token) -> Failure {
    let (token, key) = (&place.token, &place.key);
    Failure::Shut(format!("the key {key:?} of the token {token:?} is neither Ed25519 nor P-256"))
}

fn token_error(place: &Token) -> impl Fn(Error) -> Failure + use<> {
    let token = place.token.clone();
    move |error| Failure::Away(format!("the token {token:?}: {error}"))
}
