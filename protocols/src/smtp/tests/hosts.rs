//! DNS blocklists as a client sees them; what they answer is fixed.
use super::{SmtpService, answers, inbox, shared};
use crate::outbound::resolve::{FixedNames, NoAnswer};
use crate::session::Shared;
use crate::verify::dnsbl::{Blocklists, ListSettings, Zone};
use posthouse_engine::directory::{Address, Change, ScopeName};
use posthouse_engine::trace::MailFilter;
use std::sync::Arc;
use std::time::Duration;

/// Clients of the tests are at 192.0.2.1.
fn with_list(weight: i32, allow: &[&str]) -> Arc<Shared> {
    let names = FixedNames::default()
        .host("1.2.0.192.bad.test", &["127.0.0.2"])
        .no_host("1.2.0.192.down.test", NoAnswer::Failed("SERVFAIL".into()));
    let zone = |name: &str| Zone { name: name.into(), weight, replies: Vec::new() };
    let settings = ListSettings {
        zones: vec![zone("bad.test"), zone("down.test")],
        allow: allow.iter().map(|network| network.parse().expect("a network")).collect(),
        reject_from: Some(5),
        junk_from: Some(3),
        timeout: Duration::from_secs(5),
        keep: Duration::from_secs(300),
    };
    let mut shared = Arc::into_inner(shared()).expect("nobody else has it");
    shared.blocklists = Some(Arc::new(Blocklists::new(settings, Arc::new(names))));
    Arc::new(shared)
}

fn heard(shared: &Arc<Shared>) -> String {
    let lines = "EHLO c.test\nMAIL FROM:<s@s.test>\nRCPT TO:<ann@example.org>\nDATA\nSubject: x\n\nx\n.\nQUIT\n";
    answers(SmtpService::mx(shared.clone()), lines.replace('\n', "\r\n").into_bytes())
}

/// The policies that the mail log names, oldest first.
fn policies(shared: &Shared) -> Vec<String> {
    let log = shared.engine.mail_log(&MailFilter::default(), None, 10).expect("it can be read");
    log.rows.into_iter().map(|row| row.record.policy).collect()
}

#[test]
fn a_host_on_a_list_is_refused_with_the_lists_name() {
    let shared = with_list(5, &[]);
    let said = heard(&shared);
    assert!(said.contains("550 5.7.1 your host is on blocklists: 192.0.2.1 bad.test\r\n"), "{said}");
    assert_eq!(policies(&shared), ["dnsbl"]);
    let scope = ScopeName::Account(Address::parse("ann@example.org").expect("an address"));
    let rule = "allow s.test".parse().expect("a rule");
    shared.engine.change_directory(vec![Change::RuleAdd { scope, rule }]).wait().remove(0).expect("taken");
    assert!(heard(&shared).contains("250 2.0.0 Taken"), "whom ann allows");
    assert_eq!(inbox(&shared, "ann@example.org").len(), 1);
}

#[test]
fn a_suspected_host_fills_junk_and_the_log_says_why() {
    let shared = with_list(3, &[]);
    assert!(heard(&shared).contains("250 2.0.0 Taken"));
    assert!(inbox(&shared, "ann@example.org").is_empty());
    assert_eq!(policies(&shared), ["dnsbl=3 (bad.test, down.test: no answer)", "junk"]);
}

#[test]
fn an_own_allowlist_and_a_light_list_change_nothing() {
    for shared in [with_list(9, &["192.0.2.0/28"]), with_list(2, &[])] {
        assert!(heard(&shared).contains("250 2.0.0 Taken"));
        assert_eq!(inbox(&shared, "ann@example.org").len(), 1);
    }
}
