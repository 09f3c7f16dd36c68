//! What a message's header says that policies look at: the addresses of From and the decoded subject. Changes nothing and judges nothing.
use super::named;
use crate::limits;
use mail_parser::MessageParser;
use mail_parser::parsers::MessageStream;
use posthouse_engine::directory::Address;
use posthouse_engine::index::mime::header_fields;
use posthouse_engine::mailflow::sieve::{Field, fields};
use posthouse_engine::search::text::decoded_header;

/// Fields beside From that name somebody as having written or sent it (RFC 5322 sections 3.6.2 and 3.6.6).
const SENDERS: [&[u8]; 3] = [b"Sender", b"Resent-From", b"Resent-Sender"];

/// The facts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Says {
    /// Addresses of all From fields, as all who read them see them (`named`); those that are none are left out.
    pub(super) from: Vec<Address>,
    /// From holds something that is no address, or the header is too long to be read whole.
    pub(super) from_is_odd: bool,
    /// All of From is of one domain, whoever reads it.
    pub(super) from_has_one_domain: bool,
    /// Fields of that name; RFC 5322 section 3.6 asks for one.
    pub(super) from_fields: usize,
    /// The same of Sender, Resent-From and Resent-Sender, which some readers show as the author.
    pub(super) senders: Vec<Address>,
    /// One of them holds something that is no address.
    pub(super) sender_is_odd: bool,
    /// Decoded (RFC 2047), of all Subject fields.
    pub(super) subject: String,
    /// As it stands there, in brackets; empty if there is none.
    pub(super) message_id: String,
}

/// What only some policies look at, and few messages need to be read for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Addressed {
    /// Addresses of To and Cc.
    pub(super) to: Vec<Address>,
    /// Addresses of ours that have sent it on before; another module finds them.
    pub(super) passed: Vec<Address>,
    /// The header as scripts see it.
    pub(super) fields: Vec<Field>,
    /// Bytes of the message as it came.
    pub(super) size_bytes: u64,
    /// A program or a list has sent it (RFC 3834 section 2, RFC 2369, RFC 2919).
    pub(super) automatic: bool,
}

/// Reads whom the message names and whether a person has sent it.
pub(super) fn addressed(message: &[u8], header_bytes: usize) -> Addressed {
    // What is beyond the bound may say that nobody wants an answer.
    let mut found = Addressed {
        automatic: header_bytes > limits::SMTP_JUDGED_HEADER_BYTES_MAX,
        fields: fields(&message[..header_bytes]),
        size_bytes: message.len() as u64,
        ..Addressed::default()
    };
    let header = &message[..header_bytes.min(limits::SMTP_JUDGED_HEADER_BYTES_MAX)];
    let Some(parsed) = MessageParser::default().parse_headers(header) else {
        return Addressed { automatic: true, ..found };
    };
    for field in parsed.headers() {
        let raw =
            || String::from_utf8_lossy(&header[field.offset_start as usize..field.offset_end as usize]).into_owned();
        let name = field.name.as_str().to_ascii_lowercase();
        match name.as_str() {
            "to" | "cc" => {
                let all = field.value.as_address().into_iter().flat_map(|addresses| addresses.iter());
                let all = all.filter_map(|one| Address::parse(one.address()?).ok());
                found.to.extend(all.take(limits::SMTP_NAMED_MAX.saturating_sub(found.to.len())));
            }
            "auto-submitted" => {
                let value = raw().to_ascii_lowercase();
                found.automatic |= value.split(';').next().is_some_and(|word| word.trim() != "no");
            }
            "precedence" => {
                found.automatic |= ["bulk", "list", "junk"].contains(&raw().trim().to_ascii_lowercase().as_str())
            }
            "x-auto-response-suppress" | "x-autoreply" | "x-autorespond" | "feedback-id" => found.automatic = true,
            name => found.automatic |= name.starts_with("list-"),
        }
    }
    found
}

/// Reads the first `header_bytes` of a message.
pub(super) fn read(message: &[u8], header_bytes: usize) -> Says {
    let header = &message[..header_bytes];
    let mut says = Says { from_is_odd: header_bytes > limits::SMTP_JUDGED_HEADER_BYTES_MAX, ..Says::default() };
    let mut authors = 0;
    for field in header_fields(header) {
        let (is_from, is_sender) = (field.is(b"From"), SENDERS.iter().any(|name| field.is(name)));
        says.from_fields += usize::from(is_from);
        authors += usize::from(is_from || is_sender);
        if authors > limits::SMTP_AUTHOR_FIELDS_MAX && (is_from || is_sender) {
            // Nobody who means it has so many, and each takes a while to read.
            (says.from_is_odd, says.sender_is_odd, says.from_has_one_domain) = (true, true, false);
            continue;
        }
        if field.line.end > limits::SMTP_JUDGED_HEADER_BYTES_MAX {
            continue;
        }
        let value = &header[field.value.start..field.line.end];
        if is_from {
            says.add_from(value);
        } else if is_sender {
            let found = named::read(value);
            says.sender_is_odd |= found.is_odd;
            take_some(&mut says.senders, found.addresses, &mut says.sender_is_odd);
        } else if field.is(b"Subject") {
            says.subject.push_str(decoded_header(&header[field.value]).trim());
        } else if field.is(b"Message-ID") {
            let parsed = MessageStream::new(value).parse_id();
            says.message_id = parsed.as_text().map_or_else(String::new, |id| format!("<{id}>"));
        }
    }
    says
}

impl Says {
    fn add_from(&mut self, value: &[u8]) {
        let found = named::read(value);
        self.from_is_odd |= found.is_odd;
        self.from_has_one_domain = found.has_one_domain && self.from_fields == 1;
        take_some(&mut self.from, found.addresses, &mut self.from_is_odd);
    }
}

/// As many as are looked at.
fn take_some(all: &mut Vec<Address>, more: Vec<Address>, are_too_many: &mut bool) {
    *are_too_many |= all.len() + more.len() > limits::SMTP_FROM_MAX;
    all.extend(more);
    all.truncate(limits::SMTP_FROM_MAX);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(header: &str) -> Says {
        read(header.as_bytes(), header.len())
    }

    #[test]
    fn from_and_subject_are_read_decoded() {
        let found =
            says("From: \"A, B\" <a@x.test>, c@y.test\r\nSubject: =?utf-8?B?5Y+R56Wo?=\r\n =?utf-8?Q?_now?=\r\n");
        let from: Vec<&str> = found.from.iter().map(Address::as_str).collect();
        assert_eq!((from, found.from_is_odd, found.from_fields), (vec!["a@x.test", "c@y.test"], false, 1));
        assert_eq!(found.subject, "\u{53d1}\u{7968} now");
    }

    #[test]
    fn a_subject_is_what_its_reader_sees() {
        // A character of GB18030 cut over two encoded words, and raw GBK.
        let cut = "Subject: =?gb18030?Q?=B7?=\r\n =?gb18030?Q?=A2=C6=B1?=\r\n";
        assert_eq!(says(cut).subject, "\u{53d1}\u{7968}");
        let raw = b"Subject: \xb7\xa2\xc6\xb1\r\n";
        assert_eq!(read(raw, raw.len()).subject, "\u{53d1}\u{7968}");
    }

    #[test]
    fn whom_it_names_and_who_has_sent_it() {
        let read = |header: &str| addressed(header.as_bytes(), header.len());
        let found =
            read("To: A <a@x.test>, b@x.test\r\nCc: c@x.test\r\nDelivered-To: d@x.test\r\nAuto-Submitted: no\r\n");
        let names = |all: &[Address]| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        assert_eq!((names(&found.to), names(&found.passed)), ("a@x.test b@x.test c@x.test".into(), String::new()));
        assert!(!found.automatic);
        for field in [
            "Auto-Submitted: auto-replied",
            "AUTO-SUBMITTED: Auto-Generated; x=y",
            "Precedence: Bulk",
            "List-Id: <l.x>",
            "List-Unsubscribe: <u>",
        ] {
            assert!(read(&format!("To: a@x.test\r\n{field}\r\n")).automatic, "{field}");
        }
        assert_eq!(says("Message-ID: <a@b>\r\n").message_id, "<a@b>");
    }

    #[test]
    fn what_is_no_address_is_told() {
        assert!(says("From: nobody\r\n").from_is_odd);
        assert!(says("From:\r\n").from_is_odd);
        assert!(!says("Subject: x\r\n").from_is_odd);
        assert_eq!(says("From: a@x.test\r\nfrom : b@x.test\r\n").from_fields, 2);
        // A field before it that never ends its quotes or parentheses hides no From.
        for odd in ["Received: from x (y\r\n", "Content-Type: text/plain; a=\"b\r\n", "To: \"x\r\n", "X: (\r\n"] {
            assert_eq!(says(&format!("{odd}From: a@x.test\r\nFrom: b@x.test\r\n")).from_fields, 2, "{odd:?}");
        }
        let senders = "Sender: a@x.test\r\n".repeat(limits::SMTP_AUTHOR_FIELDS_MAX);
        let found = says(&format!("From: a@x.test\r\n{senders}"));
        assert!(
            found.sender_is_odd
                && !found.from_has_one_domain
                && says(&format!("From: b@x.test\r\n{}", &senders[18..])).from_has_one_domain
        );
        let long = format!("X: {}\r\nFrom: a@x.test\r\n", "x".repeat(limits::SMTP_JUDGED_HEADER_BYTES_MAX));
        assert!(says(&long).from_is_odd);
    }
}
