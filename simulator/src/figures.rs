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
    /// Groups that went over to their room, by a command that was fulfilled.
    pub handed_over: u64,
    /// Groups that came back to the hub.
    pub handed_back: u64,
    /// Commits that a room took from their maker.
    pub room_commits: u64,
    /// Times that a device took epochs back.
    pub rewound: u64,
    /// Groups that fell apart, since somebody heard of a commit too late.
    pub apart: u64,
    /// Fresh signature keys of a group.
    pub keys_changed: u64,
    /// Certificates issued, beside the first ones.
    pub certificates: u64,
    /// Groups that took the place of another by a restart.
    pub restarted: u64,
    /// Groups that followed another by a ReInit.
    pub started_anew: u64,
    /// Groups that branched from another.
    pub branched: u64,
    /// Knocks that the hub took.
    pub knocks: u64,
    /// Knocks that an admin denied.
    pub denied: u64,
    /// Refusals of a certificate.
    pub refused: u64,
    /// Commands that were given again under their ids.
    pub given_again: u64,
    /// Commands that were done again, since a room took their commits back.
    pub done_again: u64,
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
        self.handed_over += other.handed_over;
        self.handed_back += other.handed_back;
        self.room_commits += other.room_commits;
        self.rewound += other.rewound;
        self.apart += other.apart;
        self.keys_changed += other.keys_changed;
        self.certificates += other.certificates;
        self.restarted += other.restarted;
        self.started_anew += other.started_anew;
        self.branched += other.branched;
        self.knocks += other.knocks;
        self.denied += other.denied;
        self.refused += other.refused;
        self.given_again += other.given_again;
        self.done_again += other.done_again;
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { runs, operations, messages, shown, commits, inputs, faults, crashes, .. } = self;
        let Self { handed_over, handed_back, room_commits, rewound, apart, .. } = self;
        let Self { keys_changed, certificates, refused, given_again, done_again, .. } = self;
        let Self { restarted, started_anew, branched, knocks, denied, .. } = self;
        write!(
            f,
            "{runs} runs: {operations} operations, {messages} messages (shown {shown} times), \
             {commits} commits, {inputs} inputs, {faults} faults, {crashes} crashes; \
             {handed_over} groups to rooms, {handed_back} back, {room_commits} commits there, \
             {rewound} times taken back, {apart} groups apart; {keys_changed} fresh keys, \
             {certificates} certificates renewed or added, {refused} refused; {restarted} restarts, \
             {started_anew} started anew, {branched} branches; \
             {knocks} knocks, {denied} denied; {given_again} commands given again, {done_again} \
             done again"
        )
    }
}
