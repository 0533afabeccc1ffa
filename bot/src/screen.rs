//! Standard output: JSON for programs, sentences for people.

use std::io::{self, Write};

use crate::json::Line;
use crate::text;

/// How lines are shown.
#[derive(Clone, Copy, Debug)]
pub struct Screen {
    /// One JSON object a line.
    pub json: bool,
}

impl Screen {
    /// Prints a line, and flushes: the reader may be waiting for it.
    pub fn show(&self, line: &Line) -> io::Result<()> {
        self.print(&if self.json { line.to_json() } else { text::render(line) })
    }

    /// Prints a text as it is.
    pub(crate) fn print(&self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        writeln!(out, "{text}")?;
        out.flush()
    }
}
