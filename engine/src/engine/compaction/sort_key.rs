//! Which messages belong together in a block: those of one sender or list, then those of one subject. Reads a summary's envelope, nothing else.
use crate::index::mime::SummaryRef;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Equal for messages that are likely to be alike; the order of different ones means nothing.
pub(super) fn sort_key(summary: &[u8]) -> (u64, u64) {
    let Ok(summary) = SummaryRef::decode(summary) else { return (0, 0) };
    let mut items = Items(summary.envelope());
    // RFC 3501 section 7.4.2: date, subject, from, sender and more.
    let (_open, _date, subject) = (items.next(), items.next(), items.next());
    let (from, sender) = (items.host(), items.host());
    let subject = match subject {
        Some(Item::Text(text)) => text,
        _ => b"",
    };
    (hash(sender.or(from).unwrap_or_default()), hash(plain(subject)))
}

fn hash(text: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.to_ascii_lowercase().hash(&mut hasher);
    hasher.finish()
}

/// A subject without what replies put in front.
fn plain(mut subject: &[u8]) -> &[u8] {
    loop {
        subject = subject.trim_ascii();
        match subject.split_first_chunk::<3>() {
            Some((reply, rest)) if reply.eq_ignore_ascii_case(b"re:") => subject = rest,
            _ => return subject,
        }
    }
}

enum Item<'a> {
    Nil,
    Text(&'a [u8]),
    Open,
    Close,
}

/// What an ENVELOPE list on the wire is made of.
struct Items<'a>(&'a [u8]);

impl<'a> Items<'a> {
    fn next(&mut self) -> Option<Item<'a>> {
        self.0 = self.0.trim_ascii_start();
        let (first, rest) = self.0.split_first()?;
        match first {
            b'(' => self.0 = rest,
            b')' => self.0 = rest,
            b'"' => return self.quoted(rest),
            b'{' => return self.literal(rest),
            _ => {
                let end = rest.iter().position(|byte| b" ()".contains(byte)).unwrap_or(rest.len());
                self.0 = &rest[end..];
                return Some(Item::Nil);
            }
        }
        Some(if *first == b'(' { Item::Open } else { Item::Close })
    }

    fn quoted(&mut self, rest: &'a [u8]) -> Option<Item<'a>> {
        let mut at = 0;
        while *rest.get(at)? != b'"' {
            at += if rest[at] == b'\\' { 2 } else { 1 };
        }
        self.0 = &rest[at + 1..];
        Some(Item::Text(&rest[..at]))
    }

    fn literal(&mut self, rest: &'a [u8]) -> Option<Item<'a>> {
        let end = rest.iter().position(|byte| *byte == b'}')?;
        let len: usize = std::str::from_utf8(&rest[..end]).ok()?.trim_end_matches('+').parse().ok()?;
        let text = rest.get(end + 1..)?.strip_prefix(b"\r\n")?;
        self.0 = text.get(len..)?;
        Some(Item::Text(&text[..len]))
    }

    /// The host of the first address of the list that comes next.
    fn host(&mut self) -> Option<&'a [u8]> {
        let (mut depth, mut texts, mut host) = (0, 0, None);
        loop {
            match self.next()? {
                Item::Open => depth += 1,
                Item::Close => depth -= 1,
                Item::Nil if depth == 0 => return None,
                Item::Nil => texts += 1,
                Item::Text(text) => {
                    texts += 1;
                    if texts == 4 {
                        host = Some(text);
                    }
                }
            }
            if depth == 0 {
                return host;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::mime::summarize;
    use proptest::prelude::*;

    fn key(message: &str) -> (u64, u64) {
        let mut summary = Vec::new();
        summarize(message.replace('\n', "\r\n").as_bytes()).encode(&mut summary);
        sort_key(&summary)
    }

    #[test]
    fn one_list_and_one_subject_are_one_kind() {
        let first = key("From: A <a@x.test>\nSender: owner@Lists.test\nSubject: Re: re:  Tea \"time\"\n\n");
        let second = key("From: b@y.test\nSender: <owner@lists.test>\nSubject: tea \"time\"\n\n");
        let third = key("From: b@y.test\nSubject: tea\n\n");
        let fourth = key("From: \"B, b\" <c@Y.test>\nSubject: coffee\n\n");
        assert_eq!(first, second);
        assert!(third.0 == fourth.0 && third.1 != fourth.1 && third.0 != first.0);
        assert_eq!(key("\n"), key("To: x@y.test\n\n"));
    }

    proptest! {
        #[test]
        fn any_envelope_has_a_key(bytes: Vec<u8>) {
            let mut items = Items(&bytes);
            while items.next().is_some() {}
            let _ = (Items(&bytes).host(), plain(&bytes));
        }
    }
}
