//! The first figures: what a message costs beside bare mls-rs, how much one hub carries, what it
//! adds to the way of a message, and how much memory large groups take.
//!
//! `cargo xtask bench` builds the programs and runs this. docs/performance.md says what each
//! figure includes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a measurement that cannot be made ends the run"
)]

mod durable;
mod growth;
mod latency;
mod memory;
mod network;
mod peer;
mod relay;
mod spread;
mod world;

use std::process::ExitCode;

/// The figures by name, in the order in which they are measured.
const FIGURES: [(&str, fn()); 4] = [
    ("messages", durable::run),
    ("relay", relay::run),
    ("memory", memory::run),
    ("latency", latency::run),
];

fn main() -> ExitCode {
    // Cargo adds --bench to what it is told to pass on.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    if let Some((memory::HOLD, rest)) = arguments.split_first().map(|(a, rest)| (a.as_str(), rest))
    {
        memory::hold(rest);
        return ExitCode::SUCCESS;
    }
    let unknown = arguments.iter().find(|a| !FIGURES.iter().any(|(name, _)| a == name));
    if let Some(unknown) = unknown {
        let names: Vec<&str> = FIGURES.iter().map(|(name, _)| *name).collect();
        eprintln!("error: there is no figure {unknown:?}; there are: {}", names.join(", "));
        return ExitCode::FAILURE;
    }
    for (name, measure) in FIGURES {
        if arguments.is_empty() || arguments.iter().any(|a| a == name) {
            measure();
        }
    }
    println!("\nThe machine's other work is in all of these: compare runs, not digits.");
    ExitCode::SUCCESS
}

/// Says on standard error what is being prepared; results alone go to standard output.
fn step(text: &str) {
    eprintln!("[bench] {text}");
}
