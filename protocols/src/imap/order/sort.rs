//! The criteria of SORT (RFC 5256 section 3, RFC 5957) and what they take of a message. Pure.
use super::envelope::{Address, Envelope};
use super::subject;
use crate::imap::answer::Answer;
use crate::imap::args::Args;
use crate::limits;
use posthouse_engine::index::Entry;
use posthouse_engine::search::text::fold;
use std::cmp::Ordering;

/// What to order by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Arrival,
    Cc,
    Date,
    DisplayFrom,
    DisplayTo,
    From,
    Size,
    Subject,
    To,
}

const NAMES: [(&str, By); 9] = [
    ("ARRIVAL", By::Arrival),
    ("CC", By::Cc),
    ("DATE", By::Date),
    ("DISPLAYFROM", By::DisplayFrom),
    ("DISPLAYTO", By::DisplayTo),
    ("FROM", By::From),
    ("SIZE", By::Size),
    ("SUBJECT", By::Subject),
    ("TO", By::To),
];

/// The criteria, the first one first; with each whether it is reversed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::imap) struct Criteria(Vec<(By, bool)>);

/// What a message is ordered by.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::imap) enum Value {
    Number(i64),
    Text(Box<str>),
}

impl Criteria {
    /// `(REVERSE DATE SUBJECT)`
    pub(in crate::imap) fn parse(args: &mut Args<'_>) -> Result<Criteria, Answer> {
        let criteria = args.list(false, |args| {
            let reverse = args.eat_word("REVERSE");
            if reverse {
                args.space()?;
            }
            let start = args.clone();
            let name = args.atom("a sort criterion")?;
            match NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
                Some((_, by)) => Ok((*by, reverse)),
                None => Ok(start.wrong("a sort criterion")?),
            }
        })?;
        if criteria.len() > limits::IMAP_SORT_CRITERIA_MAX {
            return Err(Answer::no("[LIMIT] Too many sort criteria"));
        }
        Ok(Criteria(criteria))
    }

    /// Whether the envelope is needed.
    pub(in crate::imap) fn reads(&self) -> bool {
        self.0.iter().any(|(by, _)| !matches!(by, By::Arrival | By::Size))
    }

    /// The values of one message and the bytes of memory that they take.
    pub(in crate::imap) fn values(&self, entry: &Entry, envelope: &Envelope<'_>) -> (Box<[Value]>, usize) {
        let values: Box<[Value]> = self.0.iter().map(|(by, _)| value(*by, entry, envelope)).collect();
        let text = |value: &Value| match value {
            Value::Number(_) => 0,
            Value::Text(text) => text.len(),
        };
        let bytes = values.iter().map(text).sum::<usize>() + std::mem::size_of_val(&*values) + 32;
        (values, bytes)
    }

    /// Compares the values of two messages.
    pub(in crate::imap) fn compare(&self, a: &[Value], b: &[Value]) -> Ordering {
        for ((_, reverse), (a, b)) in self.0.iter().zip(a.iter().zip(b)) {
            let ordering = if *reverse { b.cmp(a) } else { a.cmp(b) };
            if ordering != Ordering::Equal {
                return ordering;
            }
        }
        Ordering::Equal
    }
}

/// A missing Date counts as the internal date (RFC 5256 section 2.2), a missing text as the empty one.
fn value(by: By, entry: &Entry, envelope: &Envelope<'_>) -> Value {
    let address = |address: &Option<Address<'_>>| text(address.as_ref().map(Address::mailbox).unwrap_or_default());
    let display = |address: &Option<Address<'_>>| text(address.as_ref().map(Address::display).unwrap_or_default());
    match by {
        By::Arrival => Value::Number(entry.internal_date),
        By::Size => Value::Number(entry.size_bytes.into()),
        By::Date => Value::Number(envelope.sent().unwrap_or(entry.internal_date)),
        By::Subject => cut(&subject::base(&envelope.subject()).0),
        By::From => address(&envelope.from),
        By::To => address(&envelope.to),
        By::Cc => address(&envelope.cc),
        By::DisplayFrom => display(&envelope.from),
        By::DisplayTo => display(&envelope.to),
    }
}

/// Compared without case, as i;unicode-casemap orders: by capitals (RFC 5051 section 2).
fn text(text: String) -> Value {
    cut(&fold(&text))
}

/// So much of a folded text that nobody would see the difference: memory is bounded.
fn cut(text: &str) -> Value {
    let mut text = text.to_uppercase();
    if text.len() > limits::IMAP_SORT_TEXT_BYTES_MAX {
        let end = (0..=limits::IMAP_SORT_TEXT_BYTES_MAX).rev().find(|at| text.is_char_boundary(*at));
        text.truncate(end.unwrap_or(0));
    }
    Value::Text(text.into_boxed_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn criteria() {
        let parse = |text: &str| Criteria::parse(&mut Args::new(text.as_bytes(), 0));
        let expected = Criteria(vec![(By::Date, true), (By::DisplayFrom, false)]);
        assert_eq!(parse("(reverse date displayfrom)"), Ok(expected));
        for bad in ["()", "DATE", "(REVERSE)", "(NONSENSE)", "(DATE"] {
            assert!(matches!(parse(bad), Err(Answer::Bad(_))), "{bad}");
        }
    }
}
