//! `<welcome/>`: a Welcome for a device is at the hub.

use minidom::Element;
use mls_core::wire::welcome_waiting::WelcomeWaiting;

use super::element::{Broken, Build, Fields, ours};

pub(super) const NAME: &str = "welcome";

pub(super) fn to_xml(waiting: &WelcomeWaiting) -> Element {
    ours(NAME).with("device", &waiting.device)
}

pub(super) fn from_xml(fields: Fields<'_>) -> Result<WelcomeWaiting, Broken> {
    Ok(WelcomeWaiting { device: fields.attr("device")?.to_owned() })
}
