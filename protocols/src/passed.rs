//! Which addresses of ours have sent a message on before: by this circles end. What a stranger writes into a header counts for nothing: a field is
//! believed when it bears this store's mark for its address and the message. Decides nothing.
use crate::dsn::header_of;
use crate::limits;
use posthouse_engine::Engine;
use posthouse_engine::directory::{Address, mark};
use std::fmt::Write;
use std::sync::LazyLock;

const FIELD: &str = "X-Posthouse-Passed";

/// For a store that has no secret yet: circles through other hosts are known until the next start.
static SPARE: LazyLock<[u8; 32]> = LazyLock::new(|| {
    let mut secret = [0; 32];
    let random = ring::rand::SystemRandom::new();
    if ring::rand::SecureRandom::fill(&random, &mut secret).is_err() {
        tracing::error!("no random numbers: circles through other hosts end by the number of their hops only");
    }
    secret
});

/// The mark of an address on a message, in hexadecimal digits. The Message-ID is what other hosts leave as it is.
fn marked(engine: &Engine, address: &str, message_id: &[u8]) -> String {
    let text = [b"passed\0", address.as_bytes(), b"\0", message_id].concat();
    let bytes = engine.directory(|known| known.mark(&text)).unwrap_or_else(|| mark(&SPARE, &text));
    let mut out = String::with_capacity(2 * bytes.len());
    bytes.iter().for_each(|byte| {
        let _ = write!(out, "{byte:02x}");
    });
    out
}

/// The values of the fields `name` (in any case, with its colon), white space around them left out.
fn values<'a>(header: &'a [u8], name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = 0;
    let fields = std::iter::from_fn(move || {
        let from = rest;
        let mut ends = memchr::memchr_iter(b'\n', &header[from..]).map(|at| from + at);
        let end = ends.find(|at| !matches!(header.get(at + 1), Some(b' ' | b'\t')));
        rest = end.map_or(header.len(), |end| end + 1);
        (from < header.len()).then(|| &header[from..rest])
    });
    fields.filter_map(move |field| {
        let (start, value) = field.split_at_checked(name.len())?;
        start.eq_ignore_ascii_case(name.as_bytes()).then(|| value.trim_ascii())
    })
}

fn message_id(header: &[u8]) -> Vec<u8> {
    let first = values(header, "Message-ID:").next().unwrap_or_default();
    first.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect()
}

/// The addresses that have sent a message on, for which its header bears our mark.
pub(crate) fn proven(engine: &Engine, message: &[u8]) -> Vec<Address> {
    let header = header_of(message);
    let name = format!("{FIELD}:");
    let mut fields = values(header, &name).take(limits::PASSED_FIELDS_MAX).peekable();
    if fields.peek().is_none() {
        return Vec::new();
    }
    let id = message_id(header);
    let believed = |value: &[u8]| {
        let (mark, address) = std::str::from_utf8(value).ok()?.split_once(' ')?;
        let address = Address::parse(address).ok()?;
        (marked(engine, address.as_str(), &id) == mark).then_some(address)
    };
    fields.filter_map(believed).collect()
}

/// The fields that go on top of a copy which those addresses have sent on; what the message says already is not said again.
pub(crate) fn fields(engine: &Engine, passed: &[String], message: &[u8]) -> String {
    let header = header_of(message);
    let (id, known) = (message_id(header), proven(engine, message));
    let mut out = String::new();
    for address in passed.iter().rev().filter(|address| !known.iter().any(|known| known.as_str() == **address)) {
        if !values(header, "Delivered-To:").any(|value| value == address.as_bytes()) {
            let _ = write!(out, "Delivered-To: {address}\r\n");
        }
        let _ = write!(out, "{FIELD}: {} {address}\r\n", marked(engine, address, &id));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    const MAIL: &str = "Received: a\r\n\tb\r\nMessage-ID:\r\n <1@x>\r\nSubject: s\r\n\r\nX-Posthouse-Passed: body\r\n";

    fn proven_in(engine: &Engine, message: &str) -> Vec<String> {
        proven(engine, message.as_bytes()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn marks_are_believed_on_their_message_only() {
        let shared = testing::shared();
        let engine = &*shared.engine;
        let passed = ["ann@example.org".to_owned(), "bob@example.org".to_owned()];
        let top = fields(engine, &passed, MAIL.as_bytes());
        assert!(top.starts_with("Delivered-To: bob@example.org\r\nX-Posthouse-Passed: "), "{top}");
        let sent = format!("{top}{MAIL}");
        assert_eq!(proven_in(engine, &sent), ["bob@example.org", "ann@example.org"]);
        // Said once, whoever sends it on; a host between may fold and unfold.
        assert_eq!(fields(engine, &passed, sent.as_bytes()), "");
        assert_eq!(proven_in(engine, &sent.replace("Message-ID:\r\n <1", "message-id: <1")).len(), 2);
        assert!(proven_in(engine, &sent.replace("<1@x>", "<2@x>")).is_empty(), "another message");
        assert!(proven_in(engine, &sent.replace("ann@", "eve@").replace("bob@", "eve@")).is_empty(), "another address");
        assert!(proven_in(engine, &format!("Delivered-To: ann@example.org\r\n{MAIL}")).is_empty());
        for odd in ["", "x", "X-Posthouse-Passed:", "X-Posthouse-Passed: a\u{ff}", "\n\n \n", "Message-ID: <\r\n\r\n"] {
            assert!(proven_in(engine, odd).is_empty(), "{odd:?}");
        }
    }
}
