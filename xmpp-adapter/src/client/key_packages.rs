//! Puts a device's key packages where others find them: the hub's pool, and the account's PEP node.

use mls_core::delivery::DeliveryError;
use mls_core::limits::{INLINE_BYTES_MAX, KEY_PACKAGES_PER_PUBLISH_MAX};
use mls_core::member::KeyPackageUpload;
use mls_core::service::Service;
use mls_core::wire::publish_key_packages::{KeyPackageBytes, KeyPackageCount, PublishKeyPackages};
use mls_core::wire::refusal::Refusal;
use mls_core::wire::{Answer, Request};

use super::Connection;
use crate::mapping::stanza::StanzaError;
use crate::mapping::{iq, key_package};
use crate::session::Failure;

/// Hex digits of the upload's id in the ids of its requests.
const ID_DIGITS: usize = 40;

impl Connection {
    /// Uploads key packages and gives the number of one-time packages that the hub has now. The
    /// same upload again changes nothing. The last resort of the suite that everybody must have goes
    /// to both places; an account whose server has no PEP is still served by the hub.
    pub async fn upload_key_packages(
        &self,
        upload: &KeyPackageUpload,
    ) -> Result<u32, DeliveryError> {
        let everybodys = upload.suites.first() == Some(&upload.suite);
        if let Some((reference, package)) = upload.last_resort.as_ref().filter(|_| everybodys) {
            let publish = key_package::publish(&self.setup.device, reference, package);
            if let Err(failure) = self.session.ask("set", None, &self.setup.jid, publish).await {
                let without_pep = is_without_pep(&failure);
                let failure: DeliveryError = failure.into();
                if matches!(failure, DeliveryError::Later { .. }) && !without_pep {
                    return Err(failure);
                }
                tracing::warn!(%failure, "no last-resort key package in the account's PEP node");
            }
        }
        let mut chunks = chunks(upload);
        if let Some(last) = chunks.last_mut() {
            let package = upload.last_resort.as_ref();
            last.last_resort = package.map(|(_, bytes)| KeyPackageBytes(bytes.clone()));
        }
        let mut count = 0;
        let digits: String = upload.id.to_string().chars().take(ID_DIGITS).collect();
        for (number, mut request) in chunks.into_iter().enumerate() {
            request.device.clone_from(&self.setup.device);
            count = self.publish(&format!("{digits}-{number}"), request).await?.one_time;
        }
        Ok(count)
    }

    async fn publish(
        &self,
        id: &str,
        request: PublishKeyPackages,
    ) -> Result<KeyPackageCount, DeliveryError> {
        let request = Request::PublishKeyPackages(request);
        let id = id.to_owned();
        let sealed = self.setup.sealer.seal(&Service::Delivery, &id, &request)?;
        let answer = self.session.answer_to(iq::request(&self.setup.hub, &id, &sealed)).await?;
        let read = iq::read_answer(&answer);
        match read.map(|reply| self.setup.sealer.open(&Service::Delivery, &id, reply)) {
            Ok(Some(Ok(Answer::KeyPackageCount(count)))) => Ok(count),
            Ok(Some(Err(Refusal::RateLimited(ms) | Refusal::Unavailable(ms)))) => {
                let why = "the hub has no time for key packages now".to_owned();
                Err(DeliveryError::Later { after_ms: Some(ms), why })
            }
            Ok(Some(Err(Refusal::NotOpened)) | None) => {
                let why = "the hub's keys changed".to_owned();
                Err(DeliveryError::Later { after_ms: None, why })
            }
            Ok(Some(Err(refusal))) => Err(DeliveryError::Refused { why: refusal.to_string() }),
            Ok(Some(Ok(_))) => {
                let why = "the hub answered something else than it was asked".to_owned();
                Err(DeliveryError::Refused { why })
            }
            Err(unread) => {
                let why = format!("the hub's answer cannot be read: {unread}");
                Err(DeliveryError::Refused { why })
            }
        }
    }
}

/// What a server without PEP says; that it may be there again soon is no reason to wait for it.
fn is_without_pep(failure: &Failure) -> bool {
    let says =
        |error: &StanzaError| matches!(&*error.condition, "service-unavailable" | "item-not-found");
    matches!(failure, Failure::Refused(error) if says(error))
}

/// As many in one request as may be and as fit into a stanza; at least one request.
fn chunks(upload: &KeyPackageUpload) -> Vec<PublishKeyPackages> {
    let empty =
        || PublishKeyPackages { device: String::new(), one_time: Vec::new(), last_resort: None };
    let reserve = upload.last_resort.as_ref().map_or(0, |(_, bytes)| bytes.len());
    let mut chunks = vec![empty()];
    let mut bytes = reserve;
    for (_, package) in &upload.one_time {
        let full = chunks.last().is_some_and(|chunk| {
            let count = chunk.one_time.len();
            count >= KEY_PACKAGES_PER_PUBLISH_MAX
                || (count > 0 && bytes + package.len() > INLINE_BYTES_MAX)
        });
        if full {
            chunks.push(empty());
            bytes = reserve;
        }
        if let Some(chunk) = chunks.last_mut() {
            chunk.one_time.push(KeyPackageBytes(package.clone()));
            bytes += package.len();
        }
    }
    chunks
}

#[cfg(test)]
mod tests {
    use mls_core::wire::Digest;

    use super::*;

    #[test]
    fn an_upload_is_cut_by_number_and_by_size() {
        let check = |packages: usize, bytes: usize, expected: &[usize]| {
            let upload = KeyPackageUpload {
                id: Digest([1; 32]),
                suite: 1,
                suites: vec![1],
                signature_key: Vec::new(),
                one_time: vec![(vec![1], vec![2; bytes]); packages],
                last_resort: None,
            };
            let chunks = chunks(&upload);
            let counts: Vec<_> = chunks.iter().map(|chunk| chunk.one_time.len()).collect();
            assert_eq!(counts, expected);
        };
        check(0, 300, &[0]);
        check(100, 300, &[64, 36]);
        check(5, 16_000, &[2, 2, 1]);
        check(2, 40_000, &[1, 1]);
    }
}
