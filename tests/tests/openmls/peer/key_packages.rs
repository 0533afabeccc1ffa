//! Key packages: own ones for the hub or the homeserver, and those of others for an Add.

use mls_core::address::UserId;
use mls_core::engine::sha256_parts;
use mls_core::member::KeyPackageUpload;
use mls_core::wire::claim_key_packages::{ClaimKeyPackages, ClaimOutcome};
use mls_core::wire::{Answer, Request};
use openmls::prelude::{
    KeyPackage, KeyPackageBuilder, MlsMessageBodyIn, MlsMessageIn, MlsMessageOut, OpenMlsProvider,
    ProtocolVersion,
};
use openmls::prelude::tls_codec::{Deserialize as _, Serialize as _};
use openmls_traits::signatures::Signer as _;

use super::{Link, OpenMlsPeer, PeerError, engine};

/// A KeyPackageRef, and the MLSMessage with the package.
type Package = (Vec<u8>, Vec<u8>);

impl OpenMlsPeer {
    /// Publishes so many one-time packages and a last resort.
    pub(crate) fn publish(
        &mut self,
        link: &mut impl Link,
        one_time: usize,
    ) -> Result<(), PeerError> {
        let one_time: Vec<Package> =
            (0..one_time).map(|_| self.key_package(false)).collect::<Result<_, _>>()?;
        let last_resort = self.key_package(true)?;
        let upload = KeyPackageUpload {
            id: sha256_parts(&[&last_resort.0]),
            suite: self.suite.into(),
            signature_key: self.signer.to_public_vec(),
            one_time,
            last_resort: Some(last_resort),
        };
        let sign = |bytes: &[u8]| self.signer.sign(bytes).map_err(|e| format!("{e:?}"));
        link.upload(&upload, sign)
    }

    /// A new package; its private parts stay in the storage until it is used.
    pub(super) fn key_package(&self, last_resort: bool) -> Result<Package, PeerError> {
        let builder = KeyPackage::builder()
            .key_package_lifetime(engine::lifetime())
            .leaf_node_capabilities(engine::capabilities()?);
        self.build_key_package(if last_resort { builder.mark_as_last_resort() } else { builder })
    }

    /// A package as `builder` says.
    pub(crate) fn build_key_package(
        &self,
        builder: KeyPackageBuilder,
    ) -> Result<Package, PeerError> {
        let bundle = builder
            .build(self.suite, &self.provider, &self.signer, self.credential.clone())
            .map_err(PeerError::new)?;
        let package = bundle.into_key_package();
        let reference = package.hash_ref(self.provider.crypto())?.as_slice().to_vec();
        Ok((reference, MlsMessageOut::from(package).tls_serialize_detached()?))
    }

    /// Takes a package of every device of these users from the hub, for an Add to the group.
    pub(super) fn claim(
        &mut self,
        link: &mut impl Link,
        users: &[UserId],
    ) -> Result<Vec<KeyPackage>, PeerError> {
        let claim = ClaimKeyPackages {
            group: self.group_id()?,
            users: users.to_vec(),
            suites: vec![self.suite.into()],
        };
        let clients = match link.ask(Request::ClaimKeyPackages(claim))? {
            Answer::KeyPackages(clients) => clients,
            other => return Err(PeerError::answer(&other)),
        };
        let packages = clients.into_iter().map(|claimed| match claimed.outcome {
            ClaimOutcome::OneTime(bytes) | ClaimOutcome::LastResort(bytes) => self.check(&bytes),
            other => Err(PeerError::new(format!("{}: {other:?}", claimed.user))),
        });
        packages.collect()
    }

    /// OpenMLS checks signatures and whether the package is valid now, not how long it lives.
    fn check(&self, bytes: &[u8]) -> Result<KeyPackage, PeerError> {
        let MlsMessageBodyIn::KeyPackage(package) =
            MlsMessageIn::tls_deserialize_exact(bytes)?.extract()
        else {
            return Err(PeerError::new("the hub handed out something else than a key package"));
        };
        let package = package
            .validate(self.provider.crypto(), ProtocolVersion::Mls10)
            .map_err(PeerError::new)?;
        match package.life_time().has_acceptable_range() {
            true => Ok(package),
            false => Err(PeerError::new("a key package lives more than 84 days and one hour")),
        }
    }
}
