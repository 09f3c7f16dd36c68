//! How far an import is: a bar at a terminal, a plain line now and then elsewhere. Always on standard error.
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Between two plain lines.
const EVERY: Duration = Duration::from_secs(5);

/// Shows progress until `end`.
pub(super) struct Progress {
    /// At a terminal.
    bar: Option<ProgressBar>,
    told: Instant,
}

impl Progress {
    /// `size_bytes` is 0 when nobody knows.
    pub(super) fn new(size_bytes: u64) -> Progress {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = if size_bytes == 0 { ProgressBar::new_spinner() } else { ProgressBar::new(size_bytes) };
            let style = ProgressStyle::with_template("{bar:40} {percent:>3} %  {msg}  {elapsed}");
            bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Progress { bar, told: Instant::now() }
    }

    pub(super) fn at(&mut self, position_bytes: u64, imported: u64, refused: u64) {
        let text = format!("{imported} imported, {refused} refused");
        if let Some(bar) = &self.bar {
            bar.set_position(position_bytes);
            bar.set_message(text);
        } else if self.told.elapsed() >= EVERY {
            self.told = Instant::now();
            eprintln!("{text}");
        }
    }

    /// A line that stays.
    pub(super) fn tell(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{line}")),
            None => eprintln!("{line}"),
        }
    }

    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
