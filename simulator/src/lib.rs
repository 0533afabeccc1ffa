//! Many members on both networks, one hub, and every fault that a seed can draw, in memory.
//!
//! A [`Trace`] is a story as data: steps that people and faults take. [`Trace::play`] plays it with
//! the real [`mls_core::hub::Hub`] and real [`mls_core::member::Member`]s, lets all faults end, and
//! holds every promise of ARCHITECTURE.md against what was seen ([`Rule`]). [`draw`] makes a trace
//! from a seed, [`shrink`] makes a failing one small, and [`campaign()`] plays many.
//!
//! The same trace gives the same story: what is drawn comes from the seed, but for what the crypto library draws by
//! itself (keys of P-256, HPKE encryptions). Nothing here depends on those bytes, except that in a group that its room orders the lower hash decides between two commits that one
//! device made in one state, and that a new certificate comes into a group within a random hour. Of a
//! group that its room orders nothing more is promised once somebody has heard of a commit too late to
//! follow it (`record/room_order.rs`). Of a group that was restarted no more is promised than that those
//! are in the new one whom its maker knew (`check/replaced.rs`), and no message of an epoch that a
//! device had not come to when it went on (`record/replaced.rs`).
//! Time stands still unless a step lets it pass, and then by more than any member's random wait. Where it begins
//! is in [`Begins`].

mod authority;
mod begins;
mod campaign;
mod chance_bytes;
mod check;
mod crash;
mod dice;
mod disk;
mod doing;
mod draw;
mod failure;
mod figures;
mod healing;
mod hub_node;
mod member_node;
mod moves;
mod operate;
mod operation;
mod outbox;
mod pool;
mod record;
mod room;
mod run;
mod shrink;
mod stage;
mod step;
mod steps;
mod tell;
mod to_hub;
mod to_member;
mod trace;
mod weather;
mod world;

pub use authority::Authority;
pub use begins::Begins;
pub use campaign::{Broken, Campaign, Found, campaign};
pub use crash::{Crash, Node};
pub use draw::draw;
pub use failure::{Failure, Rule};
pub use figures::Figures;
pub use operation::{Operation, Psk};
pub use run::Run;
pub use shrink::shrink;
pub use step::{Device, Group, NoStep, Step, User};
pub use trace::{Cast, Trace};
pub use weather::Weather;
