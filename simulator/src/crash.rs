//! Where a process ends, and what that leaves.

use std::fmt;
use std::str::FromStr;

use crate::step::{Device, NoStep};

/// Whose process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Node {
    /// The hub's.
    Hub,
    /// A device's.
    Device(Device),
}

/// When a process ends while it works on an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// Before the writes are committed: nothing of the input has happened.
    Before,
    /// After the commit: nothing of what was to be done is done.
    After,
    /// After half of what was to be done.
    Amid,
    /// After everything was done, and its messages are in their rooms, the machine loses its
    /// power, and with it all writes that were committed without a sync. Of a hub as [`Crash::Amid`].
    Power,
}

/// A crash that is to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Armed {
    inputs: usize,
    crash: Crash,
}

impl Armed {
    pub(crate) fn new(after: usize, crash: Crash) -> Self {
        Self { inputs: after.max(1), crash }
    }

    /// An input comes: the crash, if this is the one.
    pub(crate) fn input(armed: &mut Option<Self>) -> Option<Crash> {
        let waiting = armed.as_mut()?;
        waiting.inputs = waiting.inputs.saturating_sub(1);
        if waiting.inputs > 0 { None } else { armed.take().map(|armed| armed.crash) }
    }
}

const CRASHES: [(Crash, &str); 4] = [
    (Crash::Before, "before"),
    (Crash::After, "after"),
    (Crash::Amid, "amid"),
    (Crash::Power, "power"),
];

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = CRASHES.iter().find(|(crash, _)| crash == self).map_or("", |(_, name)| name);
        f.write_str(name)
    }
}

impl FromStr for Crash {
    type Err = NoStep;

    fn from_str(word: &str) -> Result<Self, NoStep> {
        let found = CRASHES.iter().find(|(_, name)| *name == word).map(|(crash, _)| *crash);
        found.ok_or_else(|| NoStep(word.to_owned()))
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hub => f.write_str("hub"),
            Self::Device(device) => write!(f, "d{device}"),
        }
    }
}

impl FromStr for Node {
    type Err = NoStep;

    fn from_str(word: &str) -> Result<Self, NoStep> {
        let device = word.strip_prefix('d').and_then(|number| number.parse().ok());
        match (word, device) {
            ("hub", _) => Ok(Self::Hub),
            (_, Some(device)) => Ok(Self::Device(device)),
            (_, None) => Err(NoStep(word.to_owned())),
        }
    }
}

/// What became of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Nothing: whoever gave it gives it again.
    Undone,
    /// It is decided, but whoever gave it does not know.
    Unanswered,
    /// It is decided, and whoever gave it knows.
    Done,
}
