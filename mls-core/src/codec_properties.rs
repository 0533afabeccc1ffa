//! What holds for every type with a binary form, wherever it is kept or sent; test code.
//!
//! A type derives its strategy beside its codec, so a new field needs nothing here; `hold!` in its
//! file runs the properties.

mod address;
mod door;
mod transparency;

use mls_rs_codec::{MlsDecode, MlsEncode};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::address::{ClientId, UserId};

/// Cases of each property: few, for there are many types, and each run takes others.
pub(crate) const CASES: u32 = 16;

/// Runs the properties on the named types.
macro_rules! hold {
    ($($type:ident),+ $(,)?) => {
        #[allow(non_snake_case, reason = "a module is named after its type")]
        mod codec_properties {$(
            mod $type {
                use proptest::prelude::*;

                type Type = super::super::$type;

                proptest! {
                    #![proptest_config(ProptestConfig::with_cases($crate::codec_properties::CASES))]

                    #[test]
                    fn a_value_comes_back_from_its_bytes(value: Type) {
                        $crate::codec_properties::comes_back(&value)?;
                    }

                    #[test]
                    fn damaged_bytes_do_not_make_the_decoder_panic(
                        value: Type,
                        damage: $crate::codec_properties::Damage,
                    ) {
                        let bytes = $crate::codec_properties::encode(&value);
                        $crate::codec_properties::no_panic::<Type>(&damage.done_to(bytes))?;
                    }

                    #[test]
                    fn no_bytes_make_the_decoder_panic(
                        bytes in prop::collection::vec(any::<u8>(), 0..300)
                    ) {
                        $crate::codec_properties::no_panic::<Type>(&bytes)?;
                    }
                }
            }
        )+}
    };
}
pub(crate) use hold;

/// Any value, drawn on the heap: what is large and stands in others would fill a test's stack.
pub(crate) fn boxed<T: Arbitrary + 'static>() -> BoxedStrategy<T> {
    any::<T>().boxed()
}

/// All bytes are read, and what is read has the same bytes and, as far as it shows, is the same.
pub(crate) fn comes_back<T>(value: &T) -> Result<(), TestCaseError>
where
    T: MlsEncode + MlsDecode + std::fmt::Debug,
{
    let bytes = encode(value);
    prop_assert_eq!(bytes.len(), value.mls_encoded_len());
    let mut rest = bytes.as_slice();
    let read = T::mls_decode(&mut rest).unwrap();
    prop_assert!(rest.is_empty(), "{} bytes are left", rest.len());
    prop_assert_eq!(encode(&read), bytes);
    prop_assert_eq!(format!("{read:?}"), format!("{value:?}"));
    Ok(())
}

/// The bytes are refused, or read as a value that comes back.
pub(crate) fn no_panic<T>(bytes: &[u8]) -> Result<(), TestCaseError>
where
    T: MlsEncode + MlsDecode + std::fmt::Debug,
{
    match T::mls_decode(&mut &*bytes) {
        Ok(value) => comes_back(&value),
        Err(_) => Ok(()),
    }
}

/// The bytes of a value.
pub(crate) fn encode(value: &impl MlsEncode) -> Vec<u8> {
    value.mls_encode_to_vec().unwrap()
}

/// What can happen to bytes on the way, or on a disk.
#[derive(Debug, proptest_derive::Arbitrary)]
pub(crate) enum Damage {
    /// The end is missing.
    Cut(Index),
    /// One bit is another.
    Flip(Index, #[proptest(strategy = "0..8u8")] u8),
    /// Bytes stand where none should be.
    Insert(Index, Vec<u8>),
}

impl Damage {
    /// The bytes, damaged.
    pub(crate) fn done_to(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        match self {
            Self::Cut(at) => bytes.truncate(at.index(bytes.len() + 1)),
            Self::Flip(..) if bytes.is_empty() => {}
            Self::Flip(at, bit) => {
                let at = at.index(bytes.len());
                bytes[at] ^= 1 << bit;
            }
            Self::Insert(at, more) => {
                let at = at.index(bytes.len() + 1);
                bytes.splice(at..at, more.iter().copied());
            }
        }
        bytes
    }
}

/// A key of the engine's types: bytes of any length.
pub(crate) fn key<K: From<Vec<u8>> + std::fmt::Debug>() -> impl Strategy<Value = K> {
    prop::collection::vec(any::<u8>(), 0..80).prop_map(K::from)
}

/// Users of either network, with names of any characters.
impl Arbitrary for UserId {
    type Parameters = ();
    type Strategy = BoxedStrategy<Self>;

    fn arbitrary_with((): ()) -> Self::Strategy {
        let matrix = ("[^:\\pC]{1,20}", "[a-z]{1,9}(\\.[a-z]{1,9}){0,2}(:[0-9]{1,5})?")
            .prop_map(|(local, server)| UserId::matrix(&format!("@{local}:{server}")).unwrap());
        let xmpp = ("[^\"&'/:<>@\\pC]{1,20}", "[a-z]{1,9}(\\.[a-z]{1,9}){0,2}")
            .prop_map(|(local, domain)| UserId::xmpp(&format!("{local}@{domain}")).unwrap());
        prop_oneof![matrix, xmpp].boxed()
    }
}

/// Devices with ids as their networks have them.
impl Arbitrary for ClientId {
    type Parameters = ();
    type Strategy = BoxedStrategy<Self>;

    fn arbitrary_with((): ()) -> Self::Strategy {
        let device = |user: UserId| match user.network() {
            crate::address::Network::Matrix => (Just(user), "\\PC{1,20}".boxed()),
            crate::address::Network::Xmpp => (Just(user), "[0-9a-f]{16}".boxed()),
        };
        any::<UserId>()
            .prop_flat_map(device)
            .prop_map(|(user, device)| user.device(&device).unwrap())
            .boxed()
    }
}

/// A codec that forgets: what the properties must find.
#[derive(Debug)]
struct Forgetful(u32);

impl mls_rs_codec::MlsSize for Forgetful {
    fn mls_encoded_len(&self) -> usize {
        2
    }
}

impl MlsEncode for Forgetful {
    fn mls_encode(&self, writer: &mut Vec<u8>) -> Result<(), mls_rs_codec::Error> {
        (self.0 as u16).mls_encode(writer)
    }
}

impl MlsDecode for Forgetful {
    fn mls_decode(reader: &mut &[u8]) -> Result<Self, mls_rs_codec::Error> {
        u16::mls_decode(reader).map(|half| Self(half.into()))
    }
}

#[test]
fn a_codec_that_loses_half_a_number_is_found() {
    assert!(comes_back(&Forgetful(7)).is_ok());
    assert!(comes_back(&Forgetful(0x0001_0007)).is_err());
}
