//! The JSON interface: one object a line, commands in and events out (docs/bot.md).

mod group_request;
mod line;
mod request;

pub use line::{GroupLine, Line, MemberLine, RoomLine};
pub use request::{JsonRequest, MalformedLine, Mistake, Wish};
