//! Key packages: own ones for the hub or the homeserver, and those of others for an Add.

use mls_core::address::UserId;
use mls_core::engine::sha256_parts;
use mls_core::member::KeyPackageUpload;
use mls_core::wire::claim_key_packages::{ClaimKeyPackages, ClaimOutcome, ClaimPurpose};
use mls_core::wire::{Answer, Request};
use openmls::prelude::tls_codec::{Deserialize as _, Serialize as _};
use openmls::prelude::{
    KeyPackage, KeyPackageBuilder, MlsMessageBodyIn, MlsMessageIn, MlsMessageOut, OpenMlsProvider,
    ProtocolVersion,
};
use openmls_traits::signatures::Signer as _;

use super::{Link, OpenMlsPeer, PeerError, engine};

/// A KeyPackageRef, and the MLSMessage with the package.
pub(crate) type Package = (Vec<u8>, Vec<u8>);

impl OpenMlsPeer {
    /// Publishes so many one-time packages and a last resort.
    pub(crate) fn publish(
        &mut self,
        link: &mut impl Link,
        one_time: usize,
    ) -> Result<(), PeerError> {
        let one_time = (0..one_time).map(|_| self.key_package(false)).collect::<Result<_, _>>()?;
        let last_resort = Some(self.key_package(true)?);
        self.upload(link, one_time, last_resort)
    }

    /// Publishes these one-time packages.
    pub(crate) fn publish_these(
        &self,
        link: &mut impl Link,
        one_time: Vec<Package>,
    ) -> Result<(), PeerError> {
        self.upload(link, one_time, None)
    }

    fn upload(
        &self,
        link: &mut impl Link,
        one_time: Vec<Package>,
        last_resort: Option<Package>,
    ) -> Result<(), PeerError> {
        let references: Vec<&[u8]> = one_time
            .iter()
            .chain(&last_resort)
            .map(|(reference, _)| reference.as_slice())
            .collect();
        let upload = KeyPackageUpload {
            id: sha256_parts(&references),
            suite: self.suite.into(),
            suites: vec![self.suite.into()],
            signature_key: self.signer.to_public_vec(),
            one_time,
            last_resort,
        };
        let sign = |bytes: &[u8]| self.signer.sign(bytes).map_err(|e| format!("{e:?}"));
        link.upload(&upload, sign)
    }

    /// A new package; its private parts stay in the storage until it is used.
    fn key_package(&self, last_resort: bool) -> Result<Package, PeerError> {
        let builder = self.key_package_builder()?;
        self.build_key_package(if last_resort { builder.mark_as_last_resort() } else { builder })
    }

    /// What makes packages that fit.
    pub(crate) fn key_package_builder(&self) -> Result<KeyPackageBuilder, PeerError> {
        Ok(KeyPackage::builder()
            .key_package_lifetime(engine::lifetime())
            .leaf_node_capabilities(engine::capabilities(self.provider.rand())?))
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
            purpose: ClaimPurpose::Add,
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
