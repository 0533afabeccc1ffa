//! `<fetch-welcomes/>` and `<welcomes/>`: Welcomes that wait for a device.

use minidom::Element;
use mls_core::wire::fetch_welcomes::{FetchWelcomes, Welcomes};

use super::element::{Broken, Build, Fields, ours};
use super::welcome;

pub(super) const NAME: &str = "fetch-welcomes";
pub(super) const ANSWER: &str = "welcomes";

pub(super) fn to_xml(request: &FetchWelcomes) -> Element {
    let acknowledged = request.acknowledged.iter();
    ours(NAME)
        .with("device", &request.device)
        .holding_all(acknowledged.map(|id| ours("acknowledged").saying(&id.to_string())))
}

pub(super) fn from_xml(fields: Fields<'_>) -> Result<FetchWelcomes, Broken> {
    let acknowledged = fields.children("acknowledged").map(Fields::text_digest);
    Ok(FetchWelcomes {
        device: fields.attr("device")?.to_owned(),
        acknowledged: acknowledged.collect::<Result<_, _>>()?,
    })
}

pub(super) fn answer_to_xml(answer: &Welcomes) -> Element {
    ours(ANSWER)
        .with("more", answer.more.to_string())
        .holding_all(answer.welcomes.iter().map(welcome::to_xml))
}

pub(super) fn answer_from_xml(fields: Fields<'_>) -> Result<Welcomes, Broken> {
    let welcomes = fields.children(welcome::NAME).map(welcome::from_xml);
    Ok(Welcomes { welcomes: welcomes.collect::<Result<_, _>>()?, more: fields.flag("more")? })
}
