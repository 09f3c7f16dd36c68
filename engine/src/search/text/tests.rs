//! Tests of the scan on mails in the charsets that matter here.
use super::*;

fn message(headers: &str, body: &[u8]) -> Vec<u8> {
    let mut out = format!("MIME-Version: 1.0\r\n{headers}\r\n\r\n").into_bytes();
    out.extend_from_slice(body);
    out
}

#[test]
fn encoded_words_are_read() {
    assert_eq!(decoded_header(b"=?UTF-8?B?5L2g5aW9?= =?UTF-8?Q?=E4=B8=96=E7=95=8C?= x"), "你好世界 x");
    assert_eq!(decoded_header(b"=?gb2312?B?xOO6ww==?="), "你好");
    assert_eq!(decoded_header(b"=?GBK?Q?=C4=E3?=\r\n =?GBK?Q?=BA=C3?="), "你好");
    assert_eq!(decoded_header(b"=?big5?B?p0E=?==?big5?B?pm4=?="), "你好");
    // A character split between two words.
    assert_eq!(decoded_header(b"=?gb18030?Q?=C4?= =?gb18030?Q?=E3?="), "你");
    assert_eq!(
        decoded_header(b"a =?bad b =?utf-8?x?y?= =?iso-8859-1*en?q?caf=E9_au?= lait"),
        "a =?bad b =?utf-8?x?y?= café au lait"
    );
    assert_eq!(decoded_header(b"\xc4\xe3\xba\xc3"), "你好");
    assert_eq!(decoded_header(b"caf\xe9 x"), "café x");
    assert_eq!(decoded_header("你\r\n 好".as_bytes()), "你 好");
}

#[test]
fn folding_unites_cases() {
    assert_eq!(fold("ÄÖÜ Straße ΣΊΣΥΦΟΣ"), fold("äöü STRASSE σίσυφος"));
    assert_eq!(fold("Hello"), "hello");
    assert_eq!(fold("Ａbc你好ÉX한"), "abc你好e\u{301}x한");
    assert_eq!(fold("e\u{301}が①ﬁ"), fold("Éか\u{3099}1FI"));
}

#[test]
fn bodies_are_found_in_every_charset() {
    let cases: [(&str, &[u8]); 6] = [
        ("Content-Type: text/plain; charset=gb18030\r\nContent-Transfer-Encoding: base64", b"xOO6\r\nwyBIZWxsbw=="),
        (
            "Content-Type: text/plain; charset=GBK\r\nContent-Transfer-Encoding: quoted-printable",
            b"=C4=E3=\r\n=BA=C3 Hello",
        ),
        ("Content-Type: text/plain; charset=big5", b"\xa7A\xa6n Hello"),
        ("Content-Type: text/html; charset=\"utf-8\"", "<p>你好 Hello</p>".as_bytes()),
        ("Content-Type: text/plain", b"\xc4\xe3\xba\xc3 Hello"),
        (
            "Content-Type: multipart/mixed; boundary=b",
            "--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n你好 Hello\r\n--b--".as_bytes(),
        ),
    ];
    for (headers, body) in cases {
        let message = message(headers, body);
        assert!(contains_text(&message, &fold("你好 HELLO"), true), "{headers}");
        assert!(!contains_text(&message, &fold("再见"), false), "{headers}");
    }
}

#[test]
fn the_message_header_is_text_but_not_body() {
    let mail = message("Subject: =?utf-8?B?5L2g5aW9?=", b"--b\r\nbody\r\n");
    assert!(contains_text(&mail, "你好", false));
    assert!(contains_text(&mail, "subject: 你", false));
    assert!(!contains_text(&mail, "你好", true));
    let outer = message("Content-Type: message/rfc822", &mail);
    assert!(contains_text(&outer, "你好", true));
}

#[test]
fn lines_of_unknown_charsets_are_guessed_one_by_one() {
    let mail = message("Content-Type: text/plain", b"caf\xc3\xa9\r\n\xc4\xe3\xba\xc3\r\ncaf\xe9s\r\n");
    for word in ["CAFÉ", "你好", "cafés"] {
        assert!(contains_text(&mail, &fold(word), true), "{word}");
    }
}

#[test]
fn headers_of_parts_are_text_but_not_body() {
    let mail = message(
        "Content-Type: multipart/mixed; boundary=b",
        b"--b\r\nContent-Disposition: x; filename=report\r\n\r\nhi\r\n--b--",
    );
    assert!(contains_text(&mail, "report", false));
    assert!(!contains_text(&mail, "report", true));
}

#[test]
fn attachments_are_not_searched() {
    let mail = message("Content-Type: application/octet-stream", b"secret");
    assert!(!contains_text(&mail, "secret", false));
}
