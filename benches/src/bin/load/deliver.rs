//! Delivery by LMTP (RFC 2033) or SMTP (RFC 5321): each connection takes the next mail and the next
//! account, waits for every reply and counts only a final 250. Never pipelines unless asked to.

use crate::corpus::{self, Mail};
use crate::report::Report;
use crate::wire::Wire;
use crate::{PathBuf, Target, cpu};
use clap::{Args, ValueEnum};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Proto {
    Lmtp,
    Smtp,
}

#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    target: Target,
    /// Protocol of the listener.
    #[arg(long, value_enum, default_value = "lmtp")]
    proto: Proto,
    /// Folder of .eml files.
    #[arg(long)]
    corpus: PathBuf,
    /// Mails to deliver in all.
    #[arg(long)]
    count: usize,
    /// Number of the first mail and account: goes on where a run before stopped.
    #[arg(long, default_value_t = 0)]
    first: usize,
    /// Recipients of each mail, on following accounts.
    #[arg(long, default_value_t = 1)]
    rcpts: usize,
    /// Send MAIL, RCPT and DATA in one write (RFC 2920).
    #[arg(long)]
    pipeline: bool,
    /// Write the Message-ID of every acknowledged mail, with its account, to this file.
    #[arg(long)]
    acked: Option<PathBuf>,
}

struct Shared<'a> {
    options: &'a Options,
    mails: &'a [Mail],
    next: AtomicUsize,
    run: String,
}

/// Delivers `count` mails and reports.
///
/// # Errors
/// When the corpus cannot be read; a failing connection is an error inside the report.
pub fn run(options: &Options) -> io::Result<Report> {
    let mails = corpus::load(&options.corpus)?;
    let run = format!("{:x}", std::process::id());
    let shared = Shared { options, mails: &mails, next: AtomicUsize::new(0), run };
    let (cpu_before, start) = (cpu::own(), Instant::now());
    let parts: Vec<(Report, Vec<String>)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..options.target.conns).map(|_| scope.spawn(|| connection(&shared))).collect();
        threads.into_iter().filter_map(|t| t.join().ok()).collect()
    });
    let mut total = Report::default();
    let mut acked = String::new();
    for (part, lines) in parts {
        total.merge(part);
        lines.iter().for_each(|line| acked.push_str(line));
    }
    total.wall = start.elapsed();
    total.own_cpu = cpu::own().saturating_sub(cpu_before);
    if let Some(path) = &options.acked {
        std::fs::write(path, acked)?;
    }
    Ok(total)
}

fn connection(shared: &Shared<'_>) -> (Report, Vec<String>) {
    let mut report = Report::default();
    let mut acked = Vec::new();
    if let Err(problem) = deliver_all(shared, &mut report, &mut acked) {
        report.errors.push(problem.to_string());
    }
    (report, acked)
}

fn deliver_all(shared: &Shared<'_>, report: &mut Report, acked: &mut Vec<String>) -> io::Result<()> {
    let options = shared.options;
    let mut wire = Wire::connect(&options.target)?;
    expect(&mut wire, "220")?;
    let hello = if options.proto == Proto::Lmtp { "LHLO" } else { "EHLO" };
    command(&mut wire, &format!("{hello} load.test\r\n"), "250")?;
    let mut body = Vec::new();
    loop {
        let taken = shared.next.fetch_add(1, Ordering::Relaxed);
        if taken >= options.count {
            break;
        }
        let number = options.first + taken;
        let id = format!("{}.{number}", shared.run);
        body.clear();
        shared.mails[number % shared.mails.len()].write(&id, &mut body);
        let begun = Instant::now();
        one(&mut wire, options, number, &body)?;
        report.latencies.push(begun.elapsed());
        report.ops += 1;
        report.bytes += body.len() as u64 - 3;
        if options.acked.is_some() {
            (0..options.rcpts).for_each(|k| acked.push(format!("{id} {}\n", options.target.account(number + k))));
        }
    }
    command(&mut wire, "QUIT\r\n", "221")
}

fn one(wire: &mut Wire, options: &Options, number: usize, body: &[u8]) -> io::Result<()> {
    let mut commands = vec!["MAIL FROM:<sender@load.test>\r\n".to_owned()];
    for k in 0..options.rcpts {
        commands.push(format!("RCPT TO:<{}>\r\n", options.target.account(number + k)));
    }
    if options.pipeline {
        commands.push("DATA\r\n".to_owned());
        wire.send(commands.concat().as_bytes())?;
        for _ in 0..=options.rcpts {
            expect(wire, "250")?;
        }
        expect(wire, "354")?;
    } else {
        for text in &commands {
            command(wire, text, "250")?;
        }
        command(wire, "DATA\r\n", "354")?;
    }
    wire.send(body)?;
    // LMTP answers once per accepted recipient (RFC 2033 section 4.2).
    let answers = if options.proto == Proto::Lmtp { options.rcpts } else { 1 };
    (0..answers).try_for_each(|_| expect(wire, "250"))
}

fn command(wire: &mut Wire, text: &str, code: &str) -> io::Result<()> {
    wire.send(text.as_bytes())?;
    expect(wire, code)
}

/// Reads one reply, all its lines, and holds its code against `code`.
///
/// # Errors
/// The connection's, or another code.
pub fn expect(wire: &mut Wire, code: &str) -> io::Result<()> {
    loop {
        let line = wire.line()?;
        if !line.starts_with(code.as_bytes()) {
            return Err(io::Error::other(format!("wanted {code}, got {}", String::from_utf8_lossy(&line))));
        }
        if line.get(3) != Some(&b'-') {
            return Ok(());
        }
    }
}
