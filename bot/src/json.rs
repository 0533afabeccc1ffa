//! The JSON interface: one object a line, commands in and events out (docs/bot.md).

mod alarm;
mod line;
mod membership;
mod request;

pub use alarm::AlarmLine;
pub use line::{GroupLine, Line, MemberLine, RoomLine};
pub use membership::{ChangeLine, MembershipLine};
pub use request::{JsonRequest, MalformedLine, Mistake, Wish};
