//! `<membership-warning/>`: something about a member that people should know.

use minidom::Element;
use mls_core::wire::membership_warning::MembershipWarning;

use super::element::{Broken, Build, Fields, ours};

pub(super) const NAME: &str = "membership-warning";

pub(super) fn to_xml(notice: &MembershipWarning) -> Element {
    ours(NAME).with("group", notice.group.to_hex()).saying(&notice.text)
}

pub(super) fn from_xml(fields: Fields<'_>) -> Result<MembershipWarning, Broken> {
    Ok(MembershipWarning { group: fields.group()?, text: fields.sentence() })
}
