//! What a person says about identities: their own, and those of others. Each ends at once, without the hub.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};

use super::Member;
use crate::address::UserId;
use crate::identity::readable_fingerprint;
use crate::store::StoreError;
use crate::user_identity::{DeviceStatement, Ed25519Key};

/// A person's word about identities.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
#[repr(u8)]
pub enum IdentityCommand {
    /// Make the user's identity key on this device, and sign this device with it. `true` also where another
    /// identity key signed it, which is lost: whoever verified that has to verify anew.
    Create(bool) = 1u8,
    /// Take the statement by which the user's identity key signed this device.
    Accept(DeviceStatement) = 2u8,
    /// A person has compared the identity key of a user.
    Verify(VerifyUser) = 3u8,
    /// Take back that a person did, and forget the key.
    Forget(UserId) = 4u8,
}

/// A user, and the identity key that a person has compared.
#[derive(Clone, Debug, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(proptest_derive::Arbitrary))]
pub struct VerifyUser {
    /// The user.
    pub user: UserId,
    /// The key, as [`Member::verification`] shows it.
    pub key: Ed25519Key,
}

impl Member {
    /// Does what a person says about identities.
    pub(super) fn identity_command(
        &mut self,
        number: u64,
        command: IdentityCommand,
    ) -> Result<(), StoreError> {
        let done = match command {
            IdentityCommand::Create(replace) => self.create_identity(replace)?,
            IdentityCommand::Accept(statement) => self.accept_statement(statement)?,
            IdentityCommand::Verify(verify) => self.verify_user(&verify.user, verify.key)?,
            IdentityCommand::Forget(user) => self.forget_user(&user)?,
        };
        match done {
            Ok(()) => self.done(number, None),
            Err(why) => self.fail(number, why),
        }
    }

    fn create_identity(&mut self, replace: bool) -> Result<Result<(), String>, StoreError> {
        if let Some(key) = self.own_identity.made_here() {
            return Ok(Err(format!(
                "your identity key was made on this device already ({}): it signs your other devices \
                 (`identity sign`)",
                shown(key)
            )));
        }
        match self.own_identity.key() {
            Some(key) if !replace => Ok(Err(format!(
                "this device is signed by your identity key on another one ({}). If that is lost, create it \
                 with --replace: everybody who verified you is told, and has to verify you anew",
                shown(key)
            ))),
            _ => self.make_identity(),
        }
    }

    fn accept_statement(
        &mut self,
        statement: DeviceStatement,
    ) -> Result<Result<(), String>, StoreError> {
        if self.own_identity.made_here().is_some() {
            let why = "your identity key was made on this device: nothing else signs it";
            return Ok(Err(why.to_owned()));
        }
        let for_us =
            statement.client == self.client && statement.device_key == self.device_key()?;
        if !for_us {
            return Ok(Err(format!(
                "this statement is for {} and not for this device as it is now: take `identity request` of this \
                 device to `identity sign`",
                statement.client
            )));
        }
        if statement.verify().is_err() {
            let why =
                "the statement is damaged, or not signed by the key that it names: copy it anew";
            return Ok(Err(why.to_owned()));
        }
        self.take_statement(statement).map(Ok)
    }
}

fn shown(key: Ed25519Key) -> String {
    readable_fingerprint(&key.fingerprint().to_string())
}

#[cfg(test)]
crate::codec_properties::hold!(IdentityCommand, VerifyUser);
