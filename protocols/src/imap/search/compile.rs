//! From the grammar's search keys to keys that are ready to be asked: sets as positions and uids, keywords as bits, dates as days, texts
//! folded. Pure.
use super::charset;
use crate::imap::answer::Answer;
use crate::imap::set;
use crate::limits;
use imap_codec::imap_types::core::AString;
use imap_codec::imap_types::datetime::NaiveDate;
use imap_codec::imap_types::search::SearchKey;
use posthouse_engine::index::{Flags, Mailbox, UidSet};
use std::ops::Range;

/// A key ready to be asked.
#[derive(Debug)]
pub(in crate::imap) enum Key {
    /// Always or never.
    Constant(bool),
    /// Message numbers, as positions.
    Positions(Vec<Range<usize>>),
    Uids(UidSet),
    /// All of these flags.
    Flags(Flags),
    /// One of these keyword bits.
    Keyword(u64),
    Recent,
    /// Days since 1970 of INTERNALDATE in UTC: from the first on, before the second.
    Received(i64, i64),
    /// The same of the Date field, as written.
    Sent(i64, i64),
    Larger(u32),
    Smaller(u32),
    /// Changed at this MODSEQ or later.
    ModSeq(u64),
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

/// What a SEARCH is made ready for.
pub(in crate::imap) struct Compiler<'a> {
    pub(in crate::imap) view: &'a Mailbox,
    /// The newest keyword table.
    pub(in crate::imap) keywords: &'a Mailbox,
    pub(in crate::imap) charset: Option<&'a str>,
    /// A MODSEQ key has been met.
    pub(in crate::imap) modseq: bool,
}

impl Compiler<'_> {
    /// All of these keys.
    pub(in crate::imap) fn all(&mut self, keys: &[SearchKey<'_>]) -> Result<Key, Answer> {
        self.and(keys, limits::IMAP_SEARCH_DEPTH_MAX)
    }

    fn and(&mut self, keys: &[SearchKey<'_>], depth: usize) -> Result<Key, Answer> {
        Ok(Key::And(keys.iter().map(|key| self.key(key, depth)).collect::<Result<_, _>>()?))
    }

    fn key(&mut self, key: &SearchKey<'_>, depth: usize) -> Result<Key, Answer> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(Answer::no("[LIMIT] The search keys are nested too deeply"));
        };
        let not = |key| Key::Not(Box::new(key));
        Ok(match key {
            SearchKey::And(keys) => self.and(keys.as_ref(), depth)?,
            SearchKey::Or(a, b) => Key::Or(Box::new(self.key(a, depth)?), Box::new(self.key(b, depth)?)),
            SearchKey::Not(key) => not(self.key(key, depth)?),
            SearchKey::All => Key::Constant(true),
            SearchKey::SequenceSet(set) => Key::Positions(set::positions(set, false, &self.view.entries)?),
            SearchKey::Uid(set) => Key::Uids(set::uids_of(set, &self.view.entries)?),
            SearchKey::Answered => Key::Flags(Flags::ANSWERED),
            SearchKey::Deleted => Key::Flags(Flags::DELETED),
            SearchKey::Draft => Key::Flags(Flags::DRAFT),
            SearchKey::Flagged => Key::Flags(Flags::FLAGGED),
            SearchKey::Seen => Key::Flags(Flags::SEEN),
            SearchKey::Unanswered => not(Key::Flags(Flags::ANSWERED)),
            SearchKey::Undeleted => not(Key::Flags(Flags::DELETED)),
            SearchKey::Undraft => not(Key::Flags(Flags::DRAFT)),
            SearchKey::Unflagged => not(Key::Flags(Flags::FLAGGED)),
            SearchKey::Unseen => not(Key::Flags(Flags::SEEN)),
            SearchKey::New => Key::And(vec![Key::Recent, not(Key::Flags(Flags::SEEN))]),
            SearchKey::Old => not(Key::Recent),
            SearchKey::Recent => Key::Recent,
            SearchKey::Keyword(keyword) => Key::Keyword(self.keywords.keyword_bit(keyword.as_ref()).unwrap_or(0)),
            SearchKey::Unkeyword(keyword) => {
                not(Key::Keyword(self.keywords.keyword_bit(keyword.as_ref()).unwrap_or(0)))
            }
            SearchKey::Larger(size) => Key::Larger(*size),
            SearchKey::Smaller(size) => Key::Smaller(*size),
            SearchKey::ModSequence { modseq, .. } => {
                self.modseq = true;
                Key::ModSeq(*modseq)
            }
            SearchKey::Before(_) | SearchKey::On(_) | SearchKey::Since(_) => dated(key),
            SearchKey::SentBefore(_) | SearchKey::SentOn(_) | SearchKey::SentSince(_) => dated(key),
            _ => self.text(key),
        })
    }

    fn text(&self, key: &SearchKey<'_>) -> Key {
        let folded = |text: &AString<'_>| charset::folded(text.as_ref(), self.charset);
        let header = |name: &[u8], text| Key::Header(name.to_vec(), folded(text));
        match key {
            SearchKey::From(text) => header(b"From", text),
            SearchKey::To(text) => header(b"To", text),
            SearchKey::Cc(text) => header(b"Cc", text),
            SearchKey::Bcc(text) => header(b"Bcc", text),
            SearchKey::Subject(text) => header(b"Subject", text),
            SearchKey::Header(name, text) => header(name.as_ref(), text),
            SearchKey::Body(text) => Key::Body(folded(text)),
            SearchKey::Text(text) => Key::Text(folded(text)),
            // All other keys have been dealt with.
            _ => Key::Constant(false),
        }
    }
}

fn dated(key: &SearchKey<'_>) -> Key {
    let (first, end) = (i64::MIN, i64::MAX);
    match key {
        SearchKey::Before(date) => Key::Received(first, days(date)),
        SearchKey::On(date) => Key::Received(days(date), days(date) + 1),
        SearchKey::Since(date) => Key::Received(days(date), end),
        SearchKey::SentBefore(date) => Key::Sent(first, days(date)),
        SearchKey::SentOn(date) => Key::Sent(days(date), days(date) + 1),
        SearchKey::SentSince(date) => Key::Sent(days(date), end),
        _ => Key::Constant(false),
    }
}

/// Days since 1970-01-01, which is the default of that type.
fn days(date: &NaiveDate) -> i64 {
    date.as_ref().signed_duration_since(Default::default()).num_days()
}
