//! Reports as they come, and what a stranger would like us to unpack.
use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use miniz_oxide::deflate::compress_to_vec;
use proptest::prelude::*;

const DMARC: &str = include_str!("../dmarc_reports/golden/report.xml");
const TLS: &str = r#"{"organization-name":"Sender Ltd","date-range":{"start-datetime":"2026-11-24T00:00:00Z","end-datetime":"2026-11-24T23:59:59Z"},
"contact-info":"p@s.test","report-id":"77@s.test","policies":[{"policy":{"policy-type":"sts","policy-string":["version: STSv1"],"policy-domain":"a.test"},
"summary":{"total-successful-session-count":5,"total-failure-session-count":4},"failure-details":[{"result-type":"certificate-expired","sending-mta-ip":"192.0.2.9",
"receiving-mx-hostname":"mx.a.test","failed-session-count":3}]}]}"#;

fn gzip(text: &[u8]) -> Vec<u8> {
    // With a name, as gzip writes it.
    [b"\x1f\x8b\x08\x08\0\0\0\0\x02\x03r.xml\0", &*compress_to_vec(text, 6), &[0; 8]].concat()
}

fn zip(text: &[u8], method: u16, flags: u16) -> Vec<u8> {
    let body = if method == 8 { compress_to_vec(text, 6) } else { text.to_vec() };
    let size = if flags & 8 == 0 { body.len() as u32 } else { 0 };
    let mut out = b"PK\x03\x04\x14\0".to_vec();
    [flags, method, 0, 0].iter().for_each(|number| out.extend(number.to_le_bytes()));
    [0, size, text.len() as u32].iter().for_each(|number| out.extend(number.to_le_bytes()));
    [5u16, 2].iter().for_each(|number| out.extend(number.to_le_bytes()));
    [&*out, b"r.xmlEX", &body, b"PK\x01\x02 and so on"].concat()
}

fn mail(kind: &str, name: &str, body: &[u8]) -> Vec<u8> {
    format!(
        "From: r@s.test\r\nSubject: Report Domain: a.test\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\
         Content-Type: text/plain\r\n\r\nA report.\r\n--b\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: base64\r\n\
         Content-Disposition: attachment; filename=\"{name}\"\r\n\r\n{}\r\n--b--\r\n",
        STANDARD.encode(body)
    )
    .into_bytes()
}

#[test]
fn dmarc_reports_are_read_however_they_are_packed() {
    let xml = DMARC.as_bytes();
    let bom = [b"\xef\xbb\xbf".as_slice(), xml].concat();
    for (kind, name, body) in [
        ("application/gzip", "a.xml.gz", gzip(xml)),
        ("application/octet-stream", "a.xml.gz", gzip(xml)),
        ("application/zip", "a.zip", zip(xml, 8, 0)),
        ("application/x-zip-compressed", "", zip(xml, 8, 8)),
        ("application/zip", "a.zip", zip(xml, 0, 0)),
        ("text/xml", "", bom),
    ] {
        let Brought { reports: found, unreadable } = read(&mail(kind, name, &body));
        assert_eq!(unreadable, [""; 0], "{kind} {name}");
        let [report] = found.as_slice() else { panic!("{kind} {name}: {found:?}") };
        assert_eq!((report.kind, report.reporter.as_str()), (Kind::Dmarc, "Sons&Co Ltd"));
        assert_eq!((report.begin, report.end), (1_795_478_400, 1_795_564_799));
        let rows: Vec<_> =
            report.rows.iter().map(|row| (row.domain.as_str(), row.source.as_str(), row.count, row.passed)).collect();
        assert_eq!(rows, [("news.a.test", "192.0.2.1", 41, 41), ("a.test", "2001:db8::1", 1, 0)]);
        assert_eq!((report.rows[0].dkim, report.rows[0].spf, report.rows[0].rejected), (41, 0, 0));
    }
}

#[test]
fn tls_reports_tell_what_failed_and_what_is_not_told() {
    for (kind, body) in [("application/tlsrpt+gzip", gzip(TLS.as_bytes())), ("application/tlsrpt+json", TLS.into())] {
        let found = read(&mail(kind, "", &body)).reports;
        assert_eq!(
            (found[0].kind, found[0].reporter.as_str(), found[0].begin),
            (Kind::Tls, "Sender Ltd", 1_795_478_400)
        );
        let rows: Vec<_> = found[0]
            .rows
            .iter()
            .map(|row| (row.domain.as_str(), row.source.as_str(), row.count, row.passed, row.why.as_str()))
            .collect();
        let expected = [
            ("a.test", "", 5, 5, ""),
            ("a.test", "mx.a.test", 3, 0, "certificate-expired"),
            ("a.test", "", 1, 0, "not told"),
        ];
        assert_eq!(rows, expected);
    }
}

#[test]
fn what_is_no_report_is_none_and_what_should_be_one_says_why_it_is_not() {
    assert_eq!(read(b"From: a@b\r\n\r\nhello"), Brought::default());
    assert_eq!(read(&mail("image/png", "a.png", b"x")), Brought::default());
    let bomb = gzip(&vec![b' '; limits::REPORT_BYTES_MAX + 1]);
    assert!(bomb.len() < limits::REPORT_BYTES_MAX / 100);
    for (body, told) in [
        (bomb, "unpacked it has more than"),
        (gzip(DMARC.as_bytes())[..90].to_vec(), "cannot be unpacked"),
        (b"\x1f\x8b\x08".to_vec(), "header is not whole"),
        (zip(b"x", 12, 0), "method 12"),
        (zip(b"x", 8, 1), "header is not whole"),
        (gzip(b"hello"), "neither XML nor JSON"),
        (gzip(b"<feedback></feedback>"), "Missing"),
        (gzip(b"{\"policies\":7}"), ""),
    ] {
        let Brought { reports, unreadable } = read(&mail("application/gzip", "a.gz", &body));
        assert!(reports.is_empty() && unreadable.len() == 1 && unreadable[0].contains(told), "{told}: {unreadable:?}");
    }
}

#[test]
fn what_cannot_be_read_takes_nothing_from_what_stands_beside_it() {
    let good = STANDARD.encode(gzip(DMARC.as_bytes()));
    let part = |body: &str| {
        format!("--b\r\nContent-Type: application/gzip\r\nContent-Transfer-Encoding: base64\r\n\r\n{body}\r\n")
    };
    let bad = STANDARD.encode(b"\x1f\x8b\x08");
    for order in [[&bad, &good, &good], [&good, &bad, &good], [&good, &good, &bad]] {
        let parts: String = order.into_iter().map(|body| part(body)).collect();
        let message = format!("From: r@s.test\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n{parts}--b--\r\n");
        let Brought { reports, unreadable } = read(message.as_bytes());
        assert_eq!((reports.len(), unreadable.len()), (2, 1), "{unreadable:?}");
    }
}

#[test]
fn entities_are_not_expanded_and_nothing_moves_the_terminal() {
    let entities = "<!DOCTYPE feedback [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">]>";
    let xml = DMARC.replace(" ?>\n<feedback", &format!(" ?>\n{entities}<feedback"));
    let xml = xml.replace("Sons&amp;Co Ltd", "&b;&#27;[2J");
    for found in read(&mail("text/xml", "", xml.as_bytes())).reports {
        assert!(!found.reporter.contains("aaa") && !found.reporter.contains('\u{1b}'), "{}", found.reporter);
    }
    let xml = DMARC.replace("Sons&amp;Co Ltd", "&#27;[2J");
    let found = read(&mail("text/xml", "", xml.as_bytes())).reports;
    assert_eq!(found[0].reporter, "?[2J");
}

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes: Vec<u8>, at in 0usize..400, with: u8) {
        let _ = read(&bytes);
        let _ = read(&mail("application/gzip", "a.gz", &bytes));
        for mut packed in [gzip(DMARC.as_bytes()), zip(DMARC.as_bytes(), 8, 8), TLS.into()] {
            let len = packed.len();
            packed[at % len] = with;
            let _ = read(&mail("application/zip", "a.zip", &packed));
        }
    }
}
