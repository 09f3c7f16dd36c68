//! What a message's header says that policies look at: the addresses of From and the decoded subject. Changes nothing and judges nothing.
use crate::limits;
use mail_parser::{Address as Parsed, HeaderName, MessageParser};
use posthouse_engine::directory::Address;
use std::sync::LazyLock;

/// Takes no other field apart: Received fields alone would cost more than all the rest of this.
static PARSER: LazyLock<MessageParser> = LazyLock::new(|| {
    let parser = MessageParser::new().header_address(HeaderName::From).header_text(HeaderName::Subject);
    parser.default_header_ignore()
});

/// The facts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Says {
    /// Addresses of all From fields; those that are none are left out.
    pub(super) from: Vec<Address>,
    /// From holds something that is no address, or the header is too long to be read whole.
    pub(super) from_is_odd: bool,
    /// Fields of that name; RFC 5322 section 3.6 asks for one.
    pub(super) from_fields: usize,
    /// Decoded (RFC 2047), of all Subject fields.
    pub(super) subject: String,
}

/// Reads the first `header_bytes` of a message.
pub(super) fn read(message: &[u8], header_bytes: usize) -> Says {
    // What is beyond the bound could be another From.
    let mut says = Says { from_is_odd: header_bytes > limits::SMTP_JUDGED_HEADER_BYTES_MAX, ..Says::default() };
    let header = &message[..header_bytes.min(limits::SMTP_JUDGED_HEADER_BYTES_MAX)];
    let Some(parsed) = PARSER.parse_headers(header) else {
        return says;
    };
    for field in parsed.headers() {
        match field.name {
            HeaderName::From => {
                says.from_fields += 1;
                says.add_from(field.value.as_address());
            }
            HeaderName::Subject => says.subject.push_str(field.value.as_text().unwrap_or_default()),
            _ => {}
        }
    }
    says
}

impl Says {
    fn add_from(&mut self, field: Option<&Parsed<'_>>) {
        let mut any = false;
        for one in field.into_iter().flat_map(|addresses| addresses.iter()) {
            any = true;
            match one.address().map(Address::parse) {
                Some(Ok(address)) if self.from.len() < limits::SMTP_FROM_MAX => self.from.push(address),
                _ => self.from_is_odd = true,
            }
        }
        self.from_is_odd |= !any;
    }
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
    fn what_is_no_address_is_told() {
        assert!(says("From: nobody\r\n").from_is_odd);
        assert!(says("From:\r\n").from_is_odd);
        assert!(!says("Subject: x\r\n").from_is_odd);
        assert_eq!(says("From: a@x.test\r\nfrom : b@x.test\r\n").from_fields, 2);
        // A field before it that never ends its quotes or parentheses hides no From.
        for odd in ["Received: from x (y\r\n", "Content-Type: text/plain; a=\"b\r\n", "To: \"x\r\n", "X: (\r\n"] {
            assert_eq!(says(&format!("{odd}From: a@x.test\r\nFrom: b@x.test\r\n")).from_fields, 2, "{odd:?}");
        }
        let long = format!("X: {}\r\nFrom: a@x.test\r\n", "x".repeat(limits::SMTP_JUDGED_HEADER_BYTES_MAX));
        assert!(says(&long).from_is_odd);
    }
}
