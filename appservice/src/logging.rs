//! Log lines: to standard error, for people or for machines, never with a secret or a content.

use std::io::{self, IsTerminal};

use tracing::{Level, Metadata};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use crate::command_line::LogFormat;

/// Our own crates, whose finer lines are known to hold neither.
const OURS: [&str; 6] =
    ["appservice", "matrix_adapter", "mls_bridge", "mls_core", "storage", "xmpp_adapter"];

/// Logs from now on; RUST_LOG chooses which lines, `info` unless it is set.
pub fn start(format: LogFormat) {
    let chosen = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = match format {
        LogFormat::Text => {
            fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal()).boxed()
        }
        LogFormat::Json => fmt::layer().with_writer(io::stderr).json().boxed(),
    };
    let lines = lines.with_filter(filter_fn(may_be_shown));
    // Only a test that started it before makes this fail, and then it logs already.
    let _ = tracing_subscriber::registry().with(lines).with(chosen).try_init();
}

/// HTTP and TLS libraries show headers, and so tokens, in their finest lines.
fn may_be_shown(line: &Metadata<'_>) -> bool {
    let krate = line.target().split("::").next().unwrap_or_default();
    *line.level() <= Level::INFO || OURS.contains(&krate)
}
