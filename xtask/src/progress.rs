//! What is going on: a spinner on a terminal, plain lines everywhere else.

use std::io::{IsTerminal, Write};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use tests::error::RigError;

struct Display {
    bar: Option<ProgressBar>,
    start: Instant,
}

fn display() -> &'static Display {
    static DISPLAY: OnceLock<Display> = OnceLock::new();
    DISPLAY.get_or_init(|| {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{spinner} {elapsed:>4} {wide_msg}");
            let bar = ProgressBar::new_spinner();
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Display { bar, start: Instant::now() }
    })
}

/// Says what happens now.
pub(crate) fn step(text: &str) {
    let display = display();
    match &display.bar {
        Some(bar) => bar.set_message(text.to_owned()),
        None => line(&mut std::io::stderr(), &format!("[{:3} s] {text}", seconds(display))),
    }
}

/// Begins something with so many parts: a bar on a terminal, one line elsewhere.
pub(crate) fn begin(parts: u64, text: &str) {
    step(text);
    if let Some(bar) = &display().bar {
        let style = "{spinner} {elapsed:>4} {wide_bar} {pos}/{len}, {eta} left  {msg}";
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        bar.set_length(parts);
    }
}

/// So many parts are done.
pub(crate) fn reached(parts: u64) {
    if let Some(bar) = &display().bar {
        bar.set_position(parts);
    }
}

/// Prints a line of the result, above the spinner.
pub(crate) fn print(text: &str) {
    let show = || line(&mut std::io::stdout(), text);
    match &display().bar {
        Some(bar) => bar.suspend(show),
        None => show(),
    }
}

/// Ends the spinner.
pub(crate) fn end() {
    if let Some(bar) = &display().bar {
        bar.finish_and_clear();
    }
}

/// Ends the spinner and says why nothing came of it.
pub(crate) fn fail(error: &RigError) {
    end();
    line(&mut std::io::stderr(), &format!("error: {error}"));
}

/// Seconds since the first word.
pub(crate) fn elapsed() -> u64 {
    seconds(display())
}

fn seconds(display: &Display) -> u64 {
    display.start.elapsed().as_secs()
}

fn line(to: &mut impl Write, text: &str) {
    // A reader that went away (`| head`) is no reason to fail.
    let _reader_gone = writeln!(to, "{text}");
}
