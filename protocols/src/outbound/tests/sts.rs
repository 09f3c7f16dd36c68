//! MTA-STS (RFC 8461): which policy counts when, and mail to hosts that do not fit it.
use super::world::{World, item, quick, send_plain};
use crate::outbound::resolve::{FixedNames, NoAnswer, Tlsa};
use crate::outbound::settings::{Relay, Security, Settings};
use crate::outbound::trust::{Fetch, Fetched, Policies};
use crate::runtime::sim;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

/// Answers one fetch after the other, and counts them.
#[derive(Clone, Default)]
struct Hosts(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    answers: VecDeque<Result<Vec<u8>, String>>,
    asked: Vec<String>,
}

impl Hosts {
    fn new(answers: &[Result<&str, &str>]) -> Hosts {
        let own = |answer: &Result<&str, &str>| answer.map(|text| text.as_bytes().to_vec()).map_err(str::to_owned);
        Hosts(Arc::new(Mutex::new(Inner { answers: answers.iter().map(own).collect(), asked: Vec::new() })))
    }

    fn fetched(&self) -> usize {
        self.0.lock().expect("not poisoned").asked.len()
    }
}

impl Fetch for Hosts {
    fn fetch(&self, domain: &str) -> Fetched {
        let mut inner = self.0.lock().expect("not poisoned");
        inner.asked.push(domain.to_owned());
        let answer = inner.answers.pop_front().unwrap_or_else(|| Err("no more".into()));
        Box::pin(std::future::ready(answer))
    }
}

fn policy(mode: &str, mx: &str, max_age: u32) -> String {
    format!("version: STSv1\nmode: {mode}\nmx: {mx}\nmax_age: {max_age}\n")
}

fn record(id: &str) -> FixedNames {
    FixedNames::default().txt("_mta-sts.x.test", &[&format!("v=STSv1; id={id};")])
}

/// RFC 8461 section 5.1: what was promised counts after a restart too, though somebody hides the record now.
#[test]
fn policies_outlive_a_restart_as_long_as_they_count() {
    let hosts = Hosts::new(&[Ok(&policy("enforce", "mx.x.test", 1000))]);
    let after = hosts.clone();
    sim::run_alone(move |_| async move {
        let before = Policies::new(hosts.clone());
        assert!(before.encode(100).await.is_empty());
        let first = before.of(&record("a"), "x.test", 100).await.policy.expect("a policy");
        let note = before.encode(200).await;
        assert!(before.encode(1100).await.is_empty(), "what counts no more is not kept");
        let later = |note: Vec<u8>, names: FixedNames, now: i64| {
            let policies = Policies::new(hosts.clone());
            policies.recall(&note, now);
            async move { policies.of(&names, "x.test", now).await.policy }
        };
        let hidden = FixedNames::default();
        assert_eq!(later(note.clone(), hidden.clone(), 1099).await.as_ref(), Some(&first));
        assert_eq!(later(note.clone(), hidden.clone(), 1100).await, None);
        assert_eq!(later(note.clone(), record("a"), 300).await.as_ref(), Some(&first), "it is fresh yet");
        // What is cut short is none, and brings nothing down.
        for end in 0..note.len() {
            assert_eq!(later(note[..end].to_vec(), hidden.clone(), 300).await, None);
        }
    });
    assert_eq!(after.fetched(), 1);
}

/// The patterns of the policy that counts at each time.
fn asked(hosts: &Hosts, times: &[(FixedNames, i64)]) -> Vec<Option<String>> {
    let policies = Policies::new(hosts.clone());
    let times = times.to_vec();
    sim::run_alone(move |_| async move {
        let mut found = Vec::new();
        for (names, now) in &times {
            found.push(policies.of(names, "x.test", *now).await.policy.map(|policy| policy.mx.join(" ")));
        }
        found
    })
}

#[test]
fn a_policy_is_kept_until_its_record_changes_or_it_grows_old() {
    let (a, b) = (policy("enforce", "a.test", 1000), policy("enforce", "b.test", 1000));
    let c = policy("enforce", "c.test", 1000);
    let hosts = Hosts::new(&[Ok(&a), Ok(&b), Ok(&c)]);
    let found = asked(
        &hosts,
        &[(record("1"), 0), (record("1"), 499), (record("2"), 499), (record("2"), 998), (record("2"), 999)],
    );
    let found: Vec<_> = found.iter().map(|one| one.as_deref().unwrap_or("none")).collect();
    assert_eq!(found, ["a.test", "a.test", "b.test", "b.test", "c.test"]);
    assert_eq!(hosts.fetched(), 3);
}

#[test]
fn what_was_promised_counts_when_record_or_policy_are_gone_and_no_longer_than_it_said() {
    let a = policy("enforce", "a.test", 1000);
    let b = policy("enforce", "b.test", 10);
    let hosts = Hosts::new(&[Ok(&a), Err("it is down"), Ok("<html>"), Ok(&b)]);
    let gone = FixedNames::default;
    let times = [
        (record("1"), 0),
        (gone(), 100),
        // Fetched again in vain, and not at once another time.
        (record("2"), 200),
        (record("2"), 499),
        // No policy is no reason to forget the old one.
        (record("2"), 500),
        (gone(), 999),
        (gone(), 1000),
        (record("2"), 1001),
    ];
    let found = asked(&hosts, &times);
    let found: Vec<_> = found.iter().map(|one| one.as_deref().unwrap_or("none")).collect();
    assert_eq!(found, ["a.test", "a.test", "a.test", "a.test", "a.test", "a.test", "none", "b.test"]);
    assert_eq!(hosts.fetched(), 4);
    let hosts = Hosts::new(&[Err("it is down")]);
    assert_eq!(asked(&hosts, &[(gone(), 0), (record("1"), 0), (record("1"), 299)]), [None, None, None]);
    assert_eq!(hosts.fetched(), 1, "a domain that asks for nothing is not asked");
    // The pause of a clock that was ahead is none once that is set back.
    let hosts = Hosts::new(&[Err("it is down"), Ok(&a)]);
    assert_eq!(asked(&hosts, &[(record("1"), 86_400), (record("1"), 100)]), [None, Some("a.test".into())]);
}

fn names() -> FixedNames {
    record("1").mx("x.test", &[(10, "mx.x.test")]).host("mx.x.test", &["192.0.2.11"])
}

/// Sends one message to a host without TLS; gives what its sender hears when it does not go.
fn send(goes: bool, names: FixedNames, settings: Settings, policy: &str) -> String {
    let hosts = Hosts::new(&[Ok(policy)]);
    let item = item("ann@example.org", &[("a@x.test", 0)]);
    let start = move |world: &World| drop(world.start_with(names, settings, Some(Policies::new(hosts))));
    send_plain(goes, item, start).unwrap_or_default()
}

fn brief() -> Settings {
    Settings { lifetime_seconds: 30, ..quick() }
}

#[test]
fn hosts_that_do_not_fit_an_enforced_policy_get_nothing_and_the_sender_hears_why() {
    let report = send(false, names(), brief(), &policy("enforce", "*.x.test", 1000));
    assert!(report.contains("the host offers no STARTTLS, which the MTA-STS policy of its domain demands"), "{report}");
    let report = send(false, names(), brief(), &policy("enforce", "mx.other.test", 1000));
    assert!(report.contains("MTA-STS: mx.x.test is no host of the domain's policy"), "{report}");
    assert!(report.contains("Status: 5.7.5\r\n"), "{report}");
    for mode in ["testing", "none"] {
        assert_eq!(send(true, names(), brief(), &policy(mode, "mx.other.test", 1000)), "", "{mode}");
    }
    let plain = Settings { security: crate::outbound::Security::Plain, ..brief() };
    assert_eq!(send(true, names(), plain, &policy("enforce", "*.x.test", 1000)), "", "the operator wishes no TLS");
}

/// RFC 8461 section 3.4.
#[test]
fn a_relay_is_held_to_the_policy_of_its_own_name() {
    let names = || FixedNames::default().host("mx.x.test", &["192.0.2.11"]);
    let with_record = || names().txt("_mta-sts.mx.x.test", &["v=STSv1; id=1"]);
    let over = |host: &str| {
        let relay = Relay { host: host.into(), port: 25, security: Security::Opportunistic, login: None };
        Settings { relay: Some(Arc::new(relay)), ..brief() }
    };
    let enforced = policy("enforce", "mx.x.test", 1000);
    let report = send(false, with_record(), over("mx.x.test"), &enforced);
    assert!(report.contains("the host offers no STARTTLS, which the MTA-STS policy of its domain demands"), "{report}");
    for (names, host) in [(names(), "mx.x.test"), (with_record(), "192.0.2.11")] {
        assert_eq!(send(true, names, over(host), &enforced), "", "{host}");
    }
}

/// RFC 8461 section 2.
#[test]
fn dane_counts_before_the_policy() {
    let names = names().secure(&["x.test", "mx.x.test"]);
    let unusable = Tlsa { usage: 3, selector: 9, matching: 0, data: vec![1] };
    let names = names.tlsa("_25._tcp.mx.x.test", unusable);
    let settings = Settings { dane: true, ..brief() };
    let report = send(false, names.clone(), settings.clone(), &policy("enforce", "mx.other.test", 1000));
    assert!(report.contains("which its TLSA records demand"), "{report}");
    let none = names.no_tlsa("_25._tcp.mx.x.test", NoAnswer::NoName);
    let report = send(false, none, settings, &policy("enforce", "mx.other.test", 1000));
    assert!(report.contains("MTA-STS"), "{report}");
}
