//! What a group requires of every leaf (RFC 9420 11.1): one check for the hub and for every member.
//!
//! The engine holds each leaf against what the context says, also that of the group's creator, of who comes
//! in by an external commit, and of an Update. So the context must say it, or only key packages would be
//! looked at. A group may require more; what it requires never changes ([`crate::group_settings`]).

use mls_rs::extension::built_in::RequiredCapabilitiesExt;
use mls_rs_core::extension::ExtensionList;
use thiserror::Error;

use crate::policy::{BRIDGE_GROUP_EXTENSION, CREDENTIAL_TYPES};

/// A GroupContext that requires too little; its creator's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "the group must require extension 0xFB71 and the credentials basic and X.509 of its members"
)]
pub struct RequiresTooLittle;

/// What our own groups require.
pub(crate) fn required() -> RequiredCapabilitiesExt {
    let extensions = vec![BRIDGE_GROUP_EXTENSION];
    RequiredCapabilitiesExt::new(extensions, Vec::new(), CREDENTIAL_TYPES.to_vec())
}

/// Whether a context requires at least that.
pub(crate) fn check(context: &ExtensionList) -> Result<(), RequiresTooLittle> {
    let said: Option<RequiredCapabilitiesExt> = context.get_as().ok().flatten();
    let said = said.ok_or(RequiresTooLittle)?;
    let needed = required();
    let enough = needed.extensions.iter().all(|one| said.extensions.contains(one))
        && needed.credentials.iter().all(|one| said.credentials.contains(one));
    if enough { Ok(()) } else { Err(RequiresTooLittle) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(required: RequiredCapabilitiesExt) -> ExtensionList {
        let mut context = ExtensionList::new();
        context.set_from(required).unwrap();
        context
    }

    #[test]
    fn a_context_requires_the_binding_and_both_credential_types_and_may_require_more() {
        assert_eq!(check(&context(required())), Ok(()));
        let mut more = required();
        more.extensions.push(0xFB72.into());
        assert_eq!(check(&context(more)), Ok(()));
    }

    #[test]
    fn a_context_that_leaves_any_of_them_out_requires_too_little() {
        let mut lacking = vec![ExtensionList::new()];
        lacking.push(context(RequiredCapabilitiesExt { extensions: Vec::new(), ..required() }));
        for gone in CREDENTIAL_TYPES {
            let mut fewer = required();
            fewer.credentials.retain(|one| *one != gone);
            lacking.push(context(fewer));
        }
        for context in lacking {
            assert_eq!(check(&context), Err(RequiresTooLittle), "{context:?}");
        }
    }
}
