//! What happened in a run, counted.

use std::fmt;
use std::ops::AddAssign;

/// Counts of one run, or of many together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Runs.
    pub runs: u64,
    /// Commands given and changes of rooms.
    pub operations: u64,
    /// Messages that a room took from their sender.
    pub messages: u64,
    /// Times that a message was shown.
    pub shown: u64,
    /// Commits that the hub accepted.
    pub commits: u64,
    /// Inputs of hub and members.
    pub inputs: u64,
    /// Things lost, doubled or overtaken, connections and networks lost, states lost.
    pub faults: u64,
    /// Processes that ended without warning.
    pub crashes: u64,
}

impl AddAssign for Figures {
    fn add_assign(&mut self, other: Self) {
        self.runs += other.runs;
        self.operations += other.operations;
        self.messages += other.messages;
        self.shown += other.shown;
        self.commits += other.commits;
        self.inputs += other.inputs;
        self.faults += other.faults;
        self.crashes += other.crashes;
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { runs, operations, messages, shown, commits, inputs, faults, crashes } = self;
        write!(
            f,
            "{runs} runs: {operations} operations, {messages} messages (shown {shown} times), \
             {commits} commits, {inputs} inputs, {faults} faults, {crashes} crashes"
        )
    }
}
