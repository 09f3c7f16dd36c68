//! Mails of the kinds that come: plain text, text with HTML, an attachment, a mail within a mail. The same in every run.
use posthouse_engine::disk::sim::Random;

const WORDS: [&str; 24] = [
    "the",
    "meeting",
    "moved",
    "to",
    "Thursday",
    "please",
    "find",
    "attached",
    "invoice",
    "for",
    "November",
    "regards",
    "server",
    "queue",
    "mail",
    "was",
    "delivered",
    "late",
    "because",
    "of",
    "a",
    "full",
    "disk",
    "yesterday",
];

/// Mail `number`, with CRLF line ends.
pub fn mail(number: usize) -> Vec<u8> {
    let mut random = Random::new(number as u64 + 1);
    let mut out = format!(
        "Received: from mx{n}.example.net (mx{n}.example.net [192.0.2.{n}])\r\n\tby mail.example.org with ESMTP id {number:08x}\r\n\t\
         for <ann@example.org>; Thu, 26 Nov 2026 07:{m:02}:{n:02} +0000\r\nFrom: \"Sender {n}, Sales\" <sender{n}@example.net>\r\n\
         To: Ann <ann@example.org>, bob@example.org\r\nCc: list-{n}@lists.example.com\r\nSubject: {subject}\r\n\
         Date: Thu, 26 Nov 2026 07:{m:02}:{n:02} +0000\r\nMessage-ID: <{number:x}.{m}@example.net>\r\n\
         In-Reply-To: <{m:x}.{n}@example.org>\r\nMIME-Version: 1.0\r\n",
        n = number % 60,
        m = number / 60 % 60,
        subject = words(&mut random, 6).trim_end(),
    );
    match number % 4 {
        0 | 1 => out += &format!("Content-Type: text/plain; charset=utf-8\r\n\r\n{}", words(&mut random, 500)),
        2 => out += &alternative(&mut random, number),
        _ => out += &attached(&mut random, number),
    }
    out.into_bytes()
}

fn words(random: &mut Random, count: usize) -> String {
    let mut out = String::new();
    for at in 1..=count {
        out += WORDS[random.below(WORDS.len() as u64) as usize];
        out += if at % 12 == 0 { "\r\n" } else { " " };
    }
    out
}

fn alternative(random: &mut Random, number: usize) -> String {
    let text = words(random, 200);
    format!(
        "Content-Type: multipart/alternative; boundary=\"=_{number:x}\"\r\n\r\n--=_{number:x}\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\
         Content-Transfer-Encoding: quoted-printable\r\n\r\n{text}\r\n--=_{number:x}\r\nContent-Type: text/html; charset=iso-8859-1\r\n\r\n\
         <html><body><p>{text}</p></body></html>\r\n--=_{number:x}--\r\n"
    )
}

fn attached(random: &mut Random, number: usize) -> String {
    let line: String = (0..76).map(|_| char::from(b'A' + random.below(26) as u8)).collect();
    let file = format!("{line}\r\n").repeat(40);
    format!(
        "Content-Type: multipart/mixed; boundary=\"=_{number:x}\"\r\n\r\n--=_{number:x}\r\nContent-Type: text/plain\r\n\r\n{}\r\n\
         --=_{number:x}\r\nContent-Type: application/pdf; name=\"invoice {number}.pdf\"\r\nContent-Transfer-Encoding: base64\r\n\
         Content-Disposition: attachment; filename=\"invoice {number}.pdf\"\r\n\r\n{file}--=_{number:x}\r\n\
         Content-Type: message/rfc822\r\n\r\nFrom: old@example.org\r\nSubject: before\r\nDate: Wed, 25 Nov 2026 07:00:00 +0000\r\n\r\n{}\r\n\
         --=_{number:x}--\r\n",
        words(random, 100),
        words(random, 50)
    )
}
