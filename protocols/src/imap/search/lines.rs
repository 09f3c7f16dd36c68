//! Writes what SEARCH and SORT have found, some thousand numbers at a time: an answer may name every message of a mailbox. RFC 3501 section 7.2.5,
//! ESEARCH (RFC 4731), ESORT (RFC 5267 section 3). Looks into no message.
use super::results::{Found, Wanted};
use crate::imap::set::Positions;
use crate::imap::{name, out};
use crate::limits;
use posthouse_engine::base::Result;
use posthouse_engine::index::{EntryTable, Mailbox};
use std::collections::VecDeque;
use std::ops::Range;

/// Which search an ESEARCH response answers.
#[derive(Clone, Copy)]
pub(in crate::imap) struct Correlators<'a> {
    pub(in crate::imap) tag: &'a str,
    /// The mailbox with its name, which is written in UTF-8 or not, in the answer to the command ESEARCH (RFC 7377 section 2.1).
    pub(in crate::imap) mailbox: Option<(&'a Mailbox, &'a str, bool)>,
}

impl Correlators<'_> {
    fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"TAG ");
        out::string(out, self.tag.as_bytes());
        if let Some((mailbox, name, utf8)) = self.mailbox {
            out.extend_from_slice(b" MAILBOX ");
            name::write(out, name, utf8);
            out.extend_from_slice(b" UIDVALIDITY ");
            out::number(out, mailbox.uid_validity.into());
        }
    }
}

/// How messages are named in an answer.
#[derive(Clone, Copy)]
pub(in crate::imap) struct Names<'a> {
    pub(in crate::imap) entries: &'a EntryTable,
    pub(in crate::imap) uid: bool,
}

impl Names<'_> {
    pub(in crate::imap) fn of(&self, at: usize) -> Result<u32> {
        Ok(if self.uid { self.entries.get(at)?.uid.0 } else { at as u32 + 1 })
    }

    fn each(&self, run: &Run<'_>, mut take: impl FnMut(u32)) -> Result<()> {
        match run {
            Run::Range(range) if self.uid => {
                self.entries.range(range.clone()).try_for_each(|entry| entry.map(|entry| take(entry.uid.0)))
            }
            Run::Range(range) => {
                range.clone().for_each(|at| take(at as u32 + 1));
                Ok(())
            }
            Run::Order(order) => order.iter().try_for_each(|at| self.of(*at as usize).map(&mut take)),
        }
    }
}

/// Some results that stand together.
pub(in crate::imap) enum Run<'a> {
    Range(Range<usize>),
    Order(&'a [u32]),
}

impl Run<'_> {
    fn len(&self) -> usize {
        match self {
            Run::Range(range) => range.len(),
            Run::Order(order) => order.len(),
        }
    }
}

/// Goes through a page of what was found.
pub(in crate::imap) struct Cursor<'a> {
    found: &'a Found,
    /// The range, or the place in the order, that comes next, and what is done of the range.
    at: usize,
    within: usize,
    left: usize,
}

impl<'a> Cursor<'a> {
    /// The results from the first one of the page on, by their place in the order.
    pub(in crate::imap) fn new(found: &'a Found, page: Range<usize>) -> Cursor<'a> {
        let mut cursor = Cursor { found, at: 0, within: page.start, left: page.len() };
        match found {
            Found::Ordered(_) => (cursor.at, cursor.within) = (page.start, 0),
            Found::Ranges(ranges) => {
                while let Some(range) = ranges.get(cursor.at).filter(|range| range.len() <= cursor.within) {
                    (cursor.at, cursor.within) = (cursor.at + 1, cursor.within - range.len());
                }
            }
        }
        cursor
    }

    /// The next results, at most so many.
    pub(in crate::imap) fn next(&mut self, max: usize) -> Option<Run<'a>> {
        let max = max.min(self.left);
        let run = match self.found {
            Found::Ordered(order) => {
                let run = order.get(self.at..)?;
                let run = &run[..run.len().min(max)];
                self.at += run.len();
                Run::Order(run)
            }
            Found::Ranges(ranges) => {
                let range = ranges.get(self.at)?;
                let start = range.start + self.within;
                let end = start + max.min(range.end - start);
                self.within += end - start;
                if end == range.end {
                    (self.at, self.within) = (self.at + 1, 0);
                }
                Run::Range(start..end)
            }
        };
        self.left -= run.len();
        Some(run).filter(|run| run.len() > 0)
    }
}

impl Cursor<'_> {
    /// All that is left, as ranges; nothing of an order.
    pub(in crate::imap) fn ranges(mut self) -> Positions {
        let runs = std::iter::from_fn(|| self.next(usize::MAX));
        let ranges = runs.filter_map(|run| match run {
            Run::Range(range) => Some(range),
            Run::Order(_) => None,
        });
        ranges.collect()
    }
}

/// Joins numbers that follow each other.
#[derive(Default)]
pub(in crate::imap) struct SetWriter {
    pending: Option<(u32, u32)>,
    begun: bool,
}

impl SetWriter {
    pub(in crate::imap) fn add(&mut self, out: &mut Vec<u8>, (first, last): (u32, u32)) {
        match &mut self.pending {
            Some((_, before)) if before.checked_add(1) == Some(first) => *before = last,
            _ => {
                self.end(out);
                self.pending = Some((first, last));
            }
        }
    }

    pub(in crate::imap) fn end(&mut self, out: &mut Vec<u8>) {
        if let Some((first, last)) = self.pending.take() {
            out.extend_from_slice(if std::mem::replace(&mut self.begun, true) { b"," } else { b"" });
            out::number(out, first.into());
            if last > first {
                out.push(b':');
                out::number(out, last.into());
            }
        }
    }
}

/// A response, as far as it is not written.
pub(in crate::imap) struct Line<'a> {
    names: Names<'a>,
    parts: VecDeque<Part<'a>>,
}

enum Part<'a> {
    Bytes(Vec<u8>),
    /// ` 1 2 3`
    List(Cursor<'a>),
    /// `1:3`
    Set(Cursor<'a>, SetWriter),
}

impl<'a> Line<'a> {
    /// `* SEARCH 1 2 3` or `* SORT 3 1 2`.
    pub(in crate::imap) fn list(word: &str, found: &'a Found, names: Names<'a>, modseq: u64) -> Line<'a> {
        let mut end = Vec::new();
        if modseq > 0 {
            end.extend_from_slice(b" (MODSEQ ");
            out::number(&mut end, modseq);
            end.push(b')');
        }
        end.extend_from_slice(b"\r\n");
        let head = [b"* ", word.as_bytes()].concat();
        let all = Cursor::new(found, 0..found.len());
        Line { names, parts: [Part::Bytes(head), Part::List(all), Part::Bytes(end)].into() }
    }

    /// `* ESEARCH (TAG "a") UID MIN 1 ... `
    pub(in crate::imap) fn extended(
        wanted: &Wanted,
        of: Correlators<'_>,
        found: &'a Found,
        names: Names<'a>,
        modseq: u64,
    ) -> Result<Line<'a>> {
        let (mut bytes, mut parts) = (b"* ESEARCH (".to_vec(), VecDeque::new());
        of.write(&mut bytes);
        bytes.extend_from_slice(if names.uid { b") UID" } else { b")" });
        for (asked, name, at) in [(wanted.min, b" MIN ", found.first()), (wanted.max, b" MAX ", found.last())] {
            if let Some(at) = at.filter(|_| asked) {
                bytes.extend_from_slice(name);
                out::number(&mut bytes, names.of(at)?.into());
            }
        }
        if wanted.count {
            bytes.extend_from_slice(b" COUNT ");
            out::number(&mut bytes, found.len() as u64);
        }
        let set = |page| Part::Set(Cursor::new(found, page), SetWriter::default());
        if wanted.all && found.len() > 0 {
            bytes.extend_from_slice(b" ALL ");
            parts.extend([Part::Bytes(std::mem::take(&mut bytes)), set(0..found.len())]);
        }
        if let Some(partial) = wanted.partial {
            bytes.extend_from_slice(b" PARTIAL (");
            partial.write(&mut bytes);
            bytes.push(b' ');
            match partial.range(found.len()) {
                page if page.is_empty() => bytes.extend_from_slice(b"NIL"),
                page => parts.extend([Part::Bytes(std::mem::take(&mut bytes)), set(page)]),
            }
            bytes.push(b')');
        }
        if modseq > 0 {
            bytes.extend_from_slice(b" MODSEQ ");
            out::number(&mut bytes, modseq);
        }
        bytes.extend_from_slice(b"\r\n");
        parts.push_back(Part::Bytes(bytes));
        Ok(Line { names, parts })
    }

    /// Appends what comes next; false when it was the last piece. An error leaves the line without its end.
    pub(in crate::imap) fn next(&mut self, out: &mut Vec<u8>) -> Result<bool> {
        let mut left = limits::IMAP_RESULTS_STEP;
        while let Some(part) = self.parts.front_mut() {
            match part {
                Part::Bytes(bytes) => out.append(bytes),
                Part::List(cursor) => {
                    while left > 0
                        && let Some(run) = cursor.next(left)
                    {
                        left -= run.len();
                        self.names.each(&run, |number| {
                            out.push(b' ');
                            out::number(out, number.into());
                        })?;
                    }
                }
                Part::Set(cursor, set) => {
                    while left > 0
                        && let Some(run) = cursor.next(if self.names.uid { left } else { usize::MAX })
                    {
                        match &run {
                            // Message numbers follow each other as positions do.
                            Run::Range(range) if !self.names.uid => {
                                left -= 1;
                                set.add(out, (range.start as u32 + 1, range.end as u32));
                            }
                            _ => {
                                left = left.saturating_sub(run.len());
                                self.names.each(&run, |number| set.add(out, (number, number)))?;
                            }
                        }
                    }
                    if left > 0 {
                        set.end(out);
                    }
                }
            }
            if left == 0 {
                return Ok(true);
            }
            self.parts.pop_front();
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::args::Args;

    #[test]
    fn pieces_come_to_the_whole() {
        let empty = EntryTable::default();
        let names = Names { entries: &empty, uid: false };
        let step = limits::IMAP_RESULTS_STEP;
        let wanted = Wanted::parse(&mut Args::new(b"RETURN (MIN MAX COUNT ALL) ALL", 0), false).expect("options");
        let of = Correlators { tag: "a", mailbox: None };
        for len in [0, 1, step - 1, step, step + 1, 3 * step] {
            let alternating = Found::Ranges((0..len).map(|at| 2 * at..2 * at + 1).collect());
            let backwards = Found::Ordered((0..len as u32).rev().map(|at| 2 * at).collect());
            let (mut list, mut all, mut sorted) = (Vec::new(), Vec::new(), Vec::new());
            let mut pieces = 0;
            let mut write = |mut line: Line<'_>, out: &mut Vec<u8>| {
                loop {
                    let before = out.len();
                    let more = line.next(out).expect("no entry is read");
                    assert!(out.len() - before <= 9 * step + 100, "{} bytes in a piece", out.len() - before);
                    pieces += 1;
                    if !more {
                        return;
                    }
                }
            };
            write(Line::list("SEARCH", &alternating, names, 7), &mut list);
            write(Line::extended(&wanted, of, &alternating, names, 7).expect("no entry is read"), &mut all);
            write(Line::list("SORT", &backwards, names, 0), &mut sorted);
            assert!(pieces >= 3 * (len / step).max(1));
            let numbers: Vec<String> = (0..len).map(|at| (2 * at + 1).to_string()).collect();
            let spaced: String = numbers.iter().map(|number| format!(" {number}")).collect();
            assert_eq!(list, format!("* SEARCH{spaced} (MODSEQ 7)\r\n").into_bytes());
            let ends = if len == 0 { String::new() } else { format!(" MIN 1 MAX {}", 2 * len - 1) };
            let set = if len == 0 { String::new() } else { format!(" ALL {}", numbers.join(",")) };
            let expected = format!("* ESEARCH (TAG \"a\"){ends} COUNT {len}{set} MODSEQ 7\r\n");
            assert_eq!(all, expected.into_bytes());
            let reversed: String = numbers.iter().rev().map(|number| format!(" {number}")).collect();
            assert_eq!(sorted, format!("* SORT{reversed}\r\n").into_bytes());
        }
    }

    #[test]
    fn neighbours_are_ranges() {
        let empty = EntryTable::default();
        let names = Names { entries: &empty, uid: false };
        let mut out = Vec::new();
        let mut set = SetWriter::default();
        [5, 6, 7, 3, 9, 10].into_iter().for_each(|number| set.add(&mut out, (number, number)));
        set.end(&mut out);
        assert_eq!(out, b"5:7,3,9:10");
        let found = Found::Ordered(vec![4, 5, 6, 2, 8, 9]);
        let (mut set, mut out) = (Line { names, parts: VecDeque::new() }, Vec::new());
        set.parts.push_back(Part::Set(Cursor::new(&found, 1..5), SetWriter::default()));
        assert!(!set.next(&mut out).expect("no entry is read"));
        assert_eq!(out, b"6:7,3,9");
    }
}
