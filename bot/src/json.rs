//! The JSON interface: one object a line, commands in and events out (docs/bot.md).

mod alarm;
mod authority_line;
mod certificate_line;
mod group_line;
mod group_request;
mod identity_line;
mod identity_request;
mod line;
mod membership;
mod request;

pub use alarm::AlarmLine;
pub use authority_line::{AuthorityLine, CertificateLine};
pub use certificate_line::{EntryLine, ForkLine, HeadLine, LogLine};
pub use group_line::{AnchorLine, GroupLine, MemberLine, RoomLine};
pub use identity_line::{IdentityLine, SeenKeyLine};
pub use line::Line;
pub use membership::{ChangeLine, MembershipLine};
pub use request::{JsonRequest, MalformedLine, Mistake, Wish};
