//! What BODYSTRUCTURE and part numbers say of good and bad MIME. Expected texts were compared with Dovecot 2.3.
use super::*;

const NESTED: &str = "From: Joe <joe@example.com>\r\nMIME-Version: 1.0\r\nSubject: outer\r\n\
Content-Type: multipart/mixed; boundary=a\r\n\r\npreamble\r\n--a\r\n\r\nfirst\r\n--a\r\n\
Content-Type: message/rfc822\r\n\r\nSubject: inner\r\nContent-Type: multipart/alternative; boundary=\"ab\"\r\n\r\n\
--ab\r\nContent-Type: text/plain\r\n\r\nplain\r\n--ab\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\n\
PGI+\r\n--ab--\r\n\r\n--a--\r\nepilogue\r\n";

#[test]
fn sections_of_a_nested_message_are_found() {
    assert_eq!(section(NESTED, &[], Section::Whole), Some(NESTED));
    assert_eq!(section(NESTED, &[1], Section::Whole), Some("first"));
    assert_eq!(section(NESTED, &[1], Section::Mime), Some("\r\n"));
    assert_eq!(section(NESTED, &[1], Section::Header), None);
    assert_eq!(section(NESTED, &[2], Section::Mime), Some("Content-Type: message/rfc822\r\n\r\n"));
    let inner_header = "Subject: inner\r\nContent-Type: multipart/alternative; boundary=\"ab\"\r\n\r\n";
    assert_eq!(section(NESTED, &[2], Section::Header), Some(inner_header));
    assert!(section(NESTED, &[2], Section::Text).unwrap().starts_with("--ab\r\n"));
    assert_eq!(section(NESTED, &[2, 1], Section::Whole), Some("plain"));
    assert_eq!(section(NESTED, &[2, 2], Section::Whole), Some("PGI+"));
    for absent in [&[2, 3][..], &[0], &[3], &[1, 1], &[2, 1, 1], &[2, 0], &[u32::MAX]] {
        assert_eq!(section(NESTED, absent, Section::Whole), None, "{absent:?}");
    }
    assert!(section(NESTED, &[], Section::Text).unwrap().starts_with("preamble"));
    assert!(section(NESTED, &[], Section::Header).unwrap().ends_with("boundary=a\r\n\r\n"));
    assert_eq!(section(NESTED, &[], Section::Mime), None);
}

#[test]
fn parts_tell_their_type() {
    let bytes = encoded(NESTED.as_bytes());
    let summary = SummaryRef::decode(&bytes).unwrap();
    let html = summary.part(&[2, 2]).unwrap();
    assert_eq!(
        (html.media_type(), html.media_subtype(), html.encoding()),
        (&b"text"[..], &b"html"[..], TransferEncoding::Base64)
    );
    assert_eq!(summary.part(&[]).unwrap().param(b"BOUNDARY"), Some(&b"a"[..]));
    let kinds: Vec<_> = summary.parts().map(|part| part.kind).collect();
    use PartKind::{Leaf, Message, Multipart};
    assert_eq!(kinds, [Multipart, Leaf, Message, Multipart, Leaf, Leaf]);
    assert_eq!(summary.message_len() as usize, NESTED.len());
    assert_eq!(summary.header_len() as usize, NESTED.find("preamble").unwrap());
    assert_eq!(summary.header_len(), summarize(NESTED.as_bytes()).header_len());
}

#[test]
fn body_of_a_nested_message() {
    assert_eq!(
        body(NESTED.as_bytes()),
        "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 5 0)\
         (\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 193 (NIL \"inner\" NIL NIL NIL NIL NIL NIL NIL NIL) \
         ((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 5 0)\
         (\"text\" \"html\" (\"charset\" \"us-ascii\") NIL NIL \"base64\" 4 0) \"alternative\") 13) \"mixed\")"
    );
}

#[test]
fn part_one_of_a_plain_message_is_its_body() {
    let message = "Subject: x\r\n\r\nhello\r\n";
    assert_eq!(section(message, &[1], Section::Whole), Some("hello\r\n"));
    assert_eq!(section(message, &[1], Section::Mime), Some("Subject: x\r\n\r\n"));
    assert_eq!(section(message, &[2], Section::Whole), None);
    assert_eq!(
        structure(message.as_bytes()),
        "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 7 1 NIL NIL NIL NIL)"
    );
}

#[test]
fn a_message_inside_a_message_has_part_one() {
    let message = "Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nhello\r\n";
    assert_eq!(section(message, &[1], Section::Header), Some("Subject: in\r\n\r\n"));
    assert_eq!(section(message, &[1], Section::Text), Some("hello\r\n"));
    assert_eq!(section(message, &[1, 1], Section::Whole), Some("hello\r\n"));
    assert_eq!(section(message, &[1, 1], Section::Mime), Some("Subject: in\r\n\r\n"));
    assert_eq!(section(message, &[1, 1, 1], Section::Whole), None);
}

#[test]
fn extension_data_is_shown() {
    assert_eq!(
        structure(
            b"Content-Type: image/gif; name*0*=utf-8''a%20; name*1=\"b%\"\r\nContent-Disposition: attachment; filename=\"a \\\"b\"\r\n\
              Content-ID: <1@x>\r\nContent-Description: d\r\n e\r\nContent-MD5: m\r\nContent-Language: en, zh-CN\r\n\
              Content-Location: l\r\nContent-Transfer-Encoding: BASE64 (c)\r\n\r\nxx"
        ),
        "(\"image\" \"gif\" (\"name*\" \"utf-8''a%20b%25\") \"<1@x>\" \"d e\" \"BASE64\" 2 \"m\" \
         (\"attachment\" (\"filename\" \"a \\\"b\")) (\"en\" \"zh-CN\") \"l\")"
    );
}

#[test]
fn without_mime_fields_content_fields_mean_nothing() {
    let plain = "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0 NIL NIL NIL NIL)";
    assert_eq!(structure(b"Content-Transfer-Encoding: base64\r\n\r\n"), plain);
    assert_eq!(structure(b"Content-Type: /x\r\n\r\n"), plain);
    assert_eq!(structure(b"Content-Type: text\r\n\r\n"), plain);
    assert_eq!(structure(b""), plain);
}

#[test]
fn a_missing_semicolon_loses_no_parts() {
    let message = "Content-Type: multipart/mixed boundary=b\r\n\r\n--b\r\nContent-Type: TEXT/PLAIN charset=x\r\n\r\none\r\n--b--\r\n";
    assert_eq!(section(message, &[1], Section::Whole), Some("one"));
    assert!(structure(message.as_bytes()).starts_with("((\"TEXT\" \"PLAIN\" (\"charset\" \"x\") NIL"));
}

#[test]
fn boundaries_that_begin_alike_are_told_apart() {
    let message = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: multipart/mixed; boundary=bb\r\n\r\n\
--bb\r\n\r\none\r\n--bb--\r\n--b\r\n\r\ntwo\r\n--b--\r\n";
    assert_eq!(section(message, &[1, 1], Section::Whole), Some("one"));
    assert_eq!(section(message, &[2], Section::Whole), Some("two"));
}

#[test]
fn an_outer_boundary_closes_what_is_open_inside() {
    let message = "Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\nContent-Type: multipart/mixed; boundary=i\r\n\r\n\
--i\r\n\r\none\r\n--o\r\n\r\ntwo";
    assert_eq!(section(message, &[1, 1], Section::Whole), Some("one"));
    assert_eq!(section(message, &[2], Section::Whole), Some("two"));
}

#[test]
fn empty_parts_have_empty_bodies() {
    let head = "Content-Type: multipart/mixed; boundary=b\r\n\r\n";
    for (body, count) in [
        ("--b--\r\n", 0),
        ("--b\r\n--b--", 1),
        ("--b\r\nX: y\r\n--b\r\n\r\n--b--", 2),
        ("--b\r\n\r\n\r\n--b", 1),
        ("--b\r\n", 1),
    ] {
        let message = format!("{head}{body}");
        let bytes = encoded(message.as_bytes());
        let summary = SummaryRef::decode(&bytes).unwrap();
        assert_eq!(summary.parts().count(), count + 1, "{body:?}");
        for part in summary.parts().skip(1) {
            assert_eq!(part.body.len(), 0, "{body:?}");
        }
        assert!(count > 0 || structure(message.as_bytes()).contains("\"7bit\" 0 0 NIL NIL NIL NIL) \"mixed\""));
    }
}

#[test]
fn the_line_end_before_a_boundary_belongs_to_it() {
    let head = "Content-Type: multipart/mixed; boundary=b\r\n\r\n";
    for (body, header) in
        [("--b\r\n\r\n--b--", ""), ("--b\r\nX: y\r\n--b--", "X: y"), ("--b\r\nX: y\r\n\r\n--b--", "X: y\r\n")]
    {
        let message = format!("{head}{body}");
        assert_eq!(section(&message, &[1], Section::Mime), Some(header), "{body:?}");
        assert_eq!(section(&message, &[1], Section::Whole), Some(""), "{body:?}");
    }
}

#[test]
fn a_digest_holds_messages() {
    let message = "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: in\r\n\r\nx\r\n--b--\r\n";
    assert_eq!(section(message, &[1], Section::Header), Some("Subject: in\r\n\r\n"));
    assert!(body(message.as_bytes()).starts_with("((\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 16 (NIL \"in\""));
}

#[test]
fn headers_may_end_anywhere() {
    for (message, header_len) in [
        ("A: b", 4),
        ("A: b\r\n", 6),
        ("A: b\r\n\r\n", 8),
        ("A: b\n\nx", 6),
        ("\r\nx", 2),
        ("x", 1),
        ("A: b\rB: c\r\rx", 12),
    ] {
        let bytes = encoded(message.as_bytes());
        assert_eq!(SummaryRef::decode(&bytes).unwrap().header_len(), header_len, "{message:?}");
    }
}
