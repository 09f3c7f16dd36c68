//! What ENVELOPE says of good and bad headers. Expected texts were compared with Dovecot 2.3.
use super::*;

/// The To list of a message with that To field.
fn to(value: &str) -> String {
    let envelope = envelope(format!("To: {value}\r\n\r\n").as_bytes());
    let inner = envelope.strip_prefix("(NIL NIL NIL NIL NIL ").unwrap();
    inner.strip_suffix(" NIL NIL NIL NIL)").unwrap().to_owned()
}

#[test]
fn sender_and_reply_to_default_to_from() {
    assert_eq!(
        envelope(b"From: \"Joe Q.\" <joe@example.com>\r\nSubject: a\r\n  b\r\nDate: x \r\nMessage-ID: <1@x>\r\n\r\n"),
        "(\"x \" \"a b\" ((\"Joe Q.\" NIL \"joe\" \"example.com\")) ((\"Joe Q.\" NIL \"joe\" \"example.com\")) \
         ((\"Joe Q.\" NIL \"joe\" \"example.com\")) NIL NIL NIL NIL \"<1@x>\")"
    );
    assert_eq!(
        envelope(b"From: a@b\r\nSender: c@d\r\nReply-To: \r\n\r\n"),
        "(NIL NIL ((NIL NIL \"a\" \"b\")) ((NIL NIL \"c\" \"d\")) ((NIL NIL \"a\" \"b\")) NIL NIL NIL NIL NIL)"
    );
}

#[test]
fn addresses_good_and_bad() {
    let cases = [
        ("a@b", r#"((NIL NIL "a" "b"))"#),
        ("a@b, c@d", r#"((NIL NIL "a" "b")(NIL NIL "c" "d"))"#),
        ("a@b (Joe)", r#"(("Joe" NIL "a" "b"))"#),
        ("J. R. \"x \\\" y\" <a@b>", r#"(("J. R. x \" y" NIL "a" "b"))"#),
        ("=?utf-8?q?x?= <a@b>", r#"(("=?utf-8?q?x?=" NIL "a" "b"))"#),
        ("<@r,@s:a@b>", r#"((NIL "@r,@s" "a" "b"))"#),
        ("x <@r a@b>", r#"(("x" "INVALID_ROUTE" "a" "b"))"#),
        ("a . b @ c . d", r#"(("a. b" NIL "MISSING_MAILBOX" "MISSING_DOMAIN"))"#),
        ("a..b.@c", r#"((NIL NIL "a..b." "c"))"#),
        ("\"a b\"@[1.2.3.4]", r#"((NIL NIL "a b" "[1.2.3.4]"))"#),
        (
            "G: a@b, c@d;, e@f",
            r#"((NIL NIL "G" NIL)(NIL NIL "a" "b")(NIL NIL "c" "d")(NIL NIL NIL NIL)(NIL NIL "e" "f"))"#,
        ),
        ("undisclosed-recipients:;", r#"((NIL NIL "undisclosed-recipients" NIL)(NIL NIL NIL NIL))"#),
        ("joe", r#"((NIL NIL "joe" "MISSING_DOMAIN"))"#),
        ("joe q public", r#"(("joe q public" NIL "MISSING_MAILBOX" "MISSING_DOMAIN"))"#),
        ("x <a@b", r#"(("x" NIL "a" "SYNTAX_ERROR"))"#),
        ("x <>", r#"(("x" NIL "MISSING_MAILBOX" "MISSING_DOMAIN"))"#),
        ("a@", r#"((NIL NIL "a" "MISSING_DOMAIN"))"#),
        ("", "NIL"),
        ("(nobody)", "NIL"),
        ("你 <a@b>", "(({3}\r\n你 NIL \"a\" \"b\"))"),
        ("\"a\0b\" <c@d>", "(({5}\r\na\u{fffd}b NIL \"c\" \"d\"))"),
    ];
    for (value, expected) in cases {
        assert_eq!(to(value), expected, "{value:?}");
    }
}

#[test]
fn repeated_fields_join_or_replace() {
    assert_eq!(
        envelope(b"To: a@b\r\nSubject: 1\r\nTo: c@d\r\nSubject: 2\r\n\r\n"),
        "(NIL \"2\" NIL NIL NIL ((NIL NIL \"a\" \"b\")(NIL NIL \"c\" \"d\")) NIL NIL NIL NIL)"
    );
}

#[test]
fn strings_are_quoted_or_literal() {
    assert_eq!(
        envelope(b"Subject: a \"b\" \\c\r\n\r\n"),
        "(NIL \"a \\\"b\\\" \\\\c\" NIL NIL NIL NIL NIL NIL NIL NIL)"
    );
    let many = b"Subject: \"a\" \"b\" \"c\"\r\n\r\n";
    assert_eq!(envelope(many), "(NIL {11}\r\n\"a\" \"b\" \"c\" NIL NIL NIL NIL NIL NIL NIL NIL)");
    assert_eq!(envelope("Subject: é\r\n\r\n".as_bytes()), "(NIL {2}\r\né NIL NIL NIL NIL NIL NIL NIL NIL)");
    assert_eq!(envelope(b"Subject:\r\n\r\n"), "(NIL \"\" NIL NIL NIL NIL NIL NIL NIL NIL)");
    assert_eq!(
        envelope(b"Message-ID: a\r\n\tb\0c\r\n\r\n"),
        "(NIL NIL NIL NIL NIL NIL NIL NIL NIL {7}\r\na\tb\u{fffd}c)"
    );
}

#[test]
fn headers_of_all_kinds_are_walked() {
    let header = b"A : 1\r\nno colon\r\n cont\r\nB:\r\n  2\r\n\t3\r\nC: \r\n\r\nD: 4\r\n";
    let found: Vec<_> =
        header_fields(header).map(|f| (f.name, &header[f.value.clone()], &header[f.line.clone()])).collect();
    let expected: [(&[u8], &[u8], &[u8]); 3] =
        [(b"A", b"1", b"A : 1\r\n"), (b"B", b"\r\n  2\r\n\t3", b"B:\r\n  2\r\n\t3\r\n"), (b"C", b"", b"C: \r\n")];
    assert_eq!(found, expected);
    assert_eq!(find_header(header, b"b").map(unfold), Some(b"  2\t3".to_vec()));
    assert_eq!(find_header(header, b"D"), None);
    assert_eq!(message_id(b"Message-ID: (x) <a@b> (y)\r\n"), Some(b"<a@b>".as_slice()));
    assert_eq!(message_id(b"Message-ID: a@b \r\n"), Some(b"a@b".as_slice()));
    assert_eq!(message_id(b"Message-ID: \r\n"), None);
}
