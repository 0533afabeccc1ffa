//! A story from its first step to its last, as data and as text that can be pasted into a test.

use std::fmt;
use std::str::FromStr;

use crate::begins::Begins;
use crate::step::{NoStep, Step};

/// Ends the first line of a story that begins before today.
const TODAY: &str = "today";

/// How many devices each account has. Accounts with an even number are on Matrix, others on XMPP.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cast(pub Vec<usize>);

/// A story. After its last step the faults end, and everything that waits arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// When it begins.
    pub begins: Begins,
    /// Who takes part.
    pub cast: Cast,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

impl Cast {
    /// The account of each device.
    pub fn users(&self) -> Vec<usize> {
        let devices = |(user, count): (usize, &usize)| std::iter::repeat_n(user, *count);
        self.0.iter().enumerate().flat_map(devices).collect()
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cast")?;
        self.cast.0.iter().try_for_each(|devices| write!(f, " {devices}"))?;
        if self.begins == Begins::BeforeToday {
            write!(f, " {TODAY}")?;
        }
        self.steps.iter().try_for_each(|step| write!(f, "\n{step}"))
    }
}

/// One step a line, or several with `;` between them; the first says `cast`.
impl FromStr for Trace {
    type Err = NoStep;

    fn from_str(text: &str) -> Result<Self, NoStep> {
        let mut lines = text.split(['\n', ';']).map(str::trim).filter(|line| !line.is_empty());
        let first = lines.next().unwrap_or_default();
        let no_cast = || NoStep(first.to_owned());
        let devices = first.strip_prefix("cast ").ok_or_else(no_cast)?;
        let (devices, begins) = match devices.strip_suffix(TODAY) {
            Some(devices) => (devices, Begins::BeforeToday),
            None => (devices, Begins::In2040),
        };
        let devices: Result<Vec<usize>, _> = devices.split_whitespace().map(str::parse).collect();
        let steps = lines.map(str::parse).collect::<Result<_, _>>()?;
        Ok(Self { begins, cast: Cast(devices.map_err(|_| no_cast())?), steps })
    }
}

#[cfg(test)]
mod tests {
    use super::{Begins, Trace};

    #[test]
    fn a_trace_is_read_as_it_is_written() {
        let text = "cast 2 1 1\ncreate d0 matrix xmpp\ninvite d0 g0 u1 u2\nremove d0 g0 u1\n\
            leave d1 g0\nrotate d1 g0\nrejoin d1 g0\nsend d1 g0 3\nkick u1 g0\noust u1 g0\ncut d1\n\
            sleep d1\nback d1\npart matrix\nmend xmpp\ncrash d1 3 before\ncrash hub 2 after\n\
            crash hub 1 amid\ncrash d2 1 power\nlose d1\nbury d1\ntime 20\nhub-keys\n\
            let-in u1 g0\nopen d0 g0\nclose d0 g0\nmay-add d0 g0\nmay-not-add d0 g0\n\
            admin d0 g0 u1\nno-admin d0 g0 u1\njoin-psk d0 g0 p1\nno-join-psk d0 g0\n\
            hold d1 g0 p1\nuse d0 g0 p1\nuse-anyway d0 g0 p1\npast-epoch d0 g0 2\n\
            propose-update d1 g0\npropose-add d1 g0 u2\npropose-remove d1 g0 u2\n\
            reinit d0 g0 2\nreinit-open d0 g0 1\nrotate-everywhere d0 g0\njoin d1 g0\n\
            order-room d0 g0\norder-hub d0 g0\nchange-key d1 g0\n\
            restart d0 g0\nknock d2 g0\nanswer d0 yes\nanswer d1 no\ncertified d0 g0\n\
            not-certified d0 g0\nagain d1 2\nauthority d1 refuses\nauthority d1 silent\n\
            authority d1 rations\nauthority d1 away\nauthority d1 signs\nwork 25 7\nwork 5 8 loses doubles swaps";
        let trace: Trace = text.parse().unwrap();
        assert_eq!(trace.to_string(), text);
        assert_eq!(text.replace('\n', "; ").parse::<Trace>().unwrap(), trace);
        assert_eq!((trace.cast.users(), trace.begins), (vec![0, 0, 1, 2], Begins::In2040));
        let near = "cast 1 1 today\ncreate d0 matrix";
        let trace: Trace = near.parse().unwrap();
        assert_eq!((trace.begins, trace.to_string().as_str()), (Begins::BeforeToday, near));
        for wrong in [
            "",
            "send d0 g0 1",
            "cast one",
            "cast 1\nsend d0",
            "cast 1\nwork 1 2 rains",
            "cast 1\nopen d0 g0 u1",
            "cast 1\nuse d0 g0",
        ] {
            assert!(wrong.parse::<Trace>().is_err(), "{wrong}");
        }
    }
}
