//! A member's message of bytes (RFC 3030) that goes on: it is put in lines before it is signed, so that every verifier finds the signature right.
use super::member::{queued_text, with_rules};
use super::{PLAIN, SmtpService, answers, inbox};
use crate::session::Shared;
use crate::testing::dns;
use crate::verify::tests::key;
use crate::verify::{Settings, Verifier};
use posthouse_engine::directory::{Change, KeyState, SigningKey};
use std::sync::Arc;
use std::time::Duration;

fn signing(rules: &[(&str, &str)]) -> (Arc<Shared>, Arc<Verifier>) {
    let (signing, record) = key("example.org", "s1");
    let (servers, hostname) = (vec![dns::serve(&[record])], "mail.example.org".to_owned());
    let settings = Settings {
        servers,
        hostname,
        checks: true,
        checks_loopback: true,
        obeys_dmarc: false,
        keeps_dmarc: false,
        timeout: Duration::from_secs(20),
        threads: 1,
    };
    let verifier = Arc::new(Verifier::start(settings).expect("it starts"));
    let mut shared = Arc::into_inner(with_rules(rules)).expect("nobody else has it");
    shared.verifier = Some(verifier.clone());
    let (next, state) = (SigningKey { state: KeyState::Next, ..signing }, KeyState::Active);
    let activate = Change::KeySet { domain: "example.org".into(), selector: "s1".into(), state };
    for change in [Change::KeyAdd(next), activate] {
        shared.engine.change_directory(vec![change]).wait().remove(0).expect("the directory takes it");
    }
    (Arc::new(shared), verifier)
}

fn submitted(shared: &Arc<Shared>, to: &str, message: &[u8]) -> String {
    let begin = format!(
        "EHLO x\r\nAUTH PLAIN {PLAIN}\r\nMAIL FROM:<ann@example.org> BODY=BINARYMIME\r\nRCPT TO:<{to}>\r\nBDAT {} LAST\r\n",
        message.len()
    );
    answers(SmtpService::submission(shared.clone()), [begin.as_bytes(), message, b"QUIT\r\n"].concat())
}

fn message(body: &[u8]) -> Vec<u8> {
    let head = "From: ann@example.org\r\nMIME-Version: 1.0\r\nContent-Type: application/x-y\r\nContent-Transfer-Encoding: binary\r\n\r\n";
    [head.as_bytes(), body].concat()
}

#[test]
fn bytes_that_leave_are_lines_and_their_signature_is_right() {
    // A small one, and one that a worker converts.
    for body in [b"a\nb\rc\0\r\n".to_vec(), b"x\n\r".repeat(100_000)] {
        let (shared, verifier) = signing(&[]);
        let heard = submitted(&shared, "far@x.test", &message(&body));
        assert!(heard.contains("\r\n250 2.0.0 Taken as "), "{heard}");
        assert!(!shared.engine.queue()[0].item.terms.binary, "it may go by DATA to any host");
        let sent = queued_text(&shared, 0);
        assert!(sent.contains("DKIM-Signature: ") && sent.contains("\r\nContent-Transfer-Encoding: base64\r\n\r\n"));
        assert!(!crate::smtp::has_bare_line_end(sent.as_bytes()) && !sent.contains('\0'));
        let facts = crate::verify::tests::facts(&verifier, "ann@example.org", sent.as_bytes());
        assert_eq!(facts.dkim, posthouse_engine::mailflow::Outcome::Pass);
    }
}

#[test]
fn bytes_that_stay_are_kept_and_not_signed() {
    let (shared, _) = signing(&[]);
    let body = b"a\nb\0c\r\r\n.\r\n";
    assert!(submitted(&shared, "bob@example.org", &message(body)).contains("\r\n250 2.0.0 Taken as "));
    let mail = inbox(&shared, "bob@example.org").remove(0);
    assert!(mail.ends_with("\r\n\r\na\nb\0c\r\r\n.\r\n") && !mail.contains("DKIM-Signature"), "{mail:?}");
    // Lines are signed as always.
    assert!(submitted(&shared, "bob@example.org", &message(b"lines\r\n")).contains("\r\n250 2.0.0 Taken as "));
    assert!(inbox(&shared, "bob@example.org")[1].contains("DKIM-Signature: "));
}

#[test]
fn who_sends_it_on_gets_lines() {
    let (shared, _) = signing(&[("bob@example.org", "forward far@x.test")]);
    assert!(submitted(&shared, "bob@example.org", &message(b"a\nb")).contains("\r\n250 2.0.0 Taken as "));
    let sent = queued_text(&shared, 0);
    assert!(sent.contains("DKIM-Signature: ") && sent.contains("\r\n\r\nYQpi\r\n"), "{sent}");
}

#[test]
fn what_no_encoding_helps_goes_on_unsigned() {
    let (shared, _) = signing(&[]);
    let odd = b"From: ann@example.org\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\nbytes\n\0before\r\n--b\r\n\r\nx\r\n--b--\r\n";
    assert!(submitted(&shared, "far@x.test", odd).contains("\r\n250 2.0.0 Taken as "));
    assert!(shared.engine.queue()[0].item.terms.binary && !queued_text(&shared, 0).contains("DKIM-Signature"));
}
