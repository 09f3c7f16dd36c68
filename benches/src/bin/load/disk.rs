//! The machine's own limit beside which every rate must be read: how many 4 kB appends a second,
//! each followed by fdatasync, one file per thread. Never touches a file that it did not make.

use crate::report::Report;
use crate::{PathBuf, cpu};
use clap::Args;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

const APPEND_BYTES: usize = 4096;

#[derive(Args)]
pub struct Options {
    /// Folder on the disk to measure; the files are removed again.
    #[arg(long)]
    dir: PathBuf,
    /// Files appended to at the same time.
    #[arg(long, default_value_t = 1)]
    files: usize,
    /// How long to measure, in seconds.
    #[arg(long, default_value_t = 2)]
    seconds: u64,
}

/// Appends and syncs until the time is over.
///
/// # Errors
/// When the folder cannot be made; write errors are inside the report.
pub fn run(options: &Options) -> io::Result<Report> {
    std::fs::create_dir_all(&options.dir)?;
    let (cpu_before, start) = (cpu::own(), Instant::now());
    let mut total = Report::default();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..options.files)
            .map(|n| {
                let path = options.dir.join(format!("append-{}-{n}", std::process::id()));
                scope.spawn(move || one(&path, Duration::from_secs(options.seconds)))
            })
            .collect();
        for thread in threads {
            match thread.join() {
                Ok(Ok(part)) => total.merge(part),
                Ok(Err(problem)) => total.errors.push(problem.to_string()),
                Err(_) => total.errors.push("a thread panicked".to_owned()),
            }
        }
    });
    total.wall = start.elapsed();
    total.own_cpu = cpu::own().saturating_sub(cpu_before);
    Ok(total)
}

fn one(path: &Path, time: Duration) -> io::Result<Report> {
    let mut file = OpenOptions::new().create_new(true).append(true).open(path)?;
    let block = [7u8; APPEND_BYTES];
    let mut report = Report::default();
    let start = Instant::now();
    while start.elapsed() < time {
        let begun = Instant::now();
        file.write_all(&block)?;
        file.sync_data()?;
        report.latencies.push(begun.elapsed());
        report.ops += 1;
        report.bytes += APPEND_BYTES as u64;
    }
    drop(file);
    std::fs::remove_file(path)?;
    Ok(report)
}
