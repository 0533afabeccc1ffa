//! From a trace that fails to a small one that fails in the same way.

use crate::failure::Rule;
use crate::step::Step;
use crate::trace::Trace;
use crate::weather::Weather;

/// Traces that are played at most.
const PLAYS_MAX: usize = 600;

/// The smallest trace that was found to break the same promise. What does not fail stays as it is.
pub fn shrink(trace: &Trace) -> Trace {
    let Some(failure) = trace.play().failure else { return trace.clone() };
    let mut search = Search { rule: failure.rule, smallest: trace.clone(), plays: 0 };
    while search.fewer_steps() | search.simpler_steps() {}
    search.smallest
}

struct Search {
    rule: Rule,
    smallest: Trace,
    plays: usize,
}

impl Search {
    /// Takes out runs of steps, from half of all down to one. Whether that led anywhere.
    fn fewer_steps(&mut self) -> bool {
        let before = self.smallest.steps.len();
        let mut length = before.div_ceil(2);
        while length > 0 {
            let mut from = 0;
            while from < self.smallest.steps.len() {
                let mut shorter = self.smallest.clone();
                let to = from.saturating_add(length).min(shorter.steps.len());
                shorter.steps.drain(from..to);
                if !self.accept(shorter) {
                    from = to;
                }
            }
            length /= 2;
        }
        self.smallest.steps.len() < before
    }

    /// Makes single steps do less. Whether that led anywhere.
    fn simpler_steps(&mut self) -> bool {
        let mut any = false;
        for place in 0..self.smallest.steps.len() {
            let Some(step) = self.smallest.steps.get(place).cloned() else { continue };
            for simpler in simpler(&step) {
                let mut trace = self.smallest.clone();
                if let Some(step) = trace.steps.get_mut(place) {
                    *step = simpler;
                }
                any |= self.accept(trace);
            }
        }
        any
    }

    fn accept(&mut self, trace: Trace) -> bool {
        if self.plays >= PLAYS_MAX {
            return false;
        }
        self.plays += 1;
        let fails = trace.play().failure.is_some_and(|failure| failure.rule == self.rule);
        if fails {
            self.smallest = trace;
        }
        fails
    }
}

/// Ways in which a step can do less, the boldest last, so that it stands if all of them fail too.
fn simpler(step: &Step) -> Vec<Step> {
    match step {
        Step::Work { count, seed, weather } => {
            let with = |count, weather| Step::Work { count, seed: *seed, weather };
            let calmer = [
                Weather { loses: false, ..*weather },
                Weather { doubles: false, ..*weather },
                Weather { swaps: false, ..*weather },
                Weather::default(),
            ];
            let calmer = calmer.into_iter().filter(|calmer| calmer != weather);
            let fewer = [*count / 2, *count * 3 / 4].into_iter().filter(|c| *c > 0 && c < count);
            fewer
                .map(|fewer| with(fewer, *weather))
                .chain(calmer.map(|c| with(*count, c)))
                .collect()
        }
        Step::Send { device, group, count } if *count > 1 => {
            vec![Step::Send { device: *device, group: *group, count: 1 }]
        }
        Step::Invite { device, group, users } if users.len() > 1 => {
            let without = |out: usize| {
                let kept = users.iter().enumerate().filter(|(place, _)| *place != out);
                let users = kept.map(|(_, user)| *user).collect();
                Step::Invite { device: *device, group: *group, users }
            };
            (0..users.len()).map(without).collect()
        }
        Step::Crash { node, after, crash } if *after > 1 => {
            vec![Step::Crash { node: *node, after: 1, crash: *crash }]
        }
        Step::Time { seconds } if *seconds > 20 => vec![Step::Time { seconds: 20 }],
        _ => Vec::new(),
    }
}
