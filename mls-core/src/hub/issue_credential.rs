//! `IssueCredential`: whether the authentication service signs for a key (RFC 9750 4).
//!
//! The network says which account asks. That it is the device that it says is shown by the device's
//! key: on Matrix the homeserver lists that key under the device, on XMPP the first request of a
//! device binds it. A bound device gets certificates for as many keys as it has groups.

use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};
use mls_rs_core::crypto::SignaturePublicKey;

use super::answers::Asked;
use super::authority::not_signed;
use super::expiry::{Expiring, expire_at};
use super::rates::Rate;
use super::turn::{Stop, Turn, effect_id, invalid, not_allowed};
use super::{DeviceKey, Effect, QueryDevice, Reply};
use crate::address::{ClientId, Network, UserId};
use crate::authority::{AUTHORITY_SUITE, CertificateRequest};
use crate::engine::{self, sha256};
use crate::limits::{CERTIFIED_DEVICES_PER_USER_MAX, JOB_KEEP_MS, JOB_WAIT_MS};
use crate::overlay::Overlay;
use crate::store::{Space, StoreError};
use crate::wire::issue_credential::{
    CertificateBytes, IssueCredential, IssuedCredential, proof_of,
};
use crate::wire::refusal::Refusal;
use crate::wire::{Answer, Digest};

/// The device key of each client, by client.
const DEVICE_KEY: Space = "certified_device";
/// Whose each certified key is, by its hash.
const KEY_OWNER: Space = "certified_key";
/// Requests that wait for the homeserver's word.
const JOB: Space = "credential_job";

/// A request that waits for the homeserver.
#[derive(MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(Debug, proptest_derive::Arbitrary))]
struct CredentialJob {
    asked: Asked,
    request: IssueCredential,
}

impl Turn<'_> {
    /// Signs, or asks the homeserver first whether the device has that key.
    pub(super) fn issue_credential(
        &mut self,
        asked: &Asked,
        request: IssueCredential,
    ) -> Result<Option<Answer>, Stop> {
        let checked = self.check_credential_request(&asked.from, &request)?;
        let client = checked.client.clone();
        match device_key_of(self.store, &client)? {
            Some(bound) if bound == request.device_key => {}
            Some(_) => {
                let why = "this device has another key: log in anew, as another device";
                return Err(not_allowed(why));
            }
            None if client.network() == Network::Matrix => {
                return self.ask_for_device(asked, &client, request).map(|()| None);
            }
            None => self.bind_device(&client, &request.device_key)?,
        }
        self.sign_credential(checked).map(Some)
    }

    /// The homeserver has said which key a device announces.
    pub(super) fn device_key(&mut self, said: &DeviceKey) -> Result<(), StoreError> {
        let Some(job) = self.store.read::<CredentialJob>(JOB, &said.job.0)? else { return Ok(()) };
        self.store.delete(JOB, &said.job.0);
        match self.judge_device(&job, said) {
            Ok(answer) => {
                self.remember(&job.asked, &answer)?;
                self.reply(&job.asked, Reply::Ok(answer))
            }
            Err(Stop::Refused(refusal)) => self.reply(&job.asked, Reply::Refused(refusal)),
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    /// Its asker has given up, or asks again.
    pub(super) fn forget_credential_job(&self, job: &Digest) {
        self.store.delete(JOB, &job.0);
    }

    fn judge_device(&mut self, job: &CredentialJob, said: &DeviceKey) -> Result<Answer, Stop> {
        match &said.result {
            Err(_) => return Err(Refusal::Unavailable(JOB_WAIT_MS).into()),
            Ok(key) if *key == Some(job.request.device_key.clone()) => {}
            Ok(_) => {
                let why = "the homeserver does not list this key under the device: log in anew";
                return Err(not_allowed(why));
            }
        }
        let request = CertificateRequest::from_der(&job.request.request).map_err(invalid)?;
        self.bind_device(&request.client, &job.request.device_key)?;
        self.sign_credential(request)
    }

    /// All that can be said without asking anybody.
    fn check_credential_request(
        &mut self,
        from: &UserId,
        request: &IssueCredential,
    ) -> Result<CertificateRequest, Stop> {
        let asked = CertificateRequest::from_der(&request.request).map_err(invalid)?;
        if asked.client.user() != *from {
            return Err(not_allowed(format!("{from} cannot ask for {}", asked.client)));
        } else if !self.setup.domains().contains(&from.domain()) {
            let domain = from.domain();
            return Err(not_allowed(format!("this authority does not sign for {domain}")));
        }
        self.refuse_revoked(&asked.client)?;
        self.rates
            .take(Rate::Credentials, &[from.as_str()], self.now_ms)
            .map_err(Refusal::RateLimited)?;
        let key = SignaturePublicKey::from(request.device_key.clone());
        engine::verify(AUTHORITY_SUITE, &key, &request.proof, &proof_of(&request.request))
            .map_err(|_| invalid("the device's key has not signed this request"))?;
        match self.store.read::<ClientId>(KEY_OWNER, &sha256(asked.key()).0)? {
            Some(owner) if owner != asked.client => {
                Err(not_allowed("this signature key is another client's"))
            }
            _ => Ok(asked),
        }
    }

    fn ask_for_device(
        &mut self,
        asked: &Asked,
        client: &ClientId,
        request: IssueCredential,
    ) -> Result<(), Stop> {
        let id = effect_id("device key", &[&asked.key().0, &self.now_ms.to_be_bytes()]);
        self.store.write(JOB, &id.0, &CredentialJob { asked: asked.clone(), request })?;
        let until_ms = self.now_ms.saturating_add(JOB_KEEP_MS);
        expire_at(self.store, until_ms, &Expiring::CredentialJob(id))?;
        let query = QueryDevice { job: id, client: client.clone() };
        self.effects.push(Effect::QueryDevice(query));
        Ok(())
    }

    fn bind_device(&self, client: &ClientId, key: &[u8]) -> Result<(), Stop> {
        let devices = certified_devices(self.store, &client.user())?;
        if devices.len() >= CERTIFIED_DEVICES_PER_USER_MAX {
            let most = CERTIFIED_DEVICES_PER_USER_MAX;
            return Err(not_allowed(format!(
                "at most {most} devices of one user get certificates"
            )));
        }
        let bytes = DeviceKeyBytes(key.to_vec());
        Ok(self.store.write(DEVICE_KEY, &device_place(client), &bytes)?)
    }

    /// Signs, and logs what was signed: no certificate leaves without its entry.
    fn sign_credential(&self, request: CertificateRequest) -> Result<Answer, Stop> {
        let (key, client) = (sha256(request.key()), request.client.clone());
        let issued = self.authority()?.issue(self.crypto, request, self.now_ms);
        let chain = issued.map_err(not_signed)?;
        self.store.write(KEY_OWNER, &key.0, &client)?;
        self.log_issued(chain.first().map(Vec::as_slice).unwrap_or_default())?;
        let chain = chain.into_iter().map(CertificateBytes).collect();
        Ok(Answer::Credential(IssuedCredential { chain }))
    }
}

/// The device key of a client that was ever certified.
pub(super) fn device_key_of(
    store: &Overlay,
    client: &ClientId,
) -> Result<Option<Vec<u8>>, StoreError> {
    let key = store.read::<DeviceKeyBytes>(DEVICE_KEY, &device_place(client))?;
    Ok(key.map(|key| key.0))
}

/// Devices of a user that were ever certified.
pub(super) fn certified_devices(
    store: &Overlay,
    user: &UserId,
) -> Result<Vec<ClientId>, StoreError> {
    let user = user_place(user);
    let found = store.scan(DEVICE_KEY, &user, &user, CERTIFIED_DEVICES_PER_USER_MAX)?;
    let client = |key: &[u8]| ClientId::parse(std::str::from_utf8(key).ok()?).ok();
    Ok(found.iter().filter_map(|(key, _)| client(key)).collect())
}

/// The next account of a network, by name, with a device that was ever certified.
pub(super) fn next_certified_user(
    store: &Overlay,
    network: Network,
    after: Option<&UserId>,
) -> Result<Option<UserId>, StoreError> {
    // What follows `/` is behind all devices of the account.
    let from = after.map(|user| [user.as_str().as_bytes(), b"0"].concat()).unwrap_or_default();
    let prefix = format!("{network}:");
    let found = store.scan(DEVICE_KEY, prefix.as_bytes(), &from, 1)?;
    let client = |key: &[u8]| ClientId::parse(std::str::from_utf8(key).ok()?).ok();
    Ok(found.first().and_then(|(key, _)| client(key)).map(|client| client.user()))
}

/// An Ed25519 public key.
#[derive(MlsSize, MlsEncode, MlsDecode)]
#[cfg_attr(test, derive(Debug, proptest_derive::Arbitrary))]
struct DeviceKeyBytes(#[mls_codec(with = "mls_rs_codec::byte_vec")] Vec<u8>);

/// Before the devices of a user, and of no other.
fn user_place(user: &UserId) -> Vec<u8> {
    [user.as_str().as_bytes(), b"/"].concat()
}

fn device_place(client: &ClientId) -> Vec<u8> {
    client.as_str().as_bytes().to_vec()
}

#[cfg(test)]
crate::codec_properties::hold!(CredentialJob, DeviceKeyBytes);
