//! Bounds that only this crate needs; all others stand in [`mls_core::limits`].

use std::time::Duration;

/// From opening a connection to being allowed to send stanzas.
pub(crate) const CONNECT_DEADLINE: Duration = Duration::from_secs(20);
/// From a request to its answer.
pub(crate) const ANSWER_DEADLINE: Duration = Duration::from_secs(15);
/// From a message to its own reflection by the room.
pub(crate) const REFLECTION_DEADLINE: Duration = Duration::from_secs(15);
/// From entering a room to being in it; a remote one first has to be connected to.
pub(crate) const ENTER_DEADLINE: Duration = Duration::from_secs(30);
/// How long a message waits for its room to be entered and caught up.
pub(crate) const LIVE_DEADLINE: Duration = Duration::from_secs(3);
/// How long a caller may take to store what came in.
pub(crate) const STORE_DEADLINE: Duration = Duration::from_secs(60);
/// How long bytes may wait for the server to take them.
pub(crate) const WRITE_DEADLINE: Duration = Duration::from_secs(30);
/// How long a connection may take to end in good order.
pub(crate) const STOP_DEADLINE: Duration = Duration::from_secs(5);

/// After so long without writing, a space is written (XEP-0114 has no other sign of life).
pub(crate) const WHITESPACE_AFTER: Duration = Duration::from_secs(30);
/// After so long without reading, the server is pinged.
pub(crate) const PING_AFTER: Duration = Duration::from_secs(60);
/// A ping without any sign of life for so long ends the connection.
pub(crate) const PING_DEADLINE: Duration = Duration::from_secs(15);
/// How often all this is looked at.
pub(crate) const WATCH_EVERY: Duration = Duration::from_secs(5);

/// The first wait before a new connection; it doubles.
pub(crate) const RECONNECT_FIRST: Duration = Duration::from_secs(1);
/// The longest wait before a new connection.
pub(crate) const RECONNECT_LAST: Duration = Duration::from_secs(30);
/// A connection that lived so long lets the wait start anew.
pub(crate) const RECONNECT_CALM: Duration = Duration::from_secs(60);

/// A room that was silent for so long is asked whether we are still in it (XEP-0410).
pub(crate) const SELF_PING_AFTER: Duration = Duration::from_secs(300);
/// Wait before a room is entered again, times the attempts so far.
pub(crate) const ENTER_AGAIN: Duration = Duration::from_secs(2);
/// The longest such wait.
pub(crate) const ENTER_AGAIN_LAST: Duration = Duration::from_secs(60);
/// A room of a group that answers all this time that it is gone, or that we may not be in it,
/// counts as lost; long enough for an operator to mend what only looks like it.
pub(crate) const ROOM_LOST_AFTER: Duration = Duration::from_secs(60 * 60);
/// Rooms that are entered at the same time.
pub(crate) const ENTERING_AT_ONCE: usize = 8;
/// Nicknames that are tried before a room is left alone for a while.
pub(crate) const NICKNAMES_MAX: usize = 5;
/// Occupants of one room that are remembered, beside our own: no group has more members.
pub(crate) const OCCUPANTS_MAX: usize = mls_core::limits::MEMBERS_MAX;

/// Stanzas that wait to be looked at; the server waits when there are more.
pub(crate) const INCOMING_MAX: usize = 256;
/// Stanzas that wait to be written.
pub(crate) const OUTGOING_MAX: usize = 64;
/// Live messages of one room that wait while its archive is read.
pub(crate) const HELD_MAX: usize = 512;
/// Messages in one page of an archive; Prosody gives no more.
pub(crate) const ARCHIVE_PAGE: usize = 50;
/// Times, one after the other, that a room's archive is not there until the room counts as one
/// without.
pub(crate) const ARCHIVE_ATTEMPTS: u32 = 5;
/// Pages in which a message that was tried before is looked for.
pub(crate) const ARCHIVE_SEARCH_PAGES: usize = 40;
/// Own messages that are remembered as seen in their rooms.
pub(crate) const OWN_SEEN_MAX: usize = 8192;
/// Messages without news for the caller after which the place in the archive is stored anyway.
pub(crate) const SILENT_MARK_EVERY: u32 = 50;
/// Inputs that are handed over together.
pub(crate) const TOGETHER_MAX: usize = 64;
