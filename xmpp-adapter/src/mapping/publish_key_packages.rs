//! `<publish-key-packages/>` and `<key-package-count/>`: a device fills its pool at the hub.

use minidom::Element;
use mls_core::wire::publish_key_packages::{KeyPackageBytes, KeyPackageCount, PublishKeyPackages};

use super::element::{Broken, Build, Fields, bytes, ours};

pub(super) const NAME: &str = "publish-key-packages";
pub(super) const ANSWER: &str = "key-package-count";

pub(super) fn to_xml(request: &PublishKeyPackages) -> Element {
    ours(NAME)
        .with("device", &request.device)
        .holding_all(request.one_time.iter().map(|package| bytes("key-package", &package.0)))
        .holding_all(request.last_resort.iter().map(|package| bytes("last-resort", &package.0)))
}

pub(super) fn from_xml(fields: Fields<'_>) -> Result<PublishKeyPackages, Broken> {
    let package = |p: Fields<'_>| p.bytes().map(KeyPackageBytes);
    Ok(PublishKeyPackages {
        device: fields.attr("device")?.to_owned(),
        one_time: fields.children("key-package").map(package).collect::<Result<_, _>>()?,
        last_resort: fields.optional("last-resort").map(package).transpose()?,
    })
}

pub(super) fn answer_to_xml(count: &KeyPackageCount) -> Element {
    ours(ANSWER)
        .with("one-time", count.one_time.to_string())
        .with("last-resort", count.last_resort.to_string())
}

pub(super) fn answer_from_xml(fields: Fields<'_>) -> Result<KeyPackageCount, Broken> {
    Ok(KeyPackageCount {
        one_time: fields.number("one-time")?,
        last_resort: fields.flag("last-resort")?,
    })
}
