//! Every bound of the server itself: what waits, how long, how much at once.

use std::time::Duration;

/// Deliveries that an adapter may have handed over and the runtime not yet taken.
pub const DELIVERIES_WAITING_MAX: usize = 256;
/// Deliveries and finished attempts that share one database transaction.
pub const GROUP_COMMIT_MAX: usize = 64;
/// Effects that one network carries out at once, each of another lane.
pub const EFFECTS_AT_ONCE_MAX: usize = 32;
/// Effects that wait for a network; above this nothing more is taken in until some have gone.
pub const OUTBOX_ENTRIES_MAX: usize = 100_000;
/// Effects that wait in one lane, such as a room; above this its oldest messages are given up, so
/// that a room whose server is away for days never fills the whole outbox.
pub const LANE_ENTRIES_MAX: usize = 10_000;
/// One attempt to carry out one effect; a network that takes longer is asked again.
pub const ATTEMPT_DEADLINE: Duration = Duration::from_secs(120);
/// The first wait after an attempt that failed; it doubles with each.
pub const RETRY_FIRST: Duration = Duration::from_secs(1);
/// The longest wait between two attempts, unless a network says a longer one.
pub const RETRY_LAST: Duration = Duration::from_secs(60);
/// The longest wait that a network may ask for.
pub const RETRY_ASKED_MAX: Duration = Duration::from_secs(600);
/// How often the hub hears that time passes.
pub const TICK: Duration = Duration::from_secs(60);
/// Ticks between two cuts of the write-ahead log.
pub const TICKS_PER_CHECKPOINT: u32 = 10;
/// At the end: how long attempts under way may still take.
pub const STOP_DEADLINE: Duration = Duration::from_secs(5);
/// How often it is looked whether the networks are connected by now.
pub const READY_POLL: Duration = Duration::from_millis(100);
/// `check`: how long a server may take to answer.
pub const CHECK_DEADLINE: Duration = Duration::from_secs(10);
/// Transactions of the homeserver that are remembered as stored; it repeats only the newest.
pub const TRANSACTION_MARKS_MAX: usize = 64;
/// A file of the authority: certificates, a key, a PIN.
pub const AUTHORITY_FILE_BYTES_MAX: usize = 64 * 1024;
/// An order of the operator, in bytes.
pub const ORDER_BYTES_MAX: u64 = 4096;
/// The answer to one: as many names as are shown, of usual length.
pub const ORDER_ANSWER_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Orders that wait to be read.
pub const ORDERS_WAITING_MAX: u32 = 8;
/// After an order that was not taken the next one waits so long.
pub const ORDER_PAUSE: Duration = Duration::from_millis(200);
/// How long an order may take, until it is answered.
pub const ORDER_DEADLINE: Duration = Duration::from_secs(60);
/// An authority that runs alone writes its list of who is revoked anew after this, and when somebody is revoked.
pub const REVOKED_LIST_AGAIN: Duration = Duration::from_secs(600);
/// A delivery service looks so often whether there is another list.
pub const REVOKED_LIST_LOOK: Duration = Duration::from_secs(5);
/// One that was made longer ago tells that the authority, or the way from it, has stopped.
pub const REVOKED_LIST_OLD_MS: u64 = 3600 * 1000;
/// Such a list, in bytes: as many names as an operator is shown, of usual length.
pub const REVOKED_LIST_BYTES_MAX: usize = 64 * 1024 * 1024;
/// So long before the authority's certificates end, people are warned.
pub const AUTHORITY_WARN_MS: u64 = 30 * mls_core::limits::DAY_MS;
/// How often it is looked for that.
pub const AUTHORITY_LOOK: Duration = Duration::from_secs(24 * 3600);
