//! Many connections that are logged in, have SELECTed INBOX and sit in IDLE (RFC 2177). It prints
//! `holding N`, waits for a line on standard input, ends each IDLE properly and checks the answer:
//! a connection that the server dropped meanwhile is an error.

use crate::report::Report;
use crate::wire::Wire;
use crate::{Target, cpu, imap};
use clap::Args;
use std::io::{self, BufRead};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

#[derive(Args)]
pub struct Options {
    /// `--conns` is the number of connections to hold.
    #[command(flatten)]
    target: Target,
    /// Threads that open them.
    #[arg(long, default_value_t = 8)]
    threads: usize,
}

/// Opens, holds and closes the connections.
///
/// # Errors
/// When standard input cannot be read; connection problems are inside the report.
pub fn run(options: &Options) -> io::Result<Report> {
    let next = AtomicUsize::new(0);
    let held = Mutex::new(Vec::new());
    let problems = Mutex::new(Vec::new());
    let (cpu_before, start) = (cpu::own(), Instant::now());
    std::thread::scope(|scope| {
        for _ in 0..options.threads {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= options.target.conns {
                        break;
                    }
                    match open(&options.target, number) {
                        Ok(wire) => push(&held, wire),
                        Err(problem) => push(&problems, problem.to_string()),
                    }
                }
            });
        }
    });
    let mut wires = held.into_inner().unwrap_or_default();
    let mut report =
        Report { wall: start.elapsed(), errors: problems.into_inner().unwrap_or_default(), ..Report::default() };
    report.own_cpu = cpu::own().saturating_sub(cpu_before);
    println!("holding {}", wires.len());
    io::stdin().lock().read_line(&mut String::new())?;
    for wire in &mut wires {
        match close(wire) {
            Ok(()) => report.ops += 1,
            Err(problem) => report.errors.push(format!("after holding: {problem}")),
        }
    }
    Ok(report)
}

fn push<T>(list: &Mutex<Vec<T>>, item: T) {
    if let Ok(mut list) = list.lock() {
        list.push(item);
    }
}

/// A connection in IDLE.
///
/// # Errors
/// The connection's, or any answer but the right one.
pub fn open(target: &Target, number: usize) -> io::Result<Wire> {
    let mut wire = imap::login(target, number)?;
    imap::select(&mut wire, "INBOX")?;
    wire.send(b"i IDLE\r\n")?;
    let line = wire.line()?;
    if !line.starts_with(b"+") {
        return Err(io::Error::other(format!("IDLE: {}", String::from_utf8_lossy(&line))));
    }
    wire.shrink();
    Ok(wire)
}

fn close(wire: &mut Wire) -> io::Result<()> {
    wire.send(b"DONE\r\n")?;
    loop {
        let line = wire.line()?;
        if line.starts_with(b"i OK") {
            return Ok(());
        }
        if !line.starts_with(b"* ") || line.starts_with(b"* BYE") {
            return Err(io::Error::other(String::from_utf8_lossy(&line).into_owned()));
        }
    }
}
