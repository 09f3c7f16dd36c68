//! Signatures made here and checked here, by way of a name server on loopback; facts and fields together.
mod spf;
mod weak;

use super::desk::Job;
use super::*;
use crate::limits;
use crate::testing::dns;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use posthouse_engine::directory::{Algorithm, KeyState};
use posthouse_engine::mailflow::{Dmarc, Outcome, Policy};
use ring::signature::{Ed25519KeyPair, KeyPair};

const MESSAGE: &[u8] = b"From: Ann <ann@a.test>\r\nTo: bob@b.test\r\nSubject: x\r\nDate: Thu, 26 Nov 2026 10:00:00 +0000\r\n\r\nHello.\r\n";

/// A key of a domain under that selector, with its record.
pub(crate) fn key(domain: &str, selector: &str) -> (SigningKey, (String, String)) {
    let private = Ed25519KeyPair::generate_pkcs8(&ring::rand::SystemRandom::new()).expect("a key");
    let pair = Ed25519KeyPair::from_pkcs8(private.as_ref()).expect("the same");
    let public = pair.public_key().as_ref().to_vec();
    let record = format!("v=DKIM1; k=ed25519; p={}", STANDARD.encode(&public));
    let key = SigningKey {
        domain: domain.into(),
        selector: selector.into(),
        algorithm: Algorithm::Ed25519,
        state: KeyState::Active,
        private: private.as_ref().into(),
        public: public.into(),
        created: 0,
    };
    (key, (format!("{selector}._domainkey.{domain}"), record))
}

/// The time for all questions where some are never answered: what has an answer has it by then on a busy machine too.
const SOON: Duration = Duration::from_millis(2500);

fn verifier(servers: Vec<SocketAddr>, timeout: Duration) -> Verifier {
    let hostname = "mx.our.test".into();
    let settings = Settings {
        servers,
        hostname,
        checks: true,
        checks_loopback: false,
        obeys_dmarc: true,
        keeps_dmarc: false,
        timeout,
        threads: 1,
    };
    Verifier::start(settings).expect("it starts")
}

fn with(records: &[(&str, &str)], more: Vec<(String, String)>) -> Verifier {
    let mut all: Vec<(String, String)> = records.iter().map(|(name, text)| ((*name).into(), (*text).into())).collect();
    all.extend(more);
    verifier(vec![dns::serve(&all)], Duration::from_secs(20))
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

fn check(verifier: &Verifier, sender: &str, message: &[u8]) -> (Facts, String) {
    let envelope = Envelope { ip: [192, 0, 2, 1].into(), helo: "client.test".into(), sender: sender.into() };
    let checked = wait(verifier.check(envelope, message.to_vec(), None)).expect("an answer");
    assert_eq!(checked.message, message);
    (checked.facts, String::from_utf8(checked.fields).expect("text"))
}

/// What is found out about a message.
pub(crate) fn facts(verifier: &Verifier, sender: &str, message: &[u8]) -> Facts {
    check(verifier, sender, message).0
}

fn sign(verifier: &Verifier, keys: Vec<SigningKey>) -> Vec<u8> {
    let signed = wait(verifier.sign(b"Received: x\r\n".to_vec(), MESSAGE.to_vec(), keys)).expect("an answer");
    [signed.fields, signed.top, signed.message].concat()
}

#[test]
fn what_is_signed_here_passes_here_and_a_change_does_not() {
    let ((one, one_record), (two, two_record)) = (key("a.test", "one"), key("a.test", "two"));
    let reject = ("_dmarc.a.test", "v=DMARC1; p=reject");
    let verifier = with(&[reject, ("b.test", "v=spf1 -all")], vec![one_record, two_record]);
    let signed = sign(&verifier, vec![one, two]);
    let (facts, fields) = check(&verifier, "x@b.test", &signed);
    let pass = Facts { spf: Outcome::Fail, dkim: Outcome::Pass, arc: Outcome::None, dmarc: Dmarc::Pass };
    assert_eq!(facts, pass, "{fields}");
    assert!(fields.starts_with("Authentication-Results: mx.our.test;\r\n\tspf=fail "), "{fields}");
    assert!(fields.contains("header.s=one") && fields.contains("header.s=two"), "{fields}");
    assert!(fields.ends_with(" header.from=a.test policy.dmarc=reject\r\n"), "{fields}");
    let text = String::from_utf8(signed).expect("text");
    for changed in [text.replace("Hello", "Hullo"), text.replace("Subject: x", "Subject: y")] {
        let (facts, fields) = check(&verifier, "x@b.test", changed.as_bytes());
        assert_eq!((facts.dkim, facts.dmarc), (Outcome::Fail, Dmarc::Fail(Policy::Reject)), "{fields}");
    }
}

/// RFC 8460 section 5.3.
#[test]
fn of_a_report_about_tls_its_own_fields_are_signed() {
    let (key, record) = key("a.test", "one");
    let verifier = with(&[], vec![record]);
    let report = &b"X: y\r\nTLS-Report-Domain: x.test\r\nTLS-Report-Submitter: a.test\r\n"[..];
    for (top, covered) in [(&b"X: y\r\n"[..], false), (report, true)] {
        let message = [top, MESSAGE].concat();
        let signed = wait(verifier.sign(Vec::new(), message, vec![key.clone()])).expect("an answer");
        let field = String::from_utf8(signed.fields).expect("text").replace(['\r', '\n', '\t', ' '], "");
        for name in [":TLS-Report-Domain:", ":TLS-Report-Submitter:"] {
            assert_eq!(field.contains(name), covered, "{field}");
        }
    }
}

/// RFC 6376 section 8.15: who shows the first of two fields would show what nobody has signed.
#[test]
fn what_is_signed_gets_no_second_field_of_a_kind_that_stands_alone() {
    let (one, record) = key("a.test", "one");
    let verifier = with(&[("_dmarc.a.test", "v=DMARC1; p=reject")], vec![record]);
    let signed = sign(&verifier, vec![one]);
    for field in
        ["From: ceo@a.test", "SUBJECT: y", "to: c@b.test", "Date: x", "Cc: d@b.test", "Content-Type: text/html"]
    {
        for changed in [
            [format!("{field}\r\n").as_bytes(), &signed].concat(),
            String::from_utf8_lossy(&signed).replace("\r\n\r\n", &format!("\r\n{field}\r\n\r\n")).into_bytes(),
        ] {
            let (facts, fields) = check(&verifier, "x@b.test", &changed);
            assert_eq!(facts.dkim, Outcome::Fail, "{field}: {fields}");
        }
    }
    let more = [b"Received: y\r\nX-Spam: no\r\n", &*signed].concat();
    assert_eq!(check(&verifier, "x@b.test", &more).0.dkim, Outcome::Pass, "what each host adds");
}

#[test]
fn spf_alone_proves_an_aligned_sender() {
    let records = [("a.test", "v=spf1 ip4:192.0.2.1 -all"), ("_dmarc.a.test", "v=DMARC1; p=quarantine")];
    let verifier = with(&records, Vec::new());
    let (facts, _) = check(&verifier, "bounce@a.test", MESSAGE);
    assert_eq!((facts.spf, facts.dkim, facts.dmarc), (Outcome::Pass, Outcome::None, Dmarc::Pass));
    let (facts, _) = check(&verifier, "bounce@b.test", MESSAGE);
    assert_eq!((facts.spf, facts.dmarc), (Outcome::None, Dmarc::Fail(Policy::Quarantine)));
}

#[test]
fn a_domain_that_publishes_nothing_has_no_dmarc() {
    let verifier = with(&[("elsewhere.test", "x")], Vec::new());
    let (facts, fields) = check(&verifier, "", MESSAGE);
    assert_eq!((facts.spf, facts.dmarc), (Outcome::None, Dmarc::None));
    assert!(fields.contains("smtp.helo=client.test") && fields.contains("dmarc=none"), "{fields}");
}

#[test]
fn name_servers_that_say_nothing_are_temporary_errors_in_time() {
    // Open, and never answering.
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    let verifier = verifier(vec![silent.local_addr().expect("it has one")], Duration::from_millis(300));
    let begun = std::time::Instant::now();
    let (facts, fields) = check(&verifier, "x@b.test", MESSAGE);
    assert_eq!((facts.spf, facts.dmarc), (Outcome::TempError, Dmarc::TempError), "{fields}");
    // The resolver by itself gives up after ten.
    assert!(begun.elapsed() < Duration::from_secs(8));
}

/// Whoever forges a sender may name hosts that never answer: in the envelope, and in signatures.
fn stalled(policy: &str) -> (Verifier, [SigningKey; 2]) {
    let ((own, own_record), (far, far_record)) = (key("a.test", "one"), key("slow.test", "far"));
    let silent = |name: &str| (name.to_owned(), dns::SILENT.to_owned());
    let records = vec![
        ("_dmarc.a.test".to_owned(), format!("v=DMARC1; p={policy}")),
        own_record,
        silent(&far_record.0),
        silent("slow.test"),
        silent("late._domainkey.a.test"),
    ];
    (verifier(vec![dns::serve(&records)], SOON), [own, far])
}

#[test]
fn names_that_never_answer_keep_no_policy_from_being_read() {
    let (verifier, [own, far]) = stalled("reject");
    let (facts, fields) = check(&verifier, "x@slow.test", MESSAGE);
    assert_eq!((facts.spf, facts.dmarc), (Outcome::TempError, Dmarc::Fail(Policy::Reject)), "{fields}");
    let forged = sign(&verifier, vec![far.clone(); 3]);
    let (facts, fields) = check(&verifier, "x@slow.test", &forged);
    assert_eq!((facts.dkim, facts.dmarc), (Outcome::TempError, Dmarc::Fail(Policy::Reject)), "{fields}");
    // Nor do they keep the author's own signature from being found, however many stand before it.
    let proven = sign(&verifier, [vec![far; limits::VERIFY_SIGNATURES_MAX], vec![own]].concat());
    let (facts, fields) = check(&verifier, "x@slow.test", &proven);
    assert_eq!((facts.dkim, facts.dmarc), (Outcome::Pass, Dmarc::Pass), "{fields}");
    assert_eq!(fields.matches("dkim=").count(), limits::VERIFY_SIGNATURES_MAX, "{fields}");
}

/// `None`: it is put off.
fn ask(verifier: &Verifier, sender: &str, message: &[u8]) -> Option<Dmarc> {
    let envelope = Envelope { ip: [192, 0, 2, 1].into(), helo: "c.test".into(), sender: sender.into() };
    wait(verifier.check(envelope, message.to_vec(), None)).map(|checked| checked.facts.dmarc)
}

/// A name that never answers would keep it out for good.
#[test]
fn what_is_proven_is_not_put_off_though_its_policy_cannot_be_read() {
    let (own, record) = key("a.test", "one");
    let records = [("_dmarc.a.test", dns::SILENT), ("_dmarc.test", "v=DMARC1; p=reject")];
    let records: Vec<_> =
        records.map(|(name, text)| (name.to_owned(), text.to_owned())).into_iter().chain([record]).collect();
    let verifier = verifier(vec![dns::serve(&records)], SOON);
    assert_eq!(ask(&verifier, "x@b.test", MESSAGE), None);
    assert_eq!(ask(&verifier, "x@b.test", &sign(&verifier, vec![own])), Some(Dmarc::TempError));
}

#[test]
fn a_domain_that_asks_for_nothing_has_nothing_put_off() {
    let (own, record) = key("a.test", "one");
    let asks = "v=DMARC1; p=none; sp=reject";
    let records = vec![("_dmarc.a.test".to_owned(), asks.to_owned()), (record.0, dns::SILENT.to_owned())];
    let verifier = verifier(vec![dns::serve(&records)], SOON);
    assert_eq!(ask(&verifier, "x@b.test", &sign(&verifier, vec![own])), Some(Dmarc::TempError));
}

#[test]
fn what_the_author_may_have_signed_is_put_off_while_its_key_cannot_be_seen() {
    for (policy, found) in [("reject", None), ("quarantine", None), ("none", Some(Dmarc::TempError))] {
        let (mut verifier, [own, _]) = stalled(policy);
        let late = SigningKey { selector: "late".into(), ..own.clone() };
        let message = sign(&verifier, vec![late.clone()]);
        assert_eq!(ask(&verifier, "x@b.test", &message), found, "{policy}");
        assert_eq!(ask(&verifier, "x@b.test", &sign(&verifier, vec![late, own])), Some(Dmarc::Pass), "{policy}");
        verifier.settings.obeys_dmarc = false;
        assert_eq!(ask(&verifier, "x@b.test", &message), Some(Dmarc::TempError), "{policy}, which is only noted");
    }
}

/// Each name of a signature was looked for in each field, for minutes.
#[test]
fn a_header_beyond_all_bounds_is_not_looked_into() {
    let (one, record) = key("a.test", "one");
    let verifier = with(&[], vec![record]);
    let envelope = Envelope { ip: [192, 0, 2, 1].into(), helo: "c.test".into(), sender: "x@a.test".into() };
    for filling in
        [b"a:\r\n".repeat(limits::SMTP_HEADER_FIELDS_MAX), b" x\r\n".repeat(limits::SMTP_HEADER_BYTES_MAX / 4)]
    {
        let message = [b"From: ann@a.test\r\n", &*filling, b"\r\nx\r\n"].concat();
        let found = wait(verifier.check(envelope.clone(), message, None));
        assert!(found.is_none(), "{:?}", found.map(|checked| checked.facts));
    }
    let signed = sign(&verifier, vec![one]);
    let many = "x:".repeat(limits::VERIFY_SIGNED_NAMES_MAX);
    let text = String::from_utf8(signed).expect("text").replace("h=", &format!("h={many}"));
    let (facts, fields) = check(&verifier, "x@b.test", text.as_bytes());
    assert_eq!(facts.dkim, Outcome::None, "{fields}");
    let broken = [&b"DKIM-Signature:\r\n".repeat(limits::SMTP_HEADER_FIELDS_MAX - 10), MESSAGE].concat();
    let (_, fields) = check(&verifier, "x@b.test", &broken);
    assert!(fields.len() < 2000, "{} bytes", fields.len());
    let long = "s".repeat(limits::VERIFY_NAME_BYTES_MAX + 1);
    let named =
        format!("DKIM-Signature: v=1; a=rsa-sha256; d=c.test; s={long}; h=from; bh=eA==; b=eA==\r\n").into_bytes();
    let (_, fields) = check(&verifier, "x@b.test", &[&named, MESSAGE].concat());
    assert!(!fields.contains("dkim="), "{fields}");
}

#[test]
fn a_check_that_never_ends_is_given_up_and_keeps_nobody_from_signing() {
    let (one, record) = key("a.test", "one");
    let mut verifier = with(&[], vec![record]);
    verifier.desk.patience = Duration::from_millis(300);
    let (end, until) = std::sync::mpsc::channel();
    verifier.desk.send(Job::Hang(until));
    let envelope = Envelope { ip: [192, 0, 2, 1].into(), helo: "c.test".into(), sender: "x@a.test".into() };
    assert!(wait(verifier.check(envelope, MESSAGE.to_vec(), None)).is_none());
    let signed = sign(&verifier, vec![one]);
    assert!(signed.starts_with(b"DKIM-Signature: "));
    drop(end);
    verifier.desk.patience = Duration::from_secs(20);
    assert_eq!(check(&verifier, "x@b.test", &signed).0.dkim, Outcome::Pass);
}

#[test]
fn senders_cannot_write_into_the_results() {
    let verifier = with(&[("elsewhere.test", "x")], Vec::new());
    let odd = b"From: x@c.test\r\nDKIM-Signature: v=1; a=rsa-sha256; d=c.test; s=(\"; h=from; bh=; b=\r\n\r\nx\r\n";
    let (_, fields) = check(&verifier, "\"a; dkim=pass (\r\n\"@b.test", odd);
    assert_eq!(fields.matches("Authentication-Results:").count(), 1);
    assert!(fields.lines().skip(1).all(|line| line.starts_with(['\t', ' '])), "{fields}");
    assert!(!fields.contains("\n\tdkim=pass") && !fields.contains("; dkim=pass header"), "{fields}");
}

#[test]
fn hosts_on_this_machine_are_checked_on_wish_only() {
    let mut verifier = with(&[("elsewhere.test", "x")], Vec::new());
    assert!(verifier.wants([192, 0, 2, 1].into()) && !verifier.wants([127, 0, 0, 1].into()));
    verifier.settings.checks_loopback = true;
    assert!(verifier.wants([127, 0, 0, 1].into()));
    verifier.settings.checks = false;
    assert!(!verifier.wants([192, 0, 2, 1].into()));
}

/// What milters have changed since it came has no signature that holds, but a seal says what was found before.
#[test]
fn a_seal_tells_what_came_and_covers_what_goes_on() {
    let ((own, own_record), (sealing, record)) = (key("a.test", "one"), crate::testing::rsa_key("hub.test"));
    let verifier = with(&[("_dmarc.a.test", "v=DMARC1; p=reject")], vec![own_record, record]);
    let came = sign(&verifier, vec![own]);
    let changed = [&b"X-Seen: yes\r\n"[..], &came, b"A footer.\r\n"].concat();
    let envelope = || Envelope { ip: [192, 0, 2, 1].into(), helo: "client.test".into(), sender: "x@a.test".into() };
    let mut sets = Vec::new();
    let (mut message, mut over) = (came, changed);
    // A second hop that changes it too goes on with the chain.
    for hop in 0..2 {
        let seal = Seal { key: sealing.clone(), over: Some(over.clone()) };
        let checked = wait(verifier.check(envelope(), message, Some(seal))).expect("an answer");
        assert_eq!((checked.facts.dkim == Outcome::Pass, checked.message == over), (hop == 0, true));
        let sealed = [&checked.fields[..], &checked.message].concat();
        let (facts, fields) = check(&verifier, "x@a.test", &sealed);
        assert_eq!((facts.arc, facts.dkim), (Outcome::Pass, Outcome::Fail), "{fields}");
        sets.push(checked.facts.arc);
        (message, over) = (sealed.clone(), [&b"X-Seen: again\r\n"[..], &sealed, b"Another.\r\n"].concat());
    }
    assert_eq!(sets, [Outcome::None, Outcome::Pass]);
    let (facts, _) = check(&verifier, "x@a.test", &over);
    assert_eq!(facts.arc, Outcome::Fail, "nobody has sealed that");
}
