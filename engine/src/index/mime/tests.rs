//! Tests of the summary through its public interface. Never look inside the encoding.
use super::*;

fn bytes_of(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    summarize(message).encode(&mut out);
    out
}

fn envelope(message: &str) -> String {
    let bytes = bytes_of(message.as_bytes());
    String::from_utf8_lossy(SummaryRef::decode(&bytes).unwrap().envelope()).into_owned()
}

fn structure(message: &str) -> String {
    let bytes = bytes_of(message.as_bytes());
    let mut out = Vec::new();
    SummaryRef::decode(&bytes).unwrap().render_bodystructure(&mut out);
    String::from_utf8_lossy(&out).into_owned()
}

fn body(message: &str) -> String {
    let bytes = bytes_of(message.as_bytes());
    let mut out = Vec::new();
    SummaryRef::decode(&bytes).unwrap().render_body(&mut out);
    String::from_utf8_lossy(&out).into_owned()
}

fn section<'m>(message: &'m str, path: &[u32], section: Section) -> Option<&'m str> {
    let bytes = bytes_of(message.as_bytes());
    let range = SummaryRef::decode(&bytes).unwrap().section(path, section)?;
    message.get(range.start as usize..range.end as usize)
}

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
    assert_eq!(section(NESTED, &[2, 3], Section::Whole), None);
    assert_eq!(section(NESTED, &[0], Section::Whole), None);
    assert_eq!(section(NESTED, &[1, 1], Section::Whole), None);
    assert!(section(NESTED, &[], Section::Text).unwrap().starts_with("preamble"));
    assert!(section(NESTED, &[], Section::Header).unwrap().ends_with("boundary=a\r\n\r\n"));
    assert_eq!(section(NESTED, &[], Section::Mime), None);
}

#[test]
fn bodystructure_of_a_nested_message() {
    assert_eq!(
        body(NESTED),
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
        structure(message),
        "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 7 1 NIL NIL NIL NIL)"
    );
}

#[test]
fn envelope_defaults_sender_and_reply_to() {
    assert_eq!(
        envelope("From: \"Joe Q.\" <joe@example.com>\r\nTo: a@b, G: x@y;\r\nSubject: a\r\n  b\r\n\r\n"),
        "(NIL \"a b\" ((\"Joe Q.\" NIL \"joe\" \"example.com\")) ((\"Joe Q.\" NIL \"joe\" \"example.com\")) \
         ((\"Joe Q.\" NIL \"joe\" \"example.com\")) ((NIL NIL \"a\" \"b\")(NIL NIL \"G\" NIL)(NIL NIL \"x\" \"y\")\
         (NIL NIL NIL NIL)) NIL NIL NIL NIL)"
    );
}
