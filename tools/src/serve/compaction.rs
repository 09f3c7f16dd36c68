//! Begins a compaction when one is due and little is going on. Does no work itself and never hurries a run that somebody has paused.
use crate::command::compact_start;
use crate::config::Compaction;
use crate::ops::{Request, run};
use posthouse_engine::Engine;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long requests are counted to tell whether little is going on.
const MINUTE: Duration = Duration::from_secs(60);
/// After a start the house gets this long before the first run.
const SETTLE: Duration = Duration::from_secs(600);

/// So often what was replaced is looked through for what may go.
const TIDY_MINUTES: u32 = 60;

/// Bytes that a run which nobody asked for leaves free: half of what is free when it begins at least, since what it replaces stays for a day.
fn stays_free(data: &Path, config: &Compaction) -> u64 {
    let free = rustix::fs::statvfs(data).map_or(0, |found| found.f_bavail.saturating_mul(found.f_frsize));
    config.free_bytes_min.max(free / 2)
}

/// The watch; ends when it is dropped.
pub(super) struct Schedule {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Whether a run is due; pure, so that it can be tried without waiting for days.
struct Due {
    next: Instant,
    every: Duration,
    idle_requests: u64,
    before: Option<u64>,
    was_running: bool,
}

impl Due {
    fn new(config: &Compaction, now: Instant) -> Due {
        let every = Duration::from_secs(u64::from(config.every_hours) * 3600);
        let idle_requests = config.idle_requests_per_minute;
        Due { next: now + SETTLE, every, idle_requests, before: None, was_running: false }
    }

    /// Once a minute: `requests` since the start, and whether a run is under way.
    fn minute(&mut self, now: Instant, requests: u64, running: bool) -> bool {
        if self.was_running && !running {
            self.next = now + self.every;
        }
        self.was_running = running;
        let before = self.before.replace(requests);
        let idle = before.is_some_and(|before| requests.saturating_sub(before) < self.idle_requests);
        let due = idle && !running && now >= self.next;
        if due {
            // A run may begin and end within the minute.
            self.next = now + self.every;
        }
        due
    }
}

impl Schedule {
    /// Starts the watch, if the configuration wants one.
    pub(super) fn start(engine: &Arc<Engine>, data: &Path, config: &Compaction) -> std::io::Result<Option<Schedule>> {
        if !config.schedule {
            return Ok(None);
        }
        let (stop, stopped) = mpsc::channel();
        let (engine, data, config) = (engine.clone(), data.to_path_buf(), config.clone());
        let watch = move || {
            let mut due = Due::new(&config, Instant::now());
            let keep_ms = i64::from(config.keep_hours) * 60 * 60 * 1000;
            let mut minutes = 0;
            while stopped.recv_timeout(MINUTE) == Err(RecvTimeoutError::Timeout) {
                minutes += 1;
                // Room is given back when it is time, however busy the house is.
                if minutes % TIDY_MINUTES == 0
                    && let Err(why) = engine.remove_replaced(keep_ms)
                {
                    tracing::error!(%why, "what compaction has replaced cannot be removed");
                }
                let requests = engine.status().shards.iter().map(|shard| shard.requests).sum();
                if due.minute(Instant::now(), requests, engine.compact_status().running) {
                    tracing::info!("compaction begins; posthouse compact --status shows how far it is");
                    let config = Compaction { free_bytes_min: stays_free(&data, &config), ..config.clone() };
                    run(&engine, None, &Request::Compact(compact_start(&config)));
                }
            }
        };
        let thread = std::thread::Builder::new().name("compact-due".into()).spawn(watch)?;
        Ok(Some(Schedule { stop: Some(stop), thread: Some(thread) }))
    }
}

impl Drop for Schedule {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_begins_in_a_quiet_minute_and_not_again_for_a_day() {
        let begin = Instant::now();
        let config = Compaction { every_hours: 2, idle_requests_per_minute: 10, ..Compaction::default() };
        let mut due = Due::new(&config, begin);
        let mut runs = Vec::new();
        let mut requests = 0;
        for minute in 1..600 {
            // Busy for the first hour; then a run that takes half an hour is begun when it is due.
            requests += if minute < 60 { 1000 } else { 3 };
            let running = runs.last().is_some_and(|begun| minute - begun <= 30);
            if due.minute(begin + MINUTE * minute, requests, running) {
                runs.push(minute);
            }
        }
        assert_eq!(runs, [60, 211, 362, 513], "each two hours after the end of the one before");
        let never = Compaction { idle_requests_per_minute: 0, ..config };
        let mut due = Due::new(&never, begin);
        assert!((1..600).all(|minute| !due.minute(begin + MINUTE * minute, 0, false)));
    }
}
