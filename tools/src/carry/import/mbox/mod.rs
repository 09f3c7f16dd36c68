//! mbox: messages one after the other in a file, each behind a From_ line. Read in pieces, however long the file, its messages and its
//! lines are.
mod from;
mod pieces;
mod status;

use super::eml::{Walk, below, fatal};
use super::feed::{Feeder, Gone, Item};
use super::gather::Gather;
use super::kind::{Quoting, Stop};
use super::tree::{Dir, LINK, What};
use crate::carry::export::is_from_line;
use crate::carry::names;
use crate::limits::IMPORT_DEPTH_MAX;
use pieces::{Piece, Pieces};
use std::fs::File;
use std::io::{Read, Seek};

/// One quote off a line that has any; which lines have, `quoting` says.
pub(super) fn unquoted(line: &[u8], quoting: Quoting) -> &[u8] {
    let quoted = match quoting {
        Quoting::Rd => line.first() == Some(&b'>') && is_from_line(line),
        Quoting::O => line.starts_with(b">From "),
        Quoting::None => false,
    };
    &line[usize::from(quoted)..]
}

/// Every message of a file.
pub(super) fn file(file: impl Read, shown: &str, quoting: Quoting, to: &mut Feeder) -> Result<(), Stop> {
    let mut reader =
        Reader { shown, quoting, number: 0, message: None, blank: None, after_blank: true, garbage: false };
    let mut pieces = Pieces::new(file);
    while let Some(piece) = pieces.next().map_err(|error| fatal(shown, &error))? {
        reader.piece(piece, to)?;
    }
    Ok(reader.end(to)?)
}

struct Reader<'a> {
    shown: &'a str,
    quoting: Quoting,
    number: u64,
    message: Option<Message>,
    /// An empty line that belongs to the message if no From_ line follows.
    blank: Option<&'static [u8]>,
    after_blank: bool,
    /// What stands before the first From_ line was told.
    garbage: bool,
}

struct Message {
    date: Option<i64>,
    gather: Gather,
    /// The rest of the From_ line is still to come.
    in_from_line: bool,
}

impl Reader<'_> {
    fn piece(&mut self, piece: Piece<'_>, to: &mut Feeder) -> Result<(), Gone> {
        if piece.begins && self.after_blank && self.separates(piece.bytes) {
            self.end(to)?;
            self.number += 1;
            let date = from::date(piece.bytes);
            self.message = Some(Message { date, gather: to.gather(), in_from_line: !piece.ends });
            self.after_blank = false;
            return Ok(());
        }
        let empty: Option<&'static [u8]> = match piece.bytes {
            b"\n" if piece.begins => Some(b"\n"),
            b"\r\n" if piece.begins => Some(b"\r\n"),
            _ => None,
        };
        let blank = self.blank.take();
        if piece.ends {
            self.after_blank = empty.is_some();
        }
        let Some(message) = &mut self.message else {
            if empty.is_none() && !self.garbage {
                self.garbage = true;
                return to.bad(
                    self.shown,
                    "does not begin with a From_ line; what stands before the first one is no message",
                );
            }
            return Ok(());
        };
        if message.in_from_line {
            message.in_from_line = !piece.ends;
            return Ok(());
        }
        if let Some(blank) = blank {
            message.gather.text(blank);
        }
        match empty {
            Some(_) => self.blank = empty,
            None if piece.begins => message.gather.text(unquoted(piece.bytes, self.quoting)),
            None => message.gather.text(piece.bytes),
        }
        Ok(())
    }

    /// A From_ line with a date; the file's first line needs none.
    fn separates(&self, line: &[u8]) -> bool {
        line.starts_with(b"From ") && (from::date(line).is_some() || (self.message.is_none() && self.number == 0))
    }

    /// The message is whole; the empty line behind it is the mailbox's.
    fn end(&mut self, to: &mut Feeder) -> Result<(), Gone> {
        self.blank = None;
        let Some(Message { date, gather, .. }) = self.message.take() else { return Ok(()) };
        let what = format!("{}, message {}", self.shown, self.number);
        match gather.done() {
            Err(why) => to.bad(what, why),
            Ok(mut message) => match status::take(&mut message.bytes) {
                // Thunderbird has deleted it, or c-client keeps its own notes in it.
                None => Ok(()),
                Some(flags) => to.message(Item { what, flags, date, pop3_uidl: None, message }),
            },
        }
    }
}

/// Every mbox file below a directory: `Name` or `Name.mbox` is a mailbox, the directories `Name` and `Name.sbd` (Thunderbird's) hold those
/// below it.
pub(super) fn tree(dir: &Dir, quoting: Quoting, to: &mut Feeder) -> Result<(), Stop> {
    walk(dir, quoting, &mut Vec::new(), to)
}

fn walk(dir: &Dir, quoting: Quoting, levels: &mut Vec<String>, to: &mut Feeder) -> Result<(), Stop> {
    let mut subs: Vec<Vec<u8>> = Vec::new();
    let done = dir.sorted(
        |_| 0,
        |name, what| {
            match what {
                _ if name.starts_with(b".") => {}
                What::Directory => subs.push(name.to_vec()),
                What::Link => to.bad(dir.shown(name), LINK)?,
                What::File => match dir.file(name) {
                    Ok(opened) => mailbox(dir, name, opened, quoting, levels, to)?,
                    Err(error) => to.bad(dir.shown(name), error)?,
                },
                What::Other => {}
            }
            Ok::<(), Walk>(())
        },
    );
    below(dir, done, to)?;
    for name in subs {
        if levels.len() >= IMPORT_DEPTH_MAX {
            to.bad(dir.shown(&name), format!("lies more than {IMPORT_DEPTH_MAX} levels deep"))?;
            continue;
        }
        match dir.sub(&name) {
            Ok(sub) => {
                levels.push(level(&name, ".sbd"));
                walk(&sub, quoting, levels, to)?;
                levels.pop();
            }
            Err(error) => to.bad(dir.shown(&name), error)?,
        }
    }
    Ok(())
}

fn level(name: &[u8], ending: &str) -> String {
    let text = String::from_utf8_lossy(name);
    let text = text.strip_suffix(ending).unwrap_or(&text);
    names::text_of(text).unwrap_or_else(|| text.to_owned())
}

/// One file of a tree; files that are no mbox lie there too (indexes, settings).
fn mailbox(
    dir: &Dir,
    name: &[u8],
    mut opened: File,
    quoting: Quoting,
    levels: &mut Vec<String>,
    to: &mut Feeder,
) -> Result<(), Stop> {
    let shown = dir.shown(name);
    let mut first = [0; 5];
    let begins = opened.read_exact(&mut first).is_ok() && first == *b"From ";
    let empty = opened.metadata().is_ok_and(|about| about.len() == 0);
    let named = name.ends_with(b".mbox");
    let mailbox_file = begins || (empty && named);
    if !mailbox_file {
        return match named {
            true => Ok(to.bad(shown, "does not begin with a From_ line")?),
            false => Ok(()),
        };
    }
    opened.rewind().map_err(|error| fatal(&shown, &error))?;
    levels.push(level(name, ".mbox"));
    let mailbox = to.names.place(levels);
    levels.pop();
    to.make("", &mailbox, None, true)?;
    to.mailbox("", mailbox)?;
    file(opened, &shown, quoting, to)
}
