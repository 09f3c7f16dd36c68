//! Changes a mailbox by IMAP (RFC 3501, RFC 6851) on one connection and checks each answer: STORE in bulk and alone, APPEND, COPY, MOVE.
//! Never counts a change whose tagged answer was not OK, or that the mailbox does not show afterwards.

use crate::corpus;
use crate::imap::{login, select, until_tagged};
use crate::report::Report;
use crate::wire::Wire;
use crate::{PathBuf, Target, cpu};
use clap::{Args, ValueEnum};
use std::io::{self, Write};
use std::time::Instant;

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// STORE of one flag on all messages; one operation is one message's change.
    StoreAll,
    /// STORE of one flag on one message, message after message; one operation is one command.
    StoreOne,
    /// APPEND of a mail of the corpus; one operation is one mail.
    Append,
    /// COPY of the first `count` messages into a new mailbox; one operation is one message.
    Copy,
    /// MOVE of the first `count` messages into a new mailbox; one operation is one message.
    Move,
}

#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    target: Target,
    /// What to change.
    #[arg(long, value_enum)]
    what: What,
    /// Commands of StoreOne and Append, messages of Copy and Move, rounds of StoreAll.
    #[arg(long)]
    count: usize,
    /// Folder of .eml files, for APPEND.
    #[arg(long)]
    corpus: Option<PathBuf>,
    /// Says `ready` and waits for a line when it has logged in, and `done` and waits again when nothing is left but to look at what came of it:
    /// whoever measures the server in between measures the changes alone.
    #[arg(long)]
    hold: bool,
}

/// Changes the INBOX of account 0 and reports.
///
/// # Errors
/// The connection's, or any answer but the right one.
pub fn run(options: &Options) -> io::Result<Report> {
    let mut wire = login(&options.target, 0)?;
    let exists = select(&mut wire, "INBOX")?;
    let mut report = Report::default();
    let mails = match &options.corpus {
        Some(folder) => corpus::load(folder)?,
        None => Vec::new(),
    };
    if options.what == What::Append && mails.is_empty() {
        return Err(io::Error::other("APPEND needs --corpus"));
    }
    let commands: usize = if matches!(options.what, What::Copy | What::Move) { 1 } else { options.count };
    if matches!(options.what, What::Copy | What::Move) {
        command(&mut wire, "CREATE Target")?;
    }
    if options.what == What::StoreAll {
        // So that every round changes all of them, and the first answer is known to be true.
        command(&mut wire, "STORE 1:* +FLAGS.SILENT (\\Flagged)")?;
        require(&mut wire, "FLAGGED", exists)?;
    }
    hold(options, "ready")?;
    let (cpu_before, start) = (cpu::own(), Instant::now());
    for turn in 0..commands {
        let begun = Instant::now();
        let sign = if turn.is_multiple_of(2) { '-' } else { '+' };
        report.ops += match options.what {
            What::StoreAll => {
                command(&mut wire, &format!("STORE 1:* {sign}FLAGS.SILENT (\\Flagged)"))?;
                exists
            }
            What::StoreOne => {
                let number = turn as u64 % exists.max(1) + 1;
                command(&mut wire, &format!("STORE {number} +FLAGS.SILENT (\\Seen)"))?;
                1
            }
            What::Append => append(&mut wire, &mails[turn % mails.len()], turn)?,
            What::Copy => {
                command(&mut wire, &format!("COPY 1:{} Target", options.count)).map(|()| options.count as u64)?
            }
            What::Move => {
                command(&mut wire, &format!("MOVE 1:{} Target", options.count)).map(|()| options.count as u64)?
            }
        };
        report.latencies.push(begun.elapsed());
    }
    report.wall = start.elapsed();
    report.own_cpu = cpu::own().saturating_sub(cpu_before);
    hold(options, "done")?;
    check(&mut wire, options, exists)?;
    Ok(report)
}

/// Tells whoever has started this how far it is, and waits for a line.
fn hold(options: &Options, word: &str) -> io::Result<()> {
    if options.hold {
        println!("{word}");
        io::stdout().flush()?;
        io::stdin().read_line(&mut String::new())?;
    }
    Ok(())
}

/// The mailboxes hold as many messages as they should, with the flags that they should have.
fn check(wire: &mut Wire, options: &Options, before: u64) -> io::Result<()> {
    let count = options.count as u64;
    match options.what {
        What::StoreAll => require(wire, "FLAGGED", if count.is_multiple_of(2) { before } else { 0 })?,
        What::StoreOne if before > 0 && count > 0 => {
            let changed = count.min(before);
            require(wire, &format!("1:{changed} SEEN"), changed)?;
        }
        _ => {}
    }
    let (inbox, target) = match options.what {
        What::StoreAll | What::StoreOne => (before, None),
        What::Append => (before + count, None),
        What::Copy => (before, Some(count)),
        What::Move => (before - count, Some(count)),
    };
    for (mailbox, wanted) in [("INBOX", Some(inbox)), ("Target", target)] {
        let Some(wanted) = wanted else { continue };
        let found = select(wire, mailbox)?;
        if found != wanted {
            return Err(io::Error::other(format!("{mailbox} holds {found} messages, not {wanted}")));
        }
    }
    if target.is_some() {
        select(wire, "INBOX")?;
        command(wire, "DELETE Target")?;
    }
    Ok(())
}

/// So many messages must be found by a SEARCH.
fn require(wire: &mut Wire, key: &str, wanted: u64) -> io::Result<()> {
    wire.send(format!("c SEARCH {key}\r\n").as_bytes())?;
    let mut found = None;
    until_tagged(wire, "c", |line, _| {
        if let Some(numbers) = line.strip_prefix(b"* SEARCH") {
            let more = numbers.split(|byte| *byte == b' ').filter(|number| !number.is_empty()).count() as u64;
            found = Some(found.unwrap_or(0) + more);
        }
    })?;
    match found {
        Some(found) if found == wanted => Ok(()),
        _ => Err(io::Error::other(format!("SEARCH {key} finds {found:?}, not {wanted}"))),
    }
}

fn command(wire: &mut Wire, text: &str) -> io::Result<()> {
    wire.send(format!("c {text}\r\n").as_bytes())?;
    until_tagged(wire, "c", |_, _| {})
}

/// With LITERAL+ (RFC 7888), so that one mail is one round trip.
fn append(wire: &mut Wire, mail: &corpus::Mail, turn: usize) -> io::Result<u64> {
    let mut body = Vec::new();
    mail.write(&format!("append.{turn}"), &mut body);
    // Without the final dot that delivery needs.
    body.truncate(body.len() - 3);
    let mut whole = format!("c APPEND INBOX {{{}+}}\r\n", body.len()).into_bytes();
    whole.extend_from_slice(&body);
    whole.extend_from_slice(b"\r\n");
    wire.send(&whole)?;
    until_tagged(wire, "c", |_, _| {})?;
    Ok(1)
}
