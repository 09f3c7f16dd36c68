//! Random mails and random bytes. Proptest prints the seed of a failure and keeps it.
use proptest::prelude::*;

use super::*;

/// Pieces that mails are made of, and broken with.
const PIECES: [&str; 44] = [
    "\r\n",
    "\r\n",
    "\r\n\r\n",
    "\n",
    "\r",
    "\0",
    " ",
    "\t",
    "--b",
    "--bb",
    "--b--",
    "--bb--",
    "\r\n--b\r\n",
    "\r\n--bb\r\n",
    "\r\n--b--\r\n",
    "Content-Type: ",
    "multipart/mixed; boundary=b",
    "multipart/mixed; boundary=\"bb\"",
    "multipart/digest; boundary=b",
    "message/rfc822",
    "text/html; charset=utf-8",
    "text/plain",
    "application/x; name*0*=a; name*1=b",
    "Content-Disposition: attachment; filename=x",
    "Content-Transfer-Encoding: base64",
    "Content-ID: ",
    "Content-Language: en, de",
    "From: ",
    "To: ",
    "Subject: ",
    "Date: ",
    "a@b",
    "<a@b>",
    "\"q\\\"s\"",
    "(c(d))",
    "G: a@b;",
    "@r,@s:",
    ",",
    ";",
    ":",
    "=?utf-8?q?x?=",
    "你",
    "\\",
    "\u{80}",
];

fn mail() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => (0..PIECES.len()).prop_map(|at| PIECES[at].as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..4),
    ];
    proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

/// Reads one IMAP list and returns what follows it, or panics: parentheses, strings and literals must be well formed.
fn after_list(text: &[u8]) -> &[u8] {
    let mut rest = text.strip_prefix(b"(").expect("a list");
    loop {
        rest = match rest[0] {
            b')' => return &rest[1..],
            b'(' => after_list(rest),
            b'"' => after_quoted(&rest[1..]),
            b'{' => after_literal(&rest[1..]),
            byte => {
                assert!(byte == b' ' || byte.is_ascii_alphanumeric(), "{byte}");
                &rest[1..]
            }
        };
    }
}

fn after_quoted(mut rest: &[u8]) -> &[u8] {
    while rest[0] != b'"' {
        rest = if rest[0] == b'\\' { &rest[1..] } else { rest };
        assert!(rest[0].is_ascii() && !matches!(rest[0], 0 | b'\r' | b'\n'));
        rest = &rest[1..];
    }
    &rest[1..]
}

fn after_literal(rest: &[u8]) -> &[u8] {
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let len: usize = std::str::from_utf8(&rest[..digits]).unwrap().parse().unwrap();
    let text = rest[digits..].strip_prefix(b"}\r\n").expect("a literal");
    assert!(!text[..len].contains(&0));
    &text[len..]
}

/// Asks everything that can be asked. A list is written of what is whole, and of nothing else.
fn ask_all(bytes: &[u8]) -> Option<()> {
    let summary = SummaryRef::decode(bytes).ok();
    for extended in [true, false] {
        let mut out = b"before".to_vec();
        assert_eq!(body_structure(bytes, extended, &mut out).is_ok(), summary.is_some());
        assert!(out.len() > 6 || summary.is_none() && out == b"before");
    }
    let summary = summary?;
    assert_eq!(super::super::envelope(bytes), Ok(summary.envelope()));
    for part in summary.parts() {
        assert!(part.header.end <= part.body.start && part.body.end <= summary.message_len());
        let _ = (part.media_type(), part.media_subtype(), part.param(b"charset"), part.disposition_param(b"filename"));
    }
    for path in [&[][..], &[1], &[2], &[1, 1], &[1, 2], &[1, 1, 1]] {
        for section in [Section::Whole, Section::Mime, Section::Header, Section::Text] {
            let range = summary.section(path, section);
            assert!(range.is_none_or(|range| range.start <= range.end && range.end <= summary.message_len()));
        }
    }
    Some(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn every_mail_has_a_well_formed_summary(message in mail()) {
        let bytes = encoded(&message);
        let summary = SummaryRef::decode(&bytes).unwrap();
        prop_assert_eq!(summary.message_len() as usize, message.len());
        prop_assert!(after_list(summary.envelope()).is_empty());
        for extended in [false, true] {
            let mut out = Vec::new();
            body_structure(&bytes, extended, &mut out).unwrap();
            prop_assert!(after_list(&out).is_empty());
        }
        ask_all(&bytes);
    }

    #[test]
    fn what_was_encoded_comes_back(message in mail()) {
        let summary = summarize(&message);
        let bytes = encoded(&message);
        let read = SummaryRef::decode(&bytes).unwrap();
        prop_assert_eq!(read.envelope(), summary.parsed.envelope.as_slice());
        prop_assert_eq!(read.parts().count(), summary.parsed.nodes.len());
        for (part, node) in read.parts().zip(&summary.parsed.nodes) {
            prop_assert_eq!(part.kind, node.kind);
            prop_assert_eq!(part.header.start as usize..part.header.end as usize, node.header.clone());
            prop_assert_eq!(part.body.start as usize..part.body.end as usize, node.body.clone());
            let lines = message[node.body.clone()].iter().filter(|b| **b == b'\n').count();
            prop_assert!(part.kind == PartKind::Multipart || !part.is_text() || part.lines as usize == lines);
        }
    }

    #[test]
    fn random_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        ask_all(&bytes);
    }

    #[test]
    fn damaged_summaries_are_read_or_refused(
        message in mail(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = encoded(&message);
        ask_all(&bytes[..cut.index(bytes.len())]);
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        ask_all(&bytes);
    }

    #[test]
    fn dates_never_panic(value in "[0-9A-Za-z:,+() -]{0,40}") {
        let _ = parse_date(value.as_bytes());
    }
}
