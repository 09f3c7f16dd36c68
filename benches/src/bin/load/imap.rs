//! Reads mailboxes by IMAP (RFC 3501) and checks what comes: of each message asked for one FETCH answer, in order, with the item
//! asked for. Never decodes an envelope or a body.

use crate::report::Report;
use crate::wire::Wire;
use crate::{Target, cpu};
use clap::{Args, ValueEnum};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A whole message, and how long it is said to be.
const WHOLE: &str = "RFC822.SIZE BODY.PEEK[]";
/// Messages that one FETCH names one by one: its line has some kB.
const NAMED_MAX: usize = 1000;

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// LOGIN and SELECT on a new connection each time; one operation is one connection.
    Login,
    /// SELECT alone.
    Select,
    Flags,
    Envelope,
    Bodystructure,
    Full,
    /// The same of every second message, named one by one.
    FlagsGaps,
    /// The same of every second message, named one by one.
    FullGaps,
    /// STATUS (MESSAGES) of every account's INBOX; the sum is `messages`.
    Count,
}

#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    target: Target,
    /// What to read; for the FETCH kinds one operation is one message.
    #[arg(long, value_enum)]
    what: What,
    /// Mailbox to read.
    #[arg(long, default_value = "INBOX")]
    mailbox: String,
    /// How often each account is read.
    #[arg(long, default_value_t = 1)]
    rounds: usize,
}

/// Reads every account `rounds` times over `conns` threads and reports.
///
/// # Errors
/// None of its own; a failing connection is an error inside the report.
pub fn run(options: &Options) -> io::Result<Report> {
    let next = AtomicUsize::new(0);
    let (cpu_before, start) = (cpu::own(), Instant::now());
    let mut total = Report::default();
    let parts: Vec<Report> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..options.target.conns).map(|_| scope.spawn(|| reader(options, &next))).collect();
        threads.into_iter().filter_map(|t| t.join().ok()).collect()
    });
    let counted: u64 = parts.iter().flat_map(|p| &p.extra).filter_map(|(_, v)| v.as_u64()).sum();
    for mut part in parts {
        part.extra.clear();
        total.wall = total.wall.max(part.wall);
        total.merge(part);
    }
    if matches!(options.what, What::Login | What::Count) {
        total.wall = start.elapsed();
    }
    total.own_cpu = cpu::own().saturating_sub(cpu_before);
    total.extra.push(("messages", counted.into()));
    Ok(total)
}

fn reader(options: &Options, next: &AtomicUsize) -> Report {
    let mut report = Report::default();
    let mut measured = Duration::ZERO;
    let mut messages = 0;
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= options.target.accounts * if options.what == What::Login { options.rounds } else { 1 } {
            break;
        }
        match account(options, number, &mut report) {
            Ok((seen, took)) => {
                messages += seen;
                measured += took;
            }
            Err(problem) => report.errors.push(format!("{}: {problem}", options.target.account(number))),
        }
    }
    report.wall = measured;
    report.extra.push(("messages", messages.into()));
    report
}

/// One account over one connection; returns its messages and the time of the measured commands.
fn account(options: &Options, number: usize, report: &mut Report) -> io::Result<(u64, Duration)> {
    let begun = Instant::now();
    let mut wire = login(&options.target, number)?;
    if options.what == What::Count {
        let messages = status(&mut wire)?;
        report.ops += 1;
        return Ok((messages, begun.elapsed()));
    }
    let exists = select(&mut wire, &options.mailbox)?;
    if options.what == What::Login {
        report.latencies.push(begun.elapsed());
        report.ops += 1;
    }
    let start = Instant::now();
    for _ in 0..options.rounds {
        let begun = Instant::now();
        match options.what {
            What::Login | What::Count => break,
            What::Select => {
                select(&mut wire, &options.mailbox)?;
                report.ops += 1;
            }
            What::Flags => fetch_all(&mut wire, "FLAGS", exists, report)?,
            What::Envelope => fetch_all(&mut wire, "ENVELOPE", exists, report)?,
            What::Bodystructure => fetch_all(&mut wire, "BODYSTRUCTURE", exists, report)?,
            What::Full => fetch_all(&mut wire, WHOLE, exists, report)?,
            What::FlagsGaps => fetch_with_gaps(&mut wire, "FLAGS", exists, report)?,
            What::FullGaps => fetch_with_gaps(&mut wire, WHOLE, exists, report)?,
        }
        report.latencies.push(begun.elapsed());
    }
    let took = start.elapsed();
    wire.send(b"z LOGOUT\r\n")?;
    until_tagged(&mut wire, "z", |_, _| {})?;
    Ok((exists, took))
}

/// Greeting and LOGIN of account `number`.
///
/// # Errors
/// The connection's, or any answer but OK.
pub fn login(target: &Target, number: usize) -> io::Result<Wire> {
    let mut wire = Wire::connect(target)?;
    let greeting = wire.line()?;
    if !greeting.starts_with(b"* OK") {
        return Err(bad("greeting", &greeting));
    }
    let user = target.account(number);
    wire.send(format!("a LOGIN {user} {}\r\n", target.password).as_bytes())?;
    until_tagged(&mut wire, "a", |_, _| {})?;
    Ok(wire)
}

/// SELECT; returns EXISTS.
///
/// # Errors
/// The connection's, any answer but OK, or no EXISTS.
pub fn select(wire: &mut Wire, mailbox: &str) -> io::Result<u64> {
    wire.send(format!("s SELECT {mailbox}\r\n").as_bytes())?;
    let mut exists = None;
    until_tagged(wire, "s", |line, _| {
        if let Some(count) = untagged_number(line, b" EXISTS") {
            exists = Some(count);
        }
    })?;
    exists.ok_or_else(|| io::Error::other("SELECT without EXISTS"))
}

fn status(wire: &mut Wire) -> io::Result<u64> {
    wire.send(b"t STATUS INBOX (MESSAGES)\r\n")?;
    let mut messages = None;
    until_tagged(wire, "t", |line, _| {
        let text = String::from_utf8_lossy(line);
        if let Some((_, rest)) = text.split_once("(MESSAGES ") {
            messages = rest.trim_end_matches(')').parse().ok();
        }
    })?;
    messages.ok_or_else(|| io::Error::other("STATUS without MESSAGES"))
}

fn fetch_all(wire: &mut Wire, item: &str, exists: u64, report: &mut Report) -> io::Result<()> {
    if exists == 0 { Ok(()) } else { fetch(wire, item, "1:*", 1..=exists, report) }
}

fn fetch_with_gaps(wire: &mut Wire, item: &str, exists: u64, report: &mut Report) -> io::Result<()> {
    let numbers: Vec<u64> = (1..=exists).step_by(2).collect();
    for some in numbers.chunks(NAMED_MAX) {
        let set: Vec<String> = some.iter().map(u64::to_string).collect();
        fetch(wire, item, &set.join(","), some.iter().copied(), report)?;
    }
    Ok(())
}

/// FETCH of the messages of a set, whose `numbers` must be answered once each and in order.
fn fetch(
    wire: &mut Wire,
    item: &str,
    set: &str,
    mut numbers: impl Iterator<Item = u64>,
    report: &mut Report,
) -> io::Result<()> {
    let whole = item == WHOLE;
    let needle = if whole { b"BODY[]".to_vec() } else { item.as_bytes().to_vec() };
    wire.send(format!("f FETCH {set} ({item})\r\n").as_bytes())?;
    let (mut good, mut bytes, mut wrong) = (0, 0, None);
    until_tagged(wire, "f", |line, literals| {
        let Some(number) = fetched(line).filter(|_| line.windows(needle.len()).any(|w| w == needle)) else { return };
        // A whole message must be as long as it is said to be.
        let is_whole = !whole || size_told(line) == Some(literals);
        if numbers.next() == Some(number) && is_whole {
            good += 1;
            bytes += (line.len() + literals) as u64;
        } else {
            wrong.get_or_insert(number);
        }
    })?;
    if let Some(number) = wrong {
        return Err(io::Error::other(format!("FETCH {item}: message {number} came out of turn, or not whole")));
    }
    if let Some(missing) = numbers.next() {
        return Err(io::Error::other(format!("FETCH {item}: {good} answers, none for message {missing}")));
    }
    report.ops += good;
    report.bytes += bytes;
    Ok(())
}

/// The message number of a FETCH response.
fn fetched(line: &[u8]) -> Option<u64> {
    let rest = line.strip_prefix(b"* ")?;
    let end = rest.iter().position(|byte| *byte == b' ').filter(|end| rest[*end..].starts_with(b" FETCH "))?;
    std::str::from_utf8(&rest[..end]).ok()?.parse().ok()
}

/// Reads answers until the one with `tag`, which must be OK. `each` sees an untagged answer's text
/// without its literals, and the literals' bytes in all.
///
/// # Errors
/// The connection's, or any answer but OK.
pub fn until_tagged(wire: &mut Wire, tag: &str, mut each: impl FnMut(&[u8], usize)) -> io::Result<()> {
    let ok = format!("{tag} OK");
    loop {
        let mut line = wire.line()?;
        let mut literals = 0;
        while let Some(size) = literal_size(&line) {
            wire.skip(size)?;
            literals += size;
            line.extend(wire.line()?);
        }
        if line.starts_with(b"* BYE") && tag != "z" {
            return Err(bad("BYE", &line));
        }
        if line.starts_with(b"* ") {
            each(&line, literals);
        } else if line.starts_with(ok.as_bytes()) {
            return Ok(());
        } else {
            return Err(bad("answer", &line));
        }
    }
}

/// The size in a literal's `{n}` at the end of a line (RFC 3501 section 4.3).
fn literal_size(line: &[u8]) -> Option<usize> {
    let inner = line.strip_suffix(b"}")?;
    let open = inner.iter().rposition(|&b| b == b'{')?;
    std::str::from_utf8(&inner[open + 1..]).ok()?.parse().ok()
}

fn size_told(line: &[u8]) -> Option<usize> {
    let text = String::from_utf8_lossy(line);
    let (_, rest) = text.split_once("RFC822.SIZE ")?;
    rest.split([' ', ')']).next()?.parse().ok()
}

fn untagged_number(line: &[u8], suffix: &[u8]) -> Option<u64> {
    std::str::from_utf8(line.strip_prefix(b"* ")?.strip_suffix(suffix)?).ok()?.parse().ok()
}

fn bad(what: &str, line: &[u8]) -> io::Error {
    let shown = &line[..line.len().min(200)];
    io::Error::other(format!("unexpected {what}: {}", String::from_utf8_lossy(shown)))
}
