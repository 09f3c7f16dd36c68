//! Nobody writes header lines of ours: whatever stands in names, addresses, parameters, subjects and scripts, in no message that goes into a mailbox or the
//! queue is a field that we have not meant to write.
use super::member::{queued_text, traced, with_rules};
use super::{SmtpService, answers, inbox, shared};
use crate::session::Shared;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use posthouse_engine::directory::{Address, Change, Quota};
use std::sync::Arc;

/// The names of a message's fields, and that each of its header lines is of one.
#[track_caller]
fn fields(message: &str) -> Vec<String> {
    let (header, _) = message.split_once("\r\n\r\n").expect("an empty line");
    assert!(!header.replace("\r\n", "").contains(['\r', '\n', '\0']), "{header:?}");
    let own = header.split("\r\n").filter(|line| !line.starts_with([' ', '\t']));
    own.map(|line| line.split_once(':').unwrap_or_else(|| panic!("no field: {line:?}")).0.to_owned()).collect()
}

fn said(shared: &Arc<Shared>, lines: &str) -> String {
    answers(SmtpService::mx(shared.clone()), lines.replace('\n', "\r\n").into_bytes())
}

#[test]
fn names_and_addresses_add_nothing_to_received() {
    for hello in [
        "a(b",
        "a;b",
        "x)\tEvil:",
        "a\\",
        "a\"b",
        "\u{90ae}.test",
        "[1.2.3.4]",
        "a\r b",
        "a\0b",
        "=?utf-8?Q?=0D=0AEvil:?=",
    ] {
        for from in ["s@s.test", "\"a>\\\" Evil: b\"@s.test", "\"a;b(\"@s.test"] {
            let shared = shared();
            let lines = format!(
                "EHLO {hello}\nEHLO c.test\nEHLO {hello}\nMAIL FROM:<{from}>\nRCPT TO:<ann@example.org>\nDATA\nSubject: x\n\nx\n.\nQUIT\n"
            );
            said(&shared, &lines);
            let all = inbox(&shared, "ann@example.org");
            assert_eq!(all.len(), 1, "{hello:?} {from}");
            assert_eq!(fields(&all[0]), ["Return-Path", "Received", "Subject"], "{}", all[0]);
            let received = all[0].split("Received: ").nth(1).and_then(|rest| rest.split("Subject").next()).expect("it");
            assert_eq!(received.matches(['(', ')']).count(), 2, "one comment, the address: {received}");
        }
    }
}

#[test]
fn parameters_add_nothing_to_reports() {
    let evil = "+0D+0AEvil:+20yes+0D+0A+0D+0AEvil:+20too";
    let shared = with_rules(&[("ann@example.org", "sieve \"require \\\"reject\\\"; reject \\\"No.\\\";\"")]);
    let lines = format!(
        "EHLO c.test\nMAIL FROM:<s@s.test> ENVID=a{evil}\nMAIL FROM:<s@s.test> ENVID=aEvil:+20too\nRCPT TO:<ann@example.org> ORCPT=rfc822;x{evil}\n\
         RCPT TO:<bob@example.org> NOTIFY=SUCCESS ORCPT=rfc822;y{evil}\nDATA\nSubject: x\n\nx\n.\nQUIT\n"
    );
    let heard = said(&shared, &lines);
    assert!(heard.contains("\r\n501 5.5.4 The value of ENVID is not allowed\r\n"), "{heard}");
    assert!(heard.contains("250 2.0.0 Taken"), "{heard}");
    assert_eq!(shared.engine.queue().len(), 2, "a failure and a success");
    for at in 0..2 {
        let report = queued_text(&shared, at);
        assert!(!report.contains("\nEvil") && !report.contains("\rEvil"), "{report}");
        assert!(report.contains("\r\nOriginal-Envelope-Id: aEvil: too\r\n"), "{report}");
        let own = ["From", "To", "Subject", "Message-ID", "Date", "Auto-Submitted", "MIME-Version", "Content-Type"];
        assert_eq!(fields(&report), own, "{report}");
    }
}

#[test]
fn names_subjects_and_scripts_add_nothing_to_answers() {
    let own = ["From", "To", "Subject", "Message-ID", "Date", "Auto-Submitted", "MIME-Version", "Content-Type"];
    let plain = "away days=7 subject=\"\" text=\"Gone.\"";
    let by_script = |arguments: &str| {
        let script = format!("require \"vacation\"; vacation {arguments};");
        format!(
            "sieve \"{}\"",
            script.replace('\\', "\\\\").replace('"', "\\\"").replace('\r', "\\r").replace('\n', "\\n")
        )
    };
    let mime = "text:\nMIME-Version: 1.0\nContent-Type: text/plain;\n charset=utf-8\n\nText\n.\n";
    let rules = [
        plain.to_owned(),
        by_script(":subject \"a\r\nEvil: yes\" \"Gone.\""),
        by_script(":subject \"a\nEvil: yes\" \"Gone.\""),
        by_script(&format!(":mime {mime}")),
        by_script(&format!(":mime {}", mime.replace("Content-", "From: ceo@example.org\nEvil: yes\n more\nContent-"))),
    ];
    let subject = "=?utf-8?Q?a=0D=0AEvil:_yes=0D=0A=0D=0AEvil?=";
    for rule in rules {
        let shared = with_rules(&[("ann@example.org", &rule)]);
        let lines = format!(
            "EHLO c.test\nMAIL FROM:<\"a b:c\"@s.test>\nRCPT TO:<ann@example.org>\nDATA\nFrom: s@s.test\nTo: ann@example.org\nSubject: {subject}\nMessage-ID: <a\tb@s.test>\n\nx\n.\nQUIT\n"
        );
        said(&shared, &lines);
        if shared.engine.queue().is_empty() {
            // The script is none: it does nothing.
            assert!(
                (rule.contains(":subject") || rule.contains("ceo@")) && inbox(&shared, "ann@example.org").len() == 1,
                "{rule}"
            );
            continue;
        }
        let answer = queued_text(&shared, 0);
        let mut names = fields(&answer);
        names.retain(|name| !["In-Reply-To", "References", "Content-Transfer-Encoding"].contains(&name.as_str()));
        assert_eq!(names, own, "{rule}: {answer}");
        assert!(!answer.contains("\nEvil") && !answer.contains("ceo@"), "{answer}");
    }
}

/// A name with line ends is none, or makes none.
#[test]
fn display_names_and_group_names_make_no_lines() {
    let shared = with_rules(&[]);
    let odd = "Dora\r\nEvil: yes\r\n\r\n\"<x@x.test>";
    let (dora, all) = (Address::parse("dora@example.org"), Address::parse("odd@example.org"));
    let (dora, all) = (dora.expect("an address"), all.expect("an address"));
    let member = Change::MemberAdd {
        address: dora.clone(),
        name: odd.into(),
        password_hash: None,
        vip: false,
        quota: Quota::Default,
    };
    let group = Change::GroupAdd { address: all, name: odd.into(), members: vec![dora] };
    let refused = |change| shared.engine.change_directory(vec![change]).wait().remove(0).is_err();
    if refused(member) && refused(group) {
        return;
    }
    super::member::add_rules(&shared, &[("dora@example.org", "away days=7 subject=\"\" text=\"Gone.\"")]);
    said(
        &shared,
        "EHLO c.test\nMAIL FROM:<s@s.test>\nRCPT TO:<dora@example.org>\nDATA\nTo: dora@example.org\n\nx\n.\nQUIT\n",
    );
    let answer = queued_text(&shared, 0);
    fields(&answer);
    assert!(!answer.contains("\nEvil"), "{answer}");
}

#[test]
fn login_names_make_no_lines_in_the_mail_log() {
    let shared = shared();
    let name = STANDARD.encode("\0ann@example.org\r\nEvil: yes\0secret");
    answers(SmtpService::submission(shared.clone()), format!("EHLO x\r\nAUTH PLAIN {name}\r\nQUIT\r\n").into_bytes());
    let steps = traced(&shared, Vec::new());
    assert_eq!((steps.len(), steps[0].sender.as_str()), (1, "ann@example.org??Evil: yes"));
}
