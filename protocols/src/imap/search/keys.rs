//! From the text of search keys to keys that are ready to be asked: sets as positions and uids, keywords as bits, dates as days, texts
//! folded. RFC 3501 section 6.4.4 with RFC 5032 (OLDER, YOUNGER), RFC 5182 ($), RFC 7162 (MODSEQ), RFC 8474 and RFC 8514. Pure.
use super::charset;
use crate::imap::answer::Answer;
use crate::imap::args::Args;
use crate::imap::set::{self, Numbers, Positions, Set};
use crate::imap::{date, objects};
use crate::limits;
use posthouse_engine::base::{Error, Guid};
use posthouse_engine::index::{EntryTable, Flags, Mailbox, UidSet};
use std::ops::Range;
use std::sync::Arc;

/// A key ready to be asked.
#[derive(Clone, Debug)]
pub(in crate::imap) enum Key {
    /// Always or never.
    Constant(bool),
    /// Message numbers, as positions.
    Positions(Vec<Range<usize>>),
    Uids(Arc<UidSet>),
    /// All of these flags.
    Flags(Flags),
    /// A keyword, and its bit; none while the mailbox does not know it.
    Keyword(String, u64),
    Recent,
    /// INTERNALDATE in seconds since 1970 UTC: from the first on, before the second.
    Received(Range<i64>),
    /// The same of the day of the Date field, as written, in days since 1970.
    Sent(Range<i64>),
    /// The same of the time when it came into the mailbox, in seconds.
    Saved(Range<i64>),
    Larger(u64),
    Smaller(u64),
    /// Changed at this MODSEQ or later.
    ModSeq(u64),
    /// The content's name.
    Email(Guid),
    /// A field of that name holds the text; an empty text asks for the field only.
    Header(Vec<u8>, String),
    /// The text is in header or body.
    Text(String),
    /// The text is in the body.
    Body(String),
    Not(Box<Key>),
    And(Vec<Key>),
    Or(Box<Key>, Box<Key>),
}

/// What keys are made ready for.
pub(in crate::imap) struct Context<'a> {
    pub(in crate::imap) numbers: Numbers<'a>,
    /// With the newest keyword table.
    pub(in crate::imap) mailbox: &'a Mailbox,
    pub(in crate::imap) charset: Option<&'a str>,
    /// Seconds since 1970 UTC.
    pub(in crate::imap) now: i64,
    /// Message numbers may not be used (RFC 9586).
    pub(in crate::imap) uid_only: bool,
    /// A MODSEQ key has been met.
    pub(in crate::imap) modseq: bool,
    /// What has been read so far.
    pub(in crate::imap) taken: Taken,
}

/// How much a command has asked of each message.
#[derive(Debug, Default)]
pub(in crate::imap) struct Taken {
    keys: usize,
    /// Keys that look into the text of a message.
    texts: usize,
    /// What `$` stands for, once for all keys.
    saved: Option<Arc<UidSet>>,
}

/// Keys that ask for a flag: its presence or its absence.
const FLAGS: [(&str, Flags, bool); 10] = [
    ("ANSWERED", Flags::ANSWERED, true),
    ("DELETED", Flags::DELETED, true),
    ("DRAFT", Flags::DRAFT, true),
    ("FLAGGED", Flags::FLAGGED, true),
    ("SEEN", Flags::SEEN, true),
    ("UNANSWERED", Flags::ANSWERED, false),
    ("UNDELETED", Flags::DELETED, false),
    ("UNDRAFT", Flags::DRAFT, false),
    ("UNFLAGGED", Flags::FLAGGED, false),
    ("UNSEEN", Flags::SEEN, false),
];

impl Key {
    /// The positions outside of which nothing matches, as far as the sets that the search names tell.
    pub(in crate::imap) fn span(
        &self,
        within: Positions,
        entries: &EntryTable,
    ) -> posthouse_engine::base::Result<Positions> {
        Ok(match self {
            Key::Positions(positions) => set::common(&within, positions),
            Key::Uids(uids) => set::common(&within, &set::uid_positions(uids, entries)?),
            Key::And(keys) => keys.iter().try_fold(within, |within, key| key.span(within, entries))?,
            _ => within,
        })
    }
}

fn not(key: Key) -> Key {
    Key::Not(Box::new(key))
}

impl Key {
    /// Makes message numbers uids, so that the key means the same messages whatever becomes of their numbers.
    pub(in crate::imap) fn fix(&mut self, entries: &EntryTable) -> Result<(), Error> {
        match self {
            Key::Positions(positions) => *self = Key::Uids(Arc::new(set::uids_at(positions, entries)?)),
            Key::Not(key) => key.fix(entries)?,
            Key::And(keys) => keys.iter_mut().try_for_each(|key| key.fix(entries))?,
            Key::Or(a, b) => a.fix(entries).and_then(|()| b.fix(entries))?,
            _ => {}
        }
        Ok(())
    }

    /// Looks its keywords up in the mailbox again: it may know them by now.
    pub(in crate::imap) fn learn(&mut self, mailbox: &Mailbox) {
        match self {
            Key::Keyword(name, bit) => *bit = mailbox.keyword_bit(name).unwrap_or(0),
            Key::Not(key) => key.learn(mailbox),
            Key::And(keys) => keys.iter_mut().for_each(|key| key.learn(mailbox)),
            Key::Or(a, b) => [a, b].into_iter().for_each(|key| key.learn(mailbox)),
            _ => {}
        }
    }
}

impl Context<'_> {
    /// All keys up to the end of the command.
    pub(in crate::imap) fn all(&mut self, args: &mut Args<'_>) -> Result<Key, Answer> {
        let mut keys = vec![self.key(args, limits::IMAP_SEARCH_DEPTH_MAX)?];
        while !args.is_end() {
            args.space()?;
            keys.push(self.key(args, limits::IMAP_SEARCH_DEPTH_MAX)?);
        }
        Ok(if keys.len() == 1 { keys.remove(0) } else { Key::And(keys) })
    }

    fn key(&mut self, args: &mut Args<'_>, depth: usize) -> Result<Key, Answer> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(Answer::no("[LIMIT] The search keys are nested too deeply"));
        };
        self.taken.keys += 1;
        if self.taken.keys > limits::IMAP_SEARCH_KEYS_MAX {
            return Err(Answer::no("[LIMIT] There are too many search keys"));
        }
        match args.peek() {
            Some(b'(') => return Ok(Key::And(args.list(false, |args| self.key(args, depth))?)),
            Some(b'0'..=b'9' | b'*' | b'$') => return self.numbers(args),
            _ => {}
        }
        let name = args.atom("a search key")?.to_ascii_uppercase();
        if let Some((_, flags, set)) = FLAGS.iter().find(|row| row.0 == name) {
            return Ok(if *set { Key::Flags(*flags) } else { not(Key::Flags(*flags)) });
        }
        Ok(match name.as_str() {
            "ALL" | "SAVEDATESUPPORTED" => Key::Constant(true),
            "RECENT" => Key::Recent,
            "OLD" => not(Key::Recent),
            "NEW" => Key::And(vec![Key::Recent, not(Key::Flags(Flags::SEEN))]),
            _ => {
                if !args.eat(" ") {
                    return Err(Answer::bad(format!("There is no search key {name} without an argument")));
                }
                match name.as_str() {
                    "NOT" => not(self.key(args, depth)?),
                    "OR" => {
                        let first = self.key(args, depth)?;
                        args.space()?;
                        Key::Or(Box::new(first), Box::new(self.key(args, depth)?))
                    }
                    _ => self.with_argument(&name, args)?,
                }
            }
        })
    }

    fn numbers(&mut self, args: &mut Args<'_>) -> Result<Key, Answer> {
        let set = args.set()?;
        let Set::Ranges(ranges) = &set else {
            return self.uids(&set);
        };
        if self.uid_only {
            return Err(Answer::bad("[UIDREQUIRED] Message numbers cannot be used after ENABLE UIDONLY"));
        }
        // What reaches beyond the end is no error here (RFC 7377 section 2).
        Ok(Key::Positions(set::positions_there(ranges, self.numbers.entries)))
    }

    fn uids(&mut self, set: &Set) -> Result<Key, Answer> {
        Ok(Key::Uids(match set {
            Set::Saved => self.taken.saved.get_or_insert_with(|| Arc::new(self.numbers.saved.clone())).clone(),
            Set::Ranges(_) => Arc::new(set::uids_of(set, self.numbers)?),
        }))
    }

    fn with_argument(&mut self, name: &str, args: &mut Args<'_>) -> Result<Key, Answer> {
        Ok(match name {
            "UID" => self.uids(&args.set()?)?,
            // RFC 9738 section 3.2.
            "UIDAFTER" => uids_in(u64::from(args.nz_number()?) + 1..1 << 32),
            "UIDBEFORE" => uids_in(1..args.nz_number()?.into()),
            "KEYWORD" | "UNKEYWORD" => {
                let keyword = args.atom("a keyword")?;
                let key = Key::Keyword(keyword.to_owned(), self.mailbox.keyword_bit(keyword).unwrap_or(0));
                if name == "KEYWORD" { key } else { not(key) }
            }
            "LARGER" => Key::Larger(args.number()?),
            "SMALLER" => Key::Smaller(args.number()?),
            "MODSEQ" => self.modseq(args)?,
            // RFC 5032 section 2: the message's time less the interval's seconds before now.
            "OLDER" => Key::Received(i64::MIN..self.ago(args)?.saturating_add(1)),
            "YOUNGER" => Key::Received(self.ago(args)?..i64::MAX),
            "EMAILID" => objects::email(&args.astring()?).map_or(Key::Constant(false), Key::Email),
            // No thread has an id here (RFC 8474 section 5.2: THREADID NIL).
            "THREADID" => {
                args.astring()?;
                Key::Constant(false)
            }
            _ => match dated(name, args)? {
                Some(key) => key,
                None => self.text(name, args)?,
            },
        })
    }

    fn ago(&self, args: &mut Args<'_>) -> Result<i64, Answer> {
        Ok(self.now - i64::from(args.nz_number()?))
    }

    /// `MODSEQ 5`, or with the name of a flag and whose it is: every flag has one MODSEQ here, the message's (RFC 7162 section 3.1.5).
    fn modseq(&mut self, args: &mut Args<'_>) -> Result<Key, Answer> {
        self.modseq = true;
        if args.peek() == Some(b'"') {
            args.string()?;
            args.space()?;
            if !["priv", "shared", "all"].iter().any(|kind| args.eat_word(kind)) {
                args.wrong("priv, shared or all")?;
            }
            args.space()?;
        }
        Ok(Key::ModSeq(args.number()?))
    }

    fn text(&mut self, name: &str, args: &mut Args<'_>) -> Result<Key, Answer> {
        let field: Vec<u8> = match name {
            "FROM" | "TO" | "CC" | "BCC" | "SUBJECT" => name.into(),
            "HEADER" => {
                let field = args.astring()?.into_owned();
                args.space()?;
                field
            }
            "BODY" | "TEXT" => Vec::new(),
            _ => return Err(Answer::bad(format!("There is no search key {name}"))),
        };
        self.taken.texts += 1;
        if self.taken.texts > limits::IMAP_SEARCH_TEXTS_MAX {
            return Err(Answer::no("[LIMIT] There are too many texts to search for"));
        }
        let text = charset::folded(&args.astring()?, self.charset);
        Ok(match name {
            "BODY" => Key::Body(text),
            "TEXT" => Key::Text(text),
            _ => Key::Header(field, text),
        })
    }
}

/// The uids from the first on, before the second.
fn uids_in(range: Range<u64>) -> Key {
    let ends = u32::try_from(range.start).ok().zip(range.end.checked_sub(1).and_then(|last| u32::try_from(last).ok()));
    Key::Uids(Arc::new(UidSet::from_ranges(ends.filter(|(first, last)| first <= last))))
}

/// Keys with a day. Days are "disregarding time and timezone" (RFC 3501 section 6.4.4); an entry keeps no timezone, so that its days are
/// those of UTC.
fn dated(name: &str, args: &mut Args<'_>) -> Result<Option<Key>, Answer> {
    let (of, word) = match name {
        "BEFORE" | "ON" | "SINCE" => (0, name),
        "SENTBEFORE" | "SENTON" | "SENTSINCE" => (1, &name[4..]),
        "SAVEDBEFORE" | "SAVEDON" | "SAVEDSINCE" => (2, &name[5..]),
        _ => return Ok(None),
    };
    let start = args.clone();
    let text = args.astring()?;
    let Some(day) = date::parse_day(&text) else {
        start.wrong("a date like 1-Feb-2026")?;
        return Ok(None);
    };
    let unit = if of == 1 { 1 } else { date::DAY };
    let range = match word {
        "BEFORE" => i64::MIN..day * unit,
        "ON" => day * unit..(day + 1) * unit,
        _ => day * unit..i64::MAX,
    };
    Ok(Some(match of {
        0 => Key::Received(range),
        1 => Key::Sent(range),
        _ => Key::Saved(range),
    }))
}
