//! XCLIENT: a host in front that is trusted speaks for its clients, another does not.
use super::{PLAIN, SmtpService, answers, inbox, shared};
use crate::session::Shared;
use posthouse_engine::trace::MailFilter;
use std::sync::Arc;

/// With a front at the addresses of simulated clients, or at others.
fn with_front(network: &str) -> Arc<Shared> {
    let mut shared = Arc::into_inner(shared()).expect("nobody else has it");
    shared.xclient = vec![network.parse().expect("a network")];
    Arc::new(shared)
}

fn said(service: SmtpService, lines: &str) -> Vec<String> {
    let heard = answers(service, lines.replace('\n', "\r\n").into_bytes());
    heard.lines().filter(|line| line.as_bytes()[3] == b' ').map(str::to_owned).collect()
}

#[test]
fn the_client_that_a_trusted_host_names_is_the_one_that_counts() {
    let shared = with_front("192.0.2.0/24");
    let replies = said(
        SmtpService::mx(shared.clone()),
        "EHLO front.test\nXCLIENT ADDR=203.0.113.9 PORT=4711 NAME=[UNAVAILABLE] HELO=client.test\nMAIL FROM:<s@s.test>\nEHLO front.test\n\
         MAIL FROM:<s@s.test>\nXCLIENT ADDR=203.0.113.10\nRCPT TO:<ann@example.org>\nDATA\nSubject: x\n\nx\n.\n\
         XCLIENT ADDR=127.0.0.1\nEHLO client.test\nQUIT\n",
    );
    let codes: Vec<&str> = replies.iter().map(|line| &line[..3]).collect();
    let expected = ["220", "250", "220", "503", "250", "250", "550", "250", "354", "250", "550", "250", "221"];
    assert_eq!(codes, expected, "{replies:#?}");
    let mail = inbox(&shared, "ann@example.org").remove(0);
    assert!(mail.contains("Received: from client.test ([203.0.113.9])"), "{mail}");
    let log = shared.engine.mail_log(&MailFilter::default(), None, 10).expect("it can be read");
    let peers: Vec<String> = log.rows.iter().filter_map(|row| Some(row.record.peer?.to_string())).collect();
    assert_eq!(peers, ["203.0.113.9:4711"]);
}

#[test]
fn it_is_offered_to_trusted_hosts_only() {
    let heard = |network, service: fn(Arc<Shared>) -> SmtpService| {
        answers(service(with_front(network)), b"EHLO x\r\nXCLIENT ADDR=203.0.113.9\r\nQUIT\r\n".to_vec())
    };
    let trusted = heard("192.0.2.1/32", SmtpService::submission);
    assert!(
        trusted.contains("250-XCLIENT NAME ADDR PORT") || trusted.contains("250 XCLIENT NAME ADDR PORT"),
        "{trusted}"
    );
    let other = heard("198.51.100.0/24", SmtpService::mx);
    assert!(!other.contains("XCLIENT NAME") && other.contains("550 5.7.0 XCLIENT is for hosts"), "{other}");
}

#[test]
fn a_login_does_not_outlive_it() {
    let replies = said(
        SmtpService::submission(with_front("192.0.2.1/32")),
        &format!(
            "EHLO x\nXCLIENT LOGIN=ann@example.org\nAUTH PLAIN {PLAIN}\nXCLIENT ADDR=203.0.113.9\nEHLO x\nMAIL FROM:<ann@example.org>\nQUIT\n"
        ),
    );
    let codes: Vec<&str> = replies.iter().map(|line| &line[..3]).collect();
    assert_eq!(codes, ["220", "250", "501", "235", "220", "250", "530", "221"], "{replies:#?}");
}

#[test]
fn what_it_says_is_understood_or_refused() {
    let replies = said(
        SmtpService::mx(with_front("192.0.2.0/24")),
        "EHLO x\nXCLIENT ADDR=nonsense\nXCLIENT ADDR=IPV6:2001:db8::5\nEHLO y\nQUIT\n",
    );
    let codes: Vec<&str> = replies.iter().map(|line| &line[..3]).collect();
    assert_eq!(codes, ["220", "250", "501", "220", "250", "221"], "{replies:#?}");
}
