//! From names to addresses: preference, equals mixed, implicit and null MX, loops, names that fail and names that are not there.
use crate::outbound::resolve::{FixedNames, Found, NoAnswer, hosts_of_domain, hosts_of_relay};
use crate::outbound::settings::Families;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// Fixed answers are there at once.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("it waits"),
    }
}

fn list(found: Vec<Found>) -> String {
    found.into_iter().map(|one| format!("{}={}", one.name, one.ip)).collect::<Vec<_>>().join(" ")
}

fn find(names: &FixedNames, domain: &str, families: Families, seed: u64) -> Result<String, String> {
    let mut state = seed;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state >> 33
    };
    now(hosts_of_domain(names, domain, "mail.example.org", families, &mut random))
        .map(list)
        .map_err(|reply| reply.to_string())
}

#[test]
fn better_hosts_come_first_and_equals_are_mixed() {
    let names = FixedNames::default()
        .mx("x.test", &[(20, "c.x.test"), (10, "a.x.test"), (10, "b.x.test")])
        .host("a.x.test", &["192.0.2.1", "2001:db8::1"])
        .host("b.x.test", &["192.0.2.2"])
        .host("c.x.test", &["192.0.2.3"]);
    let all: Vec<String> =
        (0..40).map(|seed| find(&names, "x.test", Families::Ipv4First, seed).expect("found")).collect();
    let a_first = "a.x.test=192.0.2.1 a.x.test=2001:db8::1 b.x.test=192.0.2.2 c.x.test=192.0.2.3";
    let b_first = "b.x.test=192.0.2.2 a.x.test=192.0.2.1 a.x.test=2001:db8::1 c.x.test=192.0.2.3";
    assert!(all.iter().all(|one| one == a_first || one == b_first), "{all:?}");
    assert!(all.iter().any(|one| one == a_first) && all.iter().any(|one| one == b_first), "both come first at times");
    let six = find(&names, "x.test", Families::Ipv6First, 1).expect("found");
    assert!(six.contains("a.x.test=2001:db8::1 a.x.test=192.0.2.1"), "{six}");
    assert_eq!(find(&names, "x.test", Families::Ipv6, 1).expect("found"), "a.x.test=2001:db8::1");
}

#[test]
fn a_domain_without_mx_is_its_own_host() {
    let names = FixedNames::default().host("x.test", &["192.0.2.1"]).host("y.test", &[]);
    assert_eq!(find(&names, "x.test", Families::Ipv4First, 1), Ok("x.test=192.0.2.1".into()));
    let none = find(&names, "y.test", Families::Ipv4First, 1).expect_err("none");
    assert!(none.starts_with("5.4.4"), "{none}");
    assert_eq!(find(&names, "[192.0.2.7]", Families::Ipv4First, 1), Ok("[192.0.2.7]=192.0.2.7".into()));
    assert_eq!(find(&names, "[IPv6:2001:db8::7]", Families::Ipv4, 1), Ok("[IPv6:2001:db8::7]=2001:db8::7".into()));
}

#[test]
fn what_is_not_there_is_final_and_what_fails_is_not() {
    let failed = || NoAnswer::Failed("SERVFAIL".into());
    let names = FixedNames::default()
        .no_mx("fails.test", failed())
        .mx("null.test", &[(0, "")])
        .mx("hostless.test", &[(10, "gone.test")])
        .mx("half.test", &[(10, "gone.test"), (20, "shy.test")])
        .no_host("shy.test", failed())
        .mx("mixed.test", &[(10, "shy.test"), (20, "ok.test")])
        .host("ok.test", &["192.0.2.5"]);
    for (domain, status) in [
        ("missing.test", "5.1.2"),
        ("fails.test", "4.4.3"),
        ("null.test", "5.1.10"),
        ("hostless.test", "5.4.4"),
        ("half.test", "4.4.3"),
    ] {
        let why = find(&names, domain, Families::Ipv4First, 1).expect_err(domain);
        assert!(why.starts_with(status), "{domain}: {why}");
    }
    assert_eq!(find(&names, "mixed.test", Families::Ipv4First, 1), Ok("ok.test=192.0.2.5".into()));
}

#[test]
fn hosts_that_are_no_better_than_ourselves_are_left_out() {
    let names = FixedNames::default()
        .mx("backup.test", &[(10, "a.x.test"), (20, "mail.example.org"), (30, "c.x.test")])
        .mx("ours.test", &[(10, "MAIL.example.org"), (10, "a.x.test"), (20, "c.x.test")])
        .host("a.x.test", &["192.0.2.1"])
        .host("c.x.test", &["192.0.2.3"]);
    assert_eq!(find(&names, "backup.test", Families::Ipv4First, 1), Ok("a.x.test=192.0.2.1".into()));
    let looped = find(&names, "ours.test", Families::Ipv4First, 1).expect_err("a loop");
    assert!(looped.starts_with("5.4.6"), "{looped}");
}

#[test]
fn a_relay_that_is_not_found_loses_no_mail() {
    let names = FixedNames::default().host("relay.test", &["192.0.2.9"]);
    let find = |host: &str| now(hosts_of_relay(&names, host, Families::Ipv4First, &mut || 1));
    assert_eq!(find("relay.test").map(list), Ok("relay.test=192.0.2.9".into()));
    assert_eq!(find("192.0.2.4").map(list), Ok("192.0.2.4=192.0.2.4".into()));
    assert!(find("gone.test").expect_err("gone").is_transient());
}
