//! POP3's unique-ids that messages had on the server which they were brought from, so that their owner's client does not fetch them all again
//! (RFC 1939 section 7). They lie in annotations of the mailbox that no client can name.
use super::metadata::Metadata;
use crate::base::Uid;
use crate::base::limits::POP3_UIDL_BYTES_MAX;
use std::collections::HashMap;

/// Clients name entries below `/private` and `/shared` only.
const START: &str = "/pop3/uidl/";

/// The ids by uid; messages that came here first have none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uidls(HashMap<u32, Box<str>>);

impl Uidls {
    /// Those that a mailbox's annotations hold. A line that cannot be read is passed over: its message has the id that it would have here.
    pub(super) fn of(metadata: &Metadata) -> Uidls {
        let mut all = Uidls::default();
        metadata.iter().filter(|(name, _)| name.starts_with(START)).for_each(|(_, value)| all.decode(value));
        all
    }

    /// Adds what an annotation's value holds: lines of a uid, a space and its id.
    pub fn decode(&mut self, value: &[u8]) {
        let lines = value.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
        for (uid, id) in lines.filter_map(|line| line.split_once(' ')).filter(|(_, id)| is_unique_id(id)) {
            if let Ok(uid) = uid.parse() {
                self.0.insert(uid, id.into());
            }
        }
    }

    /// The id of a message.
    pub fn get(&self, uid: Uid) -> Option<&str> {
        self.0.get(&uid.0).map(|id| &**id)
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (Uid, &str)> {
        self.0.iter().map(|(uid, id)| (Uid(*uid), &**id))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number of the last annotation of them, with its value.
    pub(crate) fn last(metadata: &Metadata) -> Option<(u32, &[u8])> {
        let numbered =
            metadata.iter().filter_map(|(name, value)| Some((name.strip_prefix(START)?.parse().ok()?, value)));
        numbered.max_by_key(|(number, _)| *number)
    }

    /// The annotation of that number.
    pub(crate) fn name(number: u32) -> String {
        format!("{START}{number}")
    }
}

/// RFC 1939 section 7: one to 70 characters from 0x21 to 0x7E.
pub fn is_unique_id(text: &str) -> bool {
    (1..=POP3_UIDL_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_what_is_none() {
        let mut metadata = Metadata::default();
        metadata.set("/pop3/uidl/1", Some(b"7 UID7-1700000000\n8 a b\n9 \nx y\n\xff 1\n10 last"));
        metadata.set("/pop3/uidl/2", Some(b"11 x\n"));
        metadata.set("/private/comment", Some(b"12 no"));
        let all = Uidls::of(&metadata);
        let ids = [7, 8, 9, 10, 11, 12].map(|uid| all.get(Uid(uid)));
        assert_eq!(ids, [Some("UID7-1700000000"), None, None, Some("last"), Some("x"), None]);
        assert_eq!(Uidls::last(&metadata), Some((2, &b"11 x\n"[..])));
        assert!(
            is_unique_id(&"x".repeat(70)) && !is_unique_id(&"x".repeat(71)) && !is_unique_id("é") && !is_unique_id("")
        );
    }
}
