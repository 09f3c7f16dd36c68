//! Sample messages, and everything that can be asked of a summary.
use posthouse_engine::index::mime::{Section, SummaryRef};

/// Asks everything; panics when an answer lies outside the message.
pub fn ask_all(summary: &SummaryRef<'_>) {
    for part in summary.parts() {
        assert!(part.header.start <= part.header.end && part.header.end <= part.body.start);
        assert!(part.body.start <= part.body.end && part.body.end <= summary.message_len());
        let _ = (part.media_type(), part.media_subtype(), part.encoding(), part.disposition());
        let _ = (part.param(b"charset"), part.disposition_param(b"filename"));
    }
    for path in [&[][..], &[1], &[2], &[1, 1], &[1, 2], &[2, 1], &[1, 1, 1], &[u32::MAX]] {
        for section in [Section::Whole, Section::Mime, Section::Header, Section::Text] {
            let range = summary.section(path, section);
            assert!(range.is_none_or(|range| range.start <= range.end && range.end <= summary.message_len()));
        }
    }
}

/// Mails that reach most of what a parser knows.
pub fn samples() -> Vec<Vec<u8>> {
    let plain = "From: \"A \\\"B\\\" C\" <a@b.example> (x)\r\nTo: G: d@e.example, <@r,@s:f@g>;, h@i\r\nSubject: =?utf-8?q?hello_=C3=A9?=\r\n\
        Date: Tue, 1 Jul 2025 08:00:00 +0800 (CST)\r\nMessage-ID: <1@b.example>\r\nReferences: <0@b>\r\n <00@b>\r\n\r\nhello\r\n.world\r\n";
    let mixed = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"b b\"\r\n\r\npre\r\n--b b\r\n\
        Content-Type: text/html; charset=gb18030\r\nContent-Transfer-Encoding: base64\r\nContent-ID: <c>\r\nContent-Language: en, de\r\n\r\naGVsbG8=\r\n\
        --b b\r\nContent-Type: message/rfc822\r\nContent-Disposition: attachment; filename*0*=utf-8''a%20; filename*1=b\r\n\r\nSubject: in\r\n\r\nhello\r\n\
        --b b\r\nContent-Type: multipart/digest; boundary=c\r\n\r\n--c\r\n\r\nSubject: deep\r\n\r\nhello\r\n--c--\r\n--b b--\r\nepilogue\r\n";
    let quoted = "Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nhel=\r\nlo =e9=E9 =3D=\r\n\r\n";
    [plain, mixed, quoted, "", "\r\n", "no header"].map(|text| text.as_bytes().to_vec()).to_vec()
}
