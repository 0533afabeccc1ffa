//! What the network does to what is on its way.

use std::fmt;

/// Which faults a stretch of work has; each hits some of what moves in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weather {
    /// Requests, answers, Welcomes and handshakes are lost, and confirmations of what was posted.
    pub loses: bool,
    /// Things come twice.
    pub doubles: bool,
    /// Things overtake others: of one receiver, in one room, or on the way to the hub.
    pub swaps: bool,
}

impl Weather {
    pub(crate) fn parse(words: &[&str]) -> Option<Self> {
        let mut weather = Self::default();
        for word in words {
            match *word {
                "loses" => weather.loses = true,
                "doubles" => weather.doubles = true,
                "swaps" => weather.swaps = true,
                _ => return None,
            }
        }
        Some(weather)
    }
}

impl fmt::Display for Weather {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [(self.loses, "loses"), (self.doubles, "doubles"), (self.swaps, "swaps")];
        names.iter().filter(|(is, _)| *is).try_for_each(|(_, name)| write!(f, " {name}"))
    }
}
