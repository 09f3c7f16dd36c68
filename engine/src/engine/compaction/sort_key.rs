//! Which messages belong together in a block: those of one content type, then those of one sender or list and its neighbours in the domain tree,
//! then those of one subject. Reads a summary, nothing else.
use crate::index::mime::SummaryRef;

/// Bytes of a key: the content type's crc, the host's labels from the last one on, the subject's begin.
const KEY_BYTES: usize = 48;
const HOST_AT: usize = 4;
const SUBJECT_AT: usize = 28;

/// Where a message stands among others; neighbours are likely to be alike.
pub(super) type SortKey = [u8; KEY_BYTES];

/// The place of a message with that summary.
pub(super) fn sort_key(summary: &[u8]) -> SortKey {
    let mut key = [0; KEY_BYTES];
    let Ok(summary) = SummaryRef::decode(summary) else { return key };
    if let Some(root) = summary.part(&[]) {
        let mut kind = crc32fast::Hasher::new();
        for text in [root.media_type(), b"/", root.media_subtype()] {
            kind.update(&text.to_ascii_lowercase());
        }
        key[..HOST_AT].copy_from_slice(&kind.finalize().to_be_bytes());
    }
    let mut items = Items(summary.envelope());
    // RFC 3501 section 7.4.2: date, subject, from, sender and more.
    let (_open, _date, subject) = (items.next(), items.next(), items.next());
    let (from, sender) = (items.host(), items.host());
    let labels = sender.or(from).unwrap_or_default().rsplit(|byte| *byte == b'.');
    fill(&mut key[HOST_AT..SUBJECT_AT], labels.flat_map(|label| label.iter().chain(b".")));
    if let Some(Item::Text(text)) = subject {
        fill(&mut key[SUBJECT_AT..], plain(text).iter());
    }
    key
}

fn fill<'a>(key: &mut [u8], text: impl Iterator<Item = &'a u8>) {
    key.iter_mut().zip(text).for_each(|(to, from)| *to = from.to_ascii_lowercase());
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

    fn key(message: &str) -> SortKey {
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
        assert!(
            third[..SUBJECT_AT] == fourth[..SUBJECT_AT]
                && third != fourth
                && third[..SUBJECT_AT] != first[..SUBJECT_AT]
        );
        assert_eq!(key("\n"), key("To: x@y.test\n\n"));
    }

    #[test]
    fn neighbours_are_of_one_type_first_and_then_near_in_the_domain_tree() {
        let of = |host: &str, kind: &str| key(&format!("From: a@{host}\nContent-Type: {kind}\n\n"));
        let mut keys = [
            ("mail", of("mail.shop.test", "text/plain")),
            ("other", of("a.example", "text/plain")),
            ("html", of("mail.shop.test", "TEXT/HTML; charset=utf-8")),
            ("news", of("News.Shop.test", "text/plain; charset=utf-8")),
            ("html too", of("x.example", "text/html")),
        ];
        assert_eq!(key("From: a@a.example\n\n"), keys[1].1, "a message without a type is text/plain");
        keys.sort_by_key(|(_, key)| *key);
        let order: Vec<_> = keys.iter().map(|(name, _)| *name).collect();
        let plain: Vec<_> = order.iter().filter(|name| !name.starts_with("html")).copied().collect();
        assert_eq!(plain, ["other", "mail", "news"]);
        assert!(order.windows(2).any(|pair| pair == ["html too", "html"]), "{order:?}");
    }

    proptest! {
        #[test]
        fn any_envelope_has_a_key(bytes: Vec<u8>) {
            let mut items = Items(&bytes);
            while items.next().is_some() {}
            let _ = (Items(&bytes).host(), plain(&bytes), sort_key(&bytes));
        }
    }
}
