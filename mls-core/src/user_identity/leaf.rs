//! What a leaf says of its user's identity: leaf node extension 0xFB73 (RFC 9420 7.2), and its check.
//!
//! It binds both ways: the identity key signs for the device, the device for the leaf's signature key. Whoever
//! copies the extension of another leaf lacks the device key, and so cannot sign for a key of their own.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};
use mls_rs_core::crypto::{SignaturePublicKey, SignatureSecretKey};
use mls_rs_core::extension::{ExtensionList, ExtensionType, MlsCodecExtension};
use mls_rs_core::identity::SigningIdentity;
use thiserror::Error;

use super::{DeviceStatement, Ed25519Key, Ed25519Signature, sign};
use crate::address::ClientId;
use crate::engine::{self, EngineError};
use crate::identity::client_id;
use crate::policy::USER_IDENTITY_EXTENSION;

const LABEL: &[u8] = b"mls-bridge 0 device leaf\0";
const VERSION: u8 = 0;

/// The extension's content. The client is that of the leaf's credential.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct LeafStatement {
    /// Always 0.
    pub version: u8,
    /// The user's identity key.
    pub identity_key: Ed25519Key,
    /// The device's own key.
    pub device_key: Ed25519Key,
    /// The day of [`DeviceStatement::day`].
    pub day: u32,
    /// [`DeviceStatement::signature`].
    pub by_identity: Ed25519Signature,
    /// By the device key, over a label, the client and the leaf's signature public key.
    pub by_device: Ed25519Signature,
}

#[derive(MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(Debug, proptest_derive::Arbitrary))]
struct DeviceLeafTbs {
    client: ClientId,
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    signature_key: Vec<u8>,
}

/// What a leaf's extension proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeafIdentity {
    /// This identity key signed the device, and the device this leaf. Whose key it is only people can say.
    Signed(DeviceStatement),
    /// Nothing is said.
    Unsigned,
    /// What is said is not true.
    Broken(BrokenStatement),
}

/// Why a leaf's statement proves nothing; its maker's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BrokenStatement {
    /// Another version, another length, or a leaf of no client.
    #[error("its device statement cannot be read")]
    Unreadable,
    /// By another key than it names, or for another device.
    #[error("the identity key that it names did not sign this device")]
    Identity,
    /// As when it was copied from another leaf.
    #[error("the device that it names did not sign this leaf: it was copied from another one")]
    Device,
}

impl LeafStatement {
    /// What a leaf with this signature key shows; `secret` is the device key's private half.
    pub(crate) fn new(
        statement: &DeviceStatement,
        secret: &SignatureSecretKey,
        signature_key: &SignaturePublicKey,
    ) -> Result<Self, EngineError> {
        let DeviceStatement { identity_key, device_key, day, signature, .. } = *statement;
        let by_device = sign(secret, &signed_bytes(&statement.client, signature_key)?)?;
        let by_identity = signature;
        Ok(Self { version: VERSION, identity_key, device_key, day, by_identity, by_device })
    }

    fn check(
        self,
        client: ClientId,
        key: &SignaturePublicKey,
    ) -> Result<DeviceStatement, BrokenStatement> {
        let Self { identity_key, device_key, day, by_identity: signature, .. } = self;
        let by_leaf = signed_bytes(&client, key).map_err(|_| BrokenStatement::Unreadable)?;
        let statement = DeviceStatement { client, identity_key, device_key, day, signature };
        statement.verify().map_err(|_| BrokenStatement::Identity)?;
        device_key.verify(&self.by_device, &by_leaf).map_err(|_| BrokenStatement::Device)?;
        Ok(statement)
    }
}

impl MlsCodecExtension for LeafStatement {
    fn extension_type() -> ExtensionType {
        USER_IDENTITY_EXTENSION
    }
}

/// What a leaf proves about its user's identity, from the leaf alone.
pub fn of_leaf(identity: &SigningIdentity, extensions: &ExtensionList) -> LeafIdentity {
    let Some(extension) = extensions.get(USER_IDENTITY_EXTENSION) else {
        return LeafIdentity::Unsigned;
    };
    let read = read(extension.extension_data()).zip(client_id(identity).ok());
    let checked = read
        .ok_or(BrokenStatement::Unreadable)
        .and_then(|(said, client)| said.check(client, &identity.signature_key));
    match checked {
        Ok(statement) => LeafIdentity::Signed(statement),
        Err(broken) => LeafIdentity::Broken(broken),
    }
}

fn read(bytes: &[u8]) -> Option<LeafStatement> {
    let mut rest = bytes;
    let read = LeafStatement::mls_decode(&mut rest).ok()?;
    (rest.is_empty() && read.version == VERSION).then_some(read)
}

fn signed_bytes(client: &ClientId, key: &SignaturePublicKey) -> Result<Vec<u8>, EngineError> {
    let tbs = DeviceLeafTbs { client: client.clone(), signature_key: key.to_vec() };
    Ok([LABEL, &tbs.mls_encode_to_vec().map_err(engine::crypto_error)?].concat())
}

#[cfg(test)]
crate::codec_properties::hold!(LeafStatement, DeviceLeafTbs);

#[cfg(test)]
mod tests {
    use mls_rs_core::extension::Extension;

    use super::*;
    use crate::address::UserId;
    use crate::crypto::Crypto;
    use crate::identity::credential;
    use crate::user_identity::{DeviceRequest, SCHEME};

    struct Pair(SignatureSecretKey, Ed25519Key);

    fn pair() -> Pair {
        let (secret, public) = Crypto::system().generate_signature_key(SCHEME).unwrap();
        Pair(secret, Ed25519Key::of(&public).unwrap())
    }

    fn client(device: &str) -> ClientId {
        UserId::matrix("@alice:a.org").unwrap().device(device).unwrap()
    }

    fn leaf(client: &ClientId, key: &Pair) -> SigningIdentity {
        SigningIdentity::new(credential(client), key.1.0.to_vec().into())
    }

    fn extensions(said: &LeafStatement) -> ExtensionList {
        let mut extensions = ExtensionList::new();
        extensions.set_from(said.clone()).unwrap();
        extensions
    }

    #[test]
    fn a_leaf_is_signed_by_its_own_device_and_identity_and_by_nothing_else() {
        let (identity, device, key, other) = (pair(), pair(), pair(), pair());
        let (phone, tablet) = (client("PHONE"), client("TABLET"));
        let asked = DeviceRequest { client: phone.clone(), device_key: device.1 };
        let statement = DeviceStatement::sign(&asked, identity.1, &identity.0, 20_000).unwrap();
        let public = SignaturePublicKey::from(key.1.0.to_vec());
        let said = LeafStatement::new(&statement, &device.0, &public).unwrap();
        let of = |leaf: SigningIdentity, said: &LeafStatement| of_leaf(&leaf, &extensions(said));
        assert_eq!(of(leaf(&phone, &key), &said), LeafIdentity::Signed(statement.clone()));
        // A copy on a leaf with another key, and on one of another device.
        let copied = of(leaf(&phone, &other), &said);
        assert_eq!(copied, LeafIdentity::Broken(BrokenStatement::Device));
        let copied = of(leaf(&tablet, &key), &said);
        assert_eq!(copied, LeafIdentity::Broken(BrokenStatement::Identity));
        // Another identity that claims the device.
        let claimed = LeafStatement { identity_key: other.1, ..said.clone() };
        let claimed = of(leaf(&phone, &key), &claimed);
        assert_eq!(claimed, LeafIdentity::Broken(BrokenStatement::Identity));
        // Another device key under the same statement.
        let taken = LeafStatement { device_key: other.1, ..said };
        let taken = of(leaf(&phone, &key), &taken);
        assert_eq!(taken, LeafIdentity::Broken(BrokenStatement::Identity));
        let none = of_leaf(&leaf(&phone, &key), &ExtensionList::new());
        assert_eq!(none, LeafIdentity::Unsigned);
    }

    #[test]
    fn no_changed_bit_and_no_other_length_is_a_sound_statement() {
        let (identity, device, key) = (pair(), pair(), pair());
        let phone = client("PHONE");
        let asked = DeviceRequest { client: phone.clone(), device_key: device.1 };
        let statement = DeviceStatement::sign(&asked, identity.1, &identity.0, 20_000).unwrap();
        let public = SignaturePublicKey::from(key.1.0.to_vec());
        let said = LeafStatement::new(&statement, &device.0, &public).unwrap();
        let bytes = said.mls_encode_to_vec().unwrap();
        let mut forged: Vec<Vec<u8>> = (0..bytes.len() * 8)
            .map(|bit| {
                let mut forged = bytes.clone();
                forged[bit / 8] ^= 1 << (bit % 8);
                forged
            })
            .collect();
        forged.extend([[bytes.as_slice(), &[0]].concat(), bytes[1..].to_vec(), Vec::new()]);
        for bytes in forged {
            let mut extensions = ExtensionList::new();
            extensions.set(Extension::new(USER_IDENTITY_EXTENSION, bytes.clone()));
            let judged = of_leaf(&leaf(&phone, &key), &extensions);
            assert!(matches!(judged, LeafIdentity::Broken(_)), "{bytes:02x?}: {judged:?}");
        }
    }
}
