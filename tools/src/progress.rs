//! How far long work is: a bar at a terminal, a plain line now and then elsewhere. Always on standard error.
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Between two plain lines.
const EVERY: Duration = Duration::from_secs(5);

/// Shows progress until `end`.
pub struct Progress {
    /// At a terminal.
    bar: Option<ProgressBar>,
    told: Instant,
}

impl Progress {
    /// `size_bytes` is 0 when nobody knows.
    pub fn new(size_bytes: u64) -> Progress {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = if size_bytes == 0 { ProgressBar::new_spinner() } else { ProgressBar::new(size_bytes) };
            let style = ProgressStyle::with_template("{bar:40} {percent:>3} %  {msg}  {elapsed}");
            bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Progress { bar, told: Instant::now() }
    }

    /// There are this many bytes more than was known.
    pub fn grow(&self, bytes: u64) {
        if let Some(bar) = &self.bar {
            bar.inc_length(bytes);
        }
    }

    /// So far; `text` is asked for when it is shown.
    pub fn at(&mut self, position_bytes: u64, text: impl FnOnce() -> String) {
        if let Some(bar) = &self.bar {
            bar.set_position(position_bytes);
            bar.set_message(text());
        } else if self.told.elapsed() >= EVERY {
            self.told = Instant::now();
            eprintln!("{}", text());
        }
    }

    /// A line that stays.
    pub fn tell(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{line}")),
            None => eprintln!("{line}"),
        }
    }

    /// The bar is gone.
    pub fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
