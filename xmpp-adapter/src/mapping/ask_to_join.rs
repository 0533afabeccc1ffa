//! `<ask-to-join/>`: a new device asks to be added to its user's groups; answered by `<done/>`.

use minidom::Element;
use mls_core::wire::ask_to_join::AskToJoin;

use super::element::{Broken, Build, Fields, ours};

pub(super) const NAME: &str = "ask-to-join";

pub(super) fn to_xml(request: &AskToJoin) -> Element {
    ours(NAME).with("device", &request.device)
}

pub(super) fn from_xml(fields: Fields<'_>) -> Result<AskToJoin, Broken> {
    Ok(AskToJoin { device: fields.attr("device")?.to_owned() })
}
