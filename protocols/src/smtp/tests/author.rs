//! Whom a message names as its author: nobody shall write under another's name, however the header is written. What is refused here has got
//! past other servers because two readers of one header saw different fields.
use super::{PLAIN, answers, inbox, shared};
use crate::session::Shared;
use crate::smtp::SmtpService;
use crate::testing::dns;
use crate::verify::{Settings, Verifier};
use std::sync::Arc;
use std::time::Duration;

/// What a member hears at the end of a message of those bytes.
fn submitted(shared: &Arc<Shared>, message: &[u8]) -> String {
    let begin = format!(
        "EHLO c.test\r\nAUTH PLAIN {PLAIN}\r\nMAIL FROM:<ann@example.org>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n"
    );
    last_reply(&answers(
        SmtpService::submission(shared.clone()),
        [begin.as_bytes(), message, b".\r\nQUIT\r\n"].concat(),
    ))
}

/// What a host hears whose SPF record says that it is no host of evil.test; bank.test and evil.test are known.
fn sent(shared: &Arc<Shared>, message: &[u8]) -> String {
    let begin = "EHLO c.test\r\nMAIL FROM:<x@evil.test>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n";
    last_reply(&answers(SmtpService::mx(shared.clone()), [begin.as_bytes(), message, b".\r\nQUIT\r\n"].concat()))
}

fn last_reply(heard: &str) -> String {
    heard.lines().rev().nth(1).unwrap_or_default().to_owned()
}

/// bank.test wants what is forged to be refused, evil.test sends from the host of the tests, fails.test from another.
pub(super) fn verifier() -> Arc<Verifier> {
    let records = [
        ("_dmarc.bank.test", "v=DMARC1; p=reject"),
        ("bank.test", "v=spf1 -all"),
        ("_dmarc.evil.test", "v=DMARC1; p=reject"),
        ("evil.test", "v=spf1 ip4:192.0.2.1 -all"),
        ("fails.test", "v=spf1 -all"),
    ];
    verifier_of(&records)
}

/// Senders are checked, by these records.
pub(super) fn verifier_of(records: &[(&str, &str)]) -> Arc<Verifier> {
    let records: Vec<_> = records.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let settings = Settings {
        servers: vec![dns::serve(&records)],
        hostname: "mail.example.org".into(),
        checks: true,
        checks_loopback: false,
        keeps_dmarc: false,
        obeys_dmarc: true,
        timeout: Duration::from_secs(20),
        threads: 1,
    };
    Arc::new(Verifier::start(settings).expect("it starts"))
}

/// Senders are checked.
pub(super) fn with_dmarc() -> Arc<Shared> {
    with(verifier())
}

pub(super) fn with(verifier: Arc<Verifier>) -> Arc<Shared> {
    let mut shared = Arc::into_inner(shared()).expect("nobody else has it");
    shared.verifier = Some(verifier);
    Arc::new(shared)
}

/// Lines before a From that end the header for some readers and not for others.
const ENDS: [&[u8]; 12] = [
    b" \r\n",
    b"\t\r\n",
    b" x: y\r\n",
    b"garbage\r\n",
    b"garbage\r\n \r\n",
    b"X: y\r\ngarbage\r\n",
    b"X: y\r\ngarbage\r\n z\r\n",
    b": y\r\n",
    b"Fr\xf6m: y\r\n",
    b"X: y\r\nX\0: y\r\n",
    b"X y: z\r\n",
    b"\x0c\r\n",
];

#[test]
fn no_line_hides_what_stands_below_it_from_those_who_judge() {
    let (own, dmarc) = (shared(), with_dmarc());
    for end in ENDS {
        let shown = String::from_utf8_lossy(end).escape_debug().to_string();
        let message = [end, b"From: CEO <ceo@bank.test>\r\nSubject: pay\r\n\r\nx\r\n"].concat();
        let said = submitted(&own, &message);
        assert!(said.starts_with("550 5.6.0 Line "), "{shown}: {said}");
        let said = sent(&dmarc, &message);
        assert!(said.starts_with("550 5.6.0 From of the message"), "{shown}: {said}");
        // Whoever names itself above the line has that name alone: the rest is text.
        let honest = [b"From: x@evil.test\r\n", end, b"From: CEO <ceo@bank.test>\r\n\r\nx\r\n"].concat();
        if end.starts_with(b" ") || end.starts_with(b"\t") {
            continue;
        }
        let said = sent(&dmarc, &honest);
        assert!(said.starts_with("250"), "{shown}: {said}");
    }
    for mail in inbox(&dmarc, "bob@example.org") {
        let (header, body) = mail.split_once("\r\n\r\n").expect("an empty line");
        assert!(header.contains("\r\nFrom: x@evil.test") && !header.contains("bank.test>"), "{mail}");
        assert!(body.contains("From: CEO <ceo@bank.test>\r\n"), "{mail}");
    }
    assert!(inbox(&own, "bob@example.org").is_empty());
}

#[test]
fn a_member_owns_every_address_that_a_reader_can_find_in_from() {
    let shared = shared();
    for (from, code) in [
        ("From: Ann <ann@example.org>", "250"),
        ("From : ann@example.org", "250"),
        ("From: a.n.n@example.org <ann@example.org>", "250"),
        ("From: \"ceo@bank.test\" <ann@example.org>", "250"),
        ("From: ceo@bank.test <ann@example.org>", "550 5.7.1"),
        ("From: <ann@example.org> <ceo@bank.test>", "550 5.7.1"),
        ("From: ceo(x)@bank.test, ann@example.org", "550 5.7.1"),
        ("From: ceo@bank.test: ann@example.org;", "550 5.7.1"),
        ("From: undisclosed:;", "550 5.7.1"),
        ("From: <=?utf-8?q?ceo=40bank.test?=>", "550 5.7.1"),
        ("From: ann@example.org\r\nfrom: ann@example.org", "550 5.6.0"),
        ("From: ann@example.org\r\nFROM\t: ceo@bank.test", "550 5.6.0"),
        // An encoded word that does not end on its line does not take the next one with it.
        ("Subject: =?utf-8?q?x\r\nFrom: ceo@bank.test?=", "550 5.7.1"),
        ("From: =?utf-8?q?x\r\nFrom: ceo@bank.test?=", "550 5.6.0"),
        ("To: \"x\r\nFrom: ceo@bank.test", "550 5.7.1"),
    ] {
        let said = submitted(&shared, format!("{from}\r\nX: y\r\n\r\nx\r\n").as_bytes());
        assert!(said.starts_with(code), "{from:?}: {said}");
    }
    assert_eq!(inbox(&shared, "bob@example.org").len(), 4);
}

#[test]
fn who_does_not_say_who_writes_is_named_and_a_forged_sender_is_no_way_round() {
    let shared = shared();
    let from = "From: ann@example.org\r\n";
    for (header, code) in [
        (String::from("Subject: x"), "250"),
        (format!("{from}Sender: Ann <a.n.n@example.org>"), "250"),
        (format!("{from}Resent-From: ann@example.org\r\nResent-Sender: ann@example.org"), "250"),
        ("Sender: CEO <ceo@example.org>".into(), "550 5.7.1"),
        (format!("{from}Sender: ceo@example.org"), "550 5.7.1"),
        (format!("{from}sender : ann@example.org\r\nSENDER: ceo@example.org"), "550 5.7.1"),
        (format!("{from}Resent-From: ceo@example.org"), "550 5.7.1"),
        (format!("{from}Resent-Sender: ceo@example.org"), "550 5.7.1"),
        (format!("{from}Sender: the boss"), "550 5.7.1"),
    ] {
        let said = submitted(&shared, format!("{header}\r\n\r\nx\r\n").as_bytes());
        assert!(said.starts_with(code), "{header:?}: {said}");
    }
    let mails = inbox(&shared, "bob@example.org");
    assert_eq!(mails.len(), 3);
    assert!(mails.iter().all(|mail| mail.matches("\r\nFrom: ann@example.org\r\n").count() == 1), "{mails:?}");
}

#[test]
fn dmarc_is_asked_about_what_readers_see_or_the_message_is_refused() {
    let shared = with_dmarc();
    for (from, code) in [
        ("From: x@evil.test", "250"),
        ("From: X <x@EVIL.test> (x)", "250"),
        ("From: x@evil.test <x@evil.test>", "250"),
        ("From: Evil, Inc. <x@evil.test>", "250"),
        ("From: a@evil.test, b@evil.test", "250"),
        ("From: ceo@bank.test", "550 5.7."),
        ("From: ceo@BANK.test", "550 5.7."),
        ("From: ceo@bank.test, x@evil.test", "550 5.6.0"),
        ("From: ceo@bank.test <x@evil.test>", "550 5.6.0"),
        ("From: <ceo@bank.test> <x@evil.test>", "550 5.6.0"),
        ("From: ceo@bank.test.", "550 5.6.0"),
        ("From: ceo@bank.test\r\nFrom: x@evil.test", "550 5.6.0"),
        ("From: nobody:;", "550 5.6.0"),
        ("Subject: no From", "550 5.6.0"),
    ] {
        let said = sent(&shared, format!("{from}\r\nX: y\r\n\r\nx\r\n").as_bytes());
        assert!(said.starts_with(code), "{from:?}: {said}");
    }
    assert_eq!(inbox(&shared, "bob@example.org").len(), 5);
}

#[test]
fn a_header_in_chunks_is_ended() {
    let shared = shared();
    let message = "From: ann@example.org\r\nSubject: x";
    let session = format!(
        "EHLO c.test\r\nAUTH PLAIN {PLAIN}\r\nMAIL FROM:<ann@example.org>\r\nRCPT TO:<bob@example.org>\r\nBDAT {} LAST\r\n{message}QUIT\r\n",
        message.len()
    );
    let said = last_reply(&answers(SmtpService::submission(shared.clone()), session.into_bytes()));
    assert!(said.starts_with("250"), "{said}");
    assert!(inbox(&shared, "bob@example.org")[0].ends_with("\r\nFrom: ann@example.org\r\nSubject: x\r\n"));
}
