//! `<key-packages-low/>`: the hub's pool of a device should be filled.

use minidom::Element;
use mls_core::wire::key_packages_low::KeyPackagesLow;

use super::element::{Broken, Build, Fields, ours};

pub(super) const NAME: &str = "key-packages-low";

pub(super) fn to_xml(notice: &KeyPackagesLow) -> Element {
    ours(NAME)
        .with("device", &notice.device)
        .with("suite", notice.suite.to_string())
        .with("count", notice.count.to_string())
}

pub(super) fn from_xml(fields: Fields<'_>) -> Result<KeyPackagesLow, Broken> {
    Ok(KeyPackagesLow {
        device: fields.attr("device")?.to_owned(),
        suite: fields.number("suite")?,
        count: fields.number("count")?,
    })
}
