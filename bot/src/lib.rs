//! A bot.
pub mod command_line;
mod courier;
pub mod json;
pub mod profile;
pub mod session;
