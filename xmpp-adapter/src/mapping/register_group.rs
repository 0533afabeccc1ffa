//! `<register-group/>`: a new group for the hub; answered by a `<receipt/>`.

use minidom::Element;
use mls_core::wire::register_group::RegisterGroup;

use super::element::{Broken, Build, Fields, ours, part};

pub(super) const NAME: &str = "register-group";

pub(super) fn to_xml(request: &RegisterGroup) -> Element {
    ours(NAME).holding(part("group-info", &request.group_info)).holding(part("tree", &request.tree))
}

pub(super) fn from_xml(fields: Fields<'_>) -> Result<RegisterGroup, Broken> {
    Ok(RegisterGroup {
        group_info: fields.child("group-info")?.part()?,
        tree: fields.child("tree")?.part()?,
    })
}
