//! The log: tracing on standard error, as text or JSON. Standard output is for `ready` and the first steps.
use super::log_lines::{Lines, Writing};
use crate::config::LogFormat;
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// Starts it; what is logged is written for as long as the answer lives. `level` was checked with the configuration.
pub(super) fn start(format: LogFormat, level: &str) -> Writing {
    let (lines, writing) = Lines::to(std::io::stderr());
    let filter = EnvFilter::try_new(level).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(lines);
    // An error means that somebody has set a log before; that one serves.
    let _ = if format == LogFormat::Json {
        builder.json().flatten_event(true).try_init()
    } else {
        builder.with_ansi(std::io::stderr().is_terminal()).try_init()
    };
    writing
}
