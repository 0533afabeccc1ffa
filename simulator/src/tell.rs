//! A story told as it is played, for whoever looks for a fault: events of `tracing`, at level TRACE.

use std::fmt::{Debug, Display};

use tracing::{Level, enabled, trace};

use crate::crash::Crash;
use crate::step::Step;

/// Characters of what comes and goes: enough to see what it is.
const SHORT: usize = 300;

/// A step of the trace begins.
pub(crate) fn step(now_ms: u64, step: &Step) {
    trace!("#### [{}] {step}", now_ms / 1000);
}

/// An input comes to somebody, whose process ends with it, or not.
pub(crate) fn comes(now_ms: u64, to: impl Display, input: &impl Debug, crash: Option<Crash>) {
    if enabled!(Level::TRACE) {
        let end = crash.map(|crash| format!(" (crash {crash})")).unwrap_or_default();
        trace!("[{}] {to} <- {}{end}", now_ms / 1000, short(input));
    }
}

/// What somebody wants done.
pub(crate) fn goes(from: impl Display, effects: &[impl Debug]) {
    if enabled!(Level::TRACE) {
        effects.iter().for_each(|effect| trace!("      {from} -> {}", short(effect)));
    }
}

fn short(what: &impl Debug) -> String {
    format!("{what:?}").chars().take(SHORT).collect()
}
