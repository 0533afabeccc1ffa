//! `<device-waiting/>`: a device asks to be added to a group.

use minidom::Element;
use mls_core::address::ClientId;
use mls_core::wire::device_waiting::DeviceWaiting;

use super::element::{Broken, Build, Fields, ours};

pub(super) const NAME: &str = "device-waiting";

pub(super) fn to_xml(notice: &DeviceWaiting) -> Element {
    ours(NAME).with("group", notice.group.to_hex()).with("client", notice.client.as_str())
}

pub(super) fn from_xml(fields: Fields<'_>) -> Result<DeviceWaiting, Broken> {
    let client = ClientId::parse(fields.attr("client")?);
    Ok(DeviceWaiting {
        group: fields.group()?,
        client: client.map_err(|error| fields.broken(error.to_string()))?,
    })
}
