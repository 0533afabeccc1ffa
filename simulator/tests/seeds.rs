//! Many seeds, each a story of its own; and the same seed, which is the same story.

use simulator::{Campaign, campaign, draw};

/// Seeds that every run of the tests plays.
const RUNS: u64 = 2_000;
const THREADS: usize = 2;

#[test]
fn whatever_happens_all_promises_hold_once_it_is_over() {
    let first = Campaign { seed: 1, runs: RUNS, members: None, threads: THREADS };
    let (figures, found) = campaign(&first, |_| ());
    if let Some(found) = found {
        panic!("{found}");
    }
    println!("{figures}");
    assert_eq!(figures.runs, RUNS);
    // So many that a simulation of which half does not work would be noticed.
    assert!(figures.messages > 4 * RUNS && figures.commits > 4 * RUNS, "{figures}");
    assert!(figures.faults > 4 * RUNS && figures.crashes > RUNS / 2, "{figures}");
}

#[test]
fn a_seed_tells_the_same_story_twice() {
    for seed in 100_000..100_020 {
        let trace = draw(seed, None);
        assert_eq!(trace, draw(seed, None));
        assert_eq!(trace.play(), trace.play(), "seed {seed}:\n{trace}");
    }
    assert_ne!(draw(1, None), draw(2, None));
}

#[test]
fn a_story_can_be_as_large_as_one_likes() {
    let trace = draw(3, Some(20));
    assert_eq!(trace.cast.users().len(), 20);
    assert_eq!(trace.play().failure, None, "{trace}");
}
