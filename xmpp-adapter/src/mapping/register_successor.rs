//! `<register-successor/>`: the group that follows a ReInit; answered by a `<receipt/>`.

use minidom::Element;
use mls_core::wire::register_successor::RegisterSuccessor;

use super::element::{Broken, Build, Fields, ours, part};

pub(super) const NAME: &str = "register-successor";

pub(super) fn to_xml(request: &RegisterSuccessor) -> Element {
    ours(NAME)
        .with("group", request.former.to_hex())
        .holding(part("group-info", &request.group_info))
        .holding(part("tree", &request.tree))
        .holding(part("welcome", &request.welcome))
}

pub(super) fn from_xml(fields: Fields<'_>) -> Result<RegisterSuccessor, Broken> {
    Ok(RegisterSuccessor {
        former: fields.group()?,
        group_info: fields.child("group-info")?.part()?,
        tree: fields.child("tree")?.part()?,
        welcome: fields.child("welcome")?.part()?,
    })
}
