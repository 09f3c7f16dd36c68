//! Changes a mailbox by IMAP (RFC 3501, RFC 6851) on one connection and checks each answer: STORE in bulk and alone, APPEND, COPY, MOVE.
//! Never counts a change whose tagged answer was not OK.

use crate::corpus;
use crate::imap::{login, select, until_tagged};
use crate::report::Report;
use crate::wire::Wire;
use crate::{PathBuf, Target, cpu};
use clap::{Args, ValueEnum};
use std::io;
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
    let (cpu_before, start) = (cpu::own(), Instant::now());
    for turn in 0..commands {
        let begun = Instant::now();
        let sign = if turn.is_multiple_of(2) { '+' } else { '-' };
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
    check(&mut wire, options, exists)?;
    Ok(report)
}

/// The mailboxes hold as many messages as they should.
fn check(wire: &mut Wire, options: &Options, before: u64) -> io::Result<()> {
    let count = options.count as u64;
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
