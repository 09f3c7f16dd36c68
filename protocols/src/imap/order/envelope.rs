//! Reads the stored ENVELOPE list back: what SORT and THREAD go by. Never fails: what is no envelope is an empty one.
use crate::imap::args::{Args, Parsed};
use posthouse_engine::index::mime::parse_date;
use posthouse_engine::search::text::{decoded_header, to_unicode};
use std::borrow::Cow;

/// One address of an envelope.
#[derive(Debug, Default)]
pub(in crate::imap) struct Address<'a> {
    name: Option<Cow<'a, [u8]>>,
    mailbox: Option<Cow<'a, [u8]>>,
    host: Option<Cow<'a, [u8]>>,
}

/// The parts of an envelope that an order may go by; of address lists the first address.
#[derive(Debug, Default)]
pub(in crate::imap) struct Envelope<'a> {
    date: Option<Cow<'a, [u8]>>,
    subject: Option<Cow<'a, [u8]>>,
    pub(in crate::imap) from: Option<Address<'a>>,
    pub(in crate::imap) to: Option<Address<'a>>,
    pub(in crate::imap) cc: Option<Address<'a>>,
}

impl<'a> Envelope<'a> {
    pub(in crate::imap) fn read(bytes: &'a [u8]) -> Envelope<'a> {
        envelope(&mut Args::new(bytes, 0)).unwrap_or_default()
    }

    /// The sent date in seconds since 1970 UTC (RFC 5256 section 2.2).
    pub(in crate::imap) fn sent(&self) -> Option<i64> {
        parse_date(self.date.as_deref()?).map(|(seconds, _)| seconds)
    }

    /// The subject in Unicode.
    pub(in crate::imap) fn subject(&self) -> String {
        decoded_header(self.subject.as_deref().unwrap_or_default())
    }
}

impl Address<'_> {
    /// The local part, or a group's name, as the envelope has it in that place (RFC 5256 section 3, FROM).
    pub(in crate::imap) fn mailbox(&self) -> String {
        String::from_utf8_lossy(self.mailbox.as_deref().unwrap_or_default()).into_owned()
    }

    /// The name, or the address when there is none (RFC 5957 section 3).
    pub(in crate::imap) fn display(&self) -> String {
        // What has no encoded words stays as it is: spaces count in comparing.
        let decoded = |name: &[u8]| match name.windows(2).any(|pair| pair == b"=?") {
            true => decoded_header(name),
            false => to_unicode(name, None).into_owned(),
        };
        match self.name.as_deref().map(decoded).filter(|name| !name.is_empty()) {
            Some(name) => name,
            None => match &self.host {
                Some(host) => format!("{}@{}", self.mailbox(), String::from_utf8_lossy(host)),
                None => self.mailbox(),
            },
        }
    }
}

fn envelope<'a>(args: &mut Args<'a>) -> Parsed<Envelope<'a>> {
    args.need("(")?;
    let date = nstring(args)?;
    args.space()?;
    let subject = nstring(args)?;
    let mut lists = [None, None, None, None, None];
    for list in &mut lists {
        args.space()?;
        *list = first_address(args)?;
    }
    let [from, _sender, _reply_to, to, cc] = lists;
    Ok(Envelope { date, subject, from, to, cc })
}

fn nstring<'a>(args: &mut Args<'a>) -> Parsed<Option<Cow<'a, [u8]>>> {
    if args.eat_word("NIL") { Ok(None) } else { args.string().map(Some) }
}

/// The first address, which may be the beginning of a group.
fn first_address<'a>(args: &mut Args<'a>) -> Parsed<Option<Address<'a>>> {
    if args.eat_word("NIL") {
        return Ok(None);
    }
    args.need("(")?;
    let mut first: Option<Address<'a>> = None;
    while args.eat("(") {
        let name = nstring(args)?;
        args.space()?;
        nstring(args)?;
        args.space()?;
        let mailbox = nstring(args)?;
        args.space()?;
        let host = nstring(args)?;
        args.need(")")?;
        if first.is_none() {
            first = Some(Address { name, mailbox, host });
        }
    }
    args.need(")")?;
    Ok(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_is_read_back() {
        let bytes = b"(\"Thu, 1 Jan 1970 01:00:10 +0100\" \"=?utf-8?q?=c3=a4?=\" ((\"A {3}\" NIL \"ann\" \"x.org\")\
                      (NIL NIL NIL NIL)) NIL NIL ((NIL NIL \"bob\" \"y.org\")) ((NIL NIL \"list\" NIL)) NIL NIL NIL)";
        let envelope = Envelope::read(bytes);
        assert_eq!(envelope.sent(), Some(10));
        assert_eq!(envelope.subject(), "ä");
        assert_eq!(envelope.from.as_ref().map(Address::display).as_deref(), Some("A {3}"));
        assert_eq!(envelope.from.as_ref().map(Address::mailbox).as_deref(), Some("ann"));
        assert_eq!(envelope.to.as_ref().map(Address::display).as_deref(), Some("bob@y.org"));
        assert_eq!(envelope.cc.as_ref().map(Address::display).as_deref(), Some("list"));
        assert!(Envelope::read(b"nonsense").from.is_none());
    }
}
