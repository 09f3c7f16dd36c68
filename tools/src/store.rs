//! Opens the store as the configuration says; for serving and for commands on a closed data directory alike.
use crate::config::Config;
use crate::ops::{Failure, Kind};
use posthouse_engine::base::{Clock, Error, SystemClock};
use posthouse_engine::disk::StdDisk;
use posthouse_engine::{Engine, Options};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Cores that this process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// An open store and what its recovery had to say.
pub struct Opened {
    /// The store.
    pub engine: Arc<Engine>,
    /// Its clock.
    pub clock: Arc<dyn Clock>,
    /// Lines for the log: what was cut, what was rebuilt.
    pub report: Vec<String>,
}

/// Opens the data directory; makes the store when the directory is empty or missing.
///
/// # Errors
/// `InUse` when another process has it.
pub fn open(data: &Path, config: &Config) -> Result<Opened, Failure> {
    let disk = StdDisk::new(data).map_err(|error| Failure::io(data.display(), &error))?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let store = &config.store;
    let options = Options {
        disk: Arc::new(disk),
        clock: clock.clone(),
        shards: u16::try_from(store.shards.or((cores() / 4).max(1))).unwrap_or(u16::MAX - 1),
        segment_bytes_max: u32::try_from(store.segment_size_bytes_max).unwrap_or(u32::MAX),
        checkpoint_log_bytes: store.checkpoint_log_bytes,
        workers: store.workers.or(cores().max(2)),
    };
    let (engine, report) = Engine::open(options).map_err(|error| refused(data, error))?;
    engine.keep_mail_log(config.mail_log.size_bytes_max, config.mail_log.keep_days.into());
    Ok(Opened { engine, clock, report })
}

fn refused(data: &Path, error: Error) -> Failure {
    let locked = match &error {
        Error::Busy => true,
        Error::Io { source, .. } => source.kind() == io::ErrorKind::WouldBlock,
        _ => false,
    };
    if locked {
        return Failure::new(Kind::InUse, format!("{} is in use by another process", data.display()));
    }
    let damaged = matches!(error, Error::Corrupt { .. });
    let mut failure = Failure::from(error);
    failure.text = format!("{}: {}", data.display(), failure.text);
    if damaged {
        failure.text.push_str("; posthouse repair says what can be done and what is lost (docs/repair.md)");
    }
    failure
}
