//! Asks a key of one message. An entry answers what it can for nothing; only what is left open needs the message. Pure.
use super::keys::Key;
use crate::imap::date::DAY;
use posthouse_engine::index::Entry;
use posthouse_engine::index::mime::{find_header, header_fields, sent_date};
use posthouse_engine::search::text::{contains_text, decoded_header, fold};

/// What an entry tells.
#[derive(Clone, Copy)]
pub(in crate::imap) struct Facts {
    pub(in crate::imap) at: usize,
    pub(in crate::imap) entry: Entry,
    pub(in crate::imap) recent: bool,
}

impl Key {
    /// The answer as far as the entry gives it; `None`: the message has to be read.
    pub(in crate::imap) fn cheap(&self, facts: Facts) -> Option<bool> {
        match self {
            Key::Not(key) => key.cheap(facts).map(|found| !found),
            Key::And(keys) => {
                let mut open = false;
                for key in keys {
                    match key.cheap(facts) {
                        Some(false) => return Some(false),
                        Some(true) => {}
                        None => open = true,
                    }
                }
                (!open).then_some(true)
            }
            Key::Or(a, b) => match (a.cheap(facts), b.cheap(facts)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
            _ => self.of_entry(facts),
        }
    }

    /// How many keys may go through the message to give it.
    pub(in crate::imap) fn readings(&self) -> u32 {
        match self {
            Key::Not(key) => key.readings(),
            Key::And(keys) => keys.iter().map(Key::readings).sum(),
            Key::Or(a, b) => a.readings() + b.readings(),
            Key::Sent(_) | Key::Header(..) | Key::Text(_) | Key::Body(_) => 1,
            _ => 0,
        }
    }

    /// The answer with the message at hand.
    pub(in crate::imap) fn full(&self, facts: Facts, message: &[u8]) -> bool {
        match self {
            Key::Not(key) => !key.full(facts, message),
            Key::And(keys) => keys.iter().all(|key| key.full(facts, message)),
            Key::Or(a, b) => a.full(facts, message) || b.full(facts, message),
            _ => self.of_entry(facts).unwrap_or_else(|| self.of_message(message)),
        }
    }

    fn of_entry(&self, facts: Facts) -> Option<bool> {
        let entry = &facts.entry;
        Some(match self {
            Key::Constant(found) => *found,
            Key::Positions(ranges) => {
                let next = ranges.partition_point(|range| range.end <= facts.at);
                ranges.get(next).is_some_and(|range| range.contains(&facts.at))
            }
            Key::Uids(uids) => uids.contains(entry.uid),
            Key::Flags(flags) => entry.flags.contains(*flags),
            Key::Keyword(_, bits) => entry.keywords.0 & bits != 0,
            Key::Recent => facts.recent,
            Key::Received(times) => times.contains(&entry.internal_date),
            Key::Saved(times) => times.contains(&entry.save_date.into()),
            Key::Larger(size) => u64::from(entry.size_bytes) > *size,
            Key::Smaller(size) => u64::from(entry.size_bytes) < *size,
            Key::Email(guid) => entry.guid == *guid,
            Key::ModSeq(modseq) => entry.modseq.0 >= *modseq,
            _ => return None,
        })
    }

    fn of_message(&self, message: &[u8]) -> bool {
        match self {
            Key::Sent(days) => sent_day(message).is_some_and(|day| days.contains(&day)),
            Key::Header(name, text) if text.is_empty() => find_header(message, name).is_some(),
            Key::Header(name, text) => header_fields(message).any(|field| {
                let value = message.get(field.value.clone()).unwrap_or_default();
                field.is(name) && fold(&decoded_header(value)).contains(text)
            }),
            Key::Text(text) => contains_text(message, text, false),
            Key::Body(text) => contains_text(message, text, true),
            _ => false,
        }
    }
}

/// The day of the Date field as its writer wrote it.
fn sent_day(message: &[u8]) -> Option<i64> {
    let (seconds, offset_minutes) = sent_date(message)?;
    Some((seconds + i64::from(offset_minutes) * 60).div_euclid(DAY))
}

#[cfg(test)]
mod tests {
    use super::*;
    use posthouse_engine::index::Flags;

    #[test]
    fn keys_that_read_the_message_are_counted() {
        let text = || Box::new(Key::Text("a".into()));
        let keys =
            vec![Key::Not(text()), Key::Or(text(), Box::new(Key::Flags(Flags::SEEN))), Key::Sent(0..1), Key::Recent];
        assert_eq!(Key::And(keys).readings(), 3);
    }
}
