//! Standard input, line by line, without holding anything else up.

use std::io::{BufRead, Read};

use thiserror::Error;
use tokio::sync::mpsc;

/// The longest line, in bytes: the longest text with every character as a JSON escape.
pub(crate) const LINE_BYTES_MAX: usize = 256 * 1024;
/// Lines that wait; reading goes on when one is taken.
const LINES_MAX: usize = 16;

/// A line that cannot be taken; the next one can.
#[derive(Debug, PartialEq, Eq, Error)]
pub(crate) enum LineError {
    /// Too long to be kept.
    #[error("the line is longer than {LINE_BYTES_MAX} bytes")]
    TooLong,
    /// Not text.
    #[error("the line is not UTF-8")]
    NotText,
}

/// The lines of standard input; `None` at its end. Reading it blocks a thread of its own, which
/// ends with the process.
pub(crate) fn lines() -> mpsc::Receiver<Result<String, LineError>> {
    let (sender, receiver) = mpsc::channel(LINES_MAX);
    std::thread::spawn(move || {
        let mut input = std::io::stdin().lock();
        while let Some(line) = next_line(&mut input, LINE_BYTES_MAX) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// The next line without its end; an input that fails has ended.
fn next_line(input: &mut impl BufRead, max: usize) -> Option<Result<String, LineError>> {
    let mut line = Vec::new();
    let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    let read = input.by_ref().take(limit).read_until(b'\n', &mut line).ok()?;
    if read == 0 {
        return None;
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if line.len() > max {
        skip_line(input);
        return Some(Err(LineError::TooLong));
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Some(String::from_utf8(line).map_err(|_| LineError::NotText))
}

/// Reads to the end of the line and keeps nothing.
fn skip_line(input: &mut impl BufRead) {
    while let Ok(buffer) = input.fill_buf() {
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let (length, done) = (end.map_or(buffer.len(), |at| at + 1), end.is_some());
        let empty = buffer.is_empty();
        input.consume(length);
        if done || empty {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_too_long_or_not_text_is_told_and_the_next_one_is_read() {
        let mut input: &[u8] = b"one\r\n\n0123456789\n0123456789x and much more\n\xff\ntwo";
        let mut lines = Vec::new();
        while let Some(line) = next_line(&mut input, 10) {
            lines.push(line.map_err(|e| e.to_string()));
        }
        let text = |text: &str| Ok(text.to_owned());
        let too_long = Err(LineError::TooLong.to_string());
        let not_text = Err(LineError::NotText.to_string());
        assert_eq!(
            lines,
            [text("one"), text(""), text("0123456789"), too_long, not_text, text("two")]
        );
    }
}
