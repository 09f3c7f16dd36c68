//! Rates of members and tenants over what their rules send on and answer: what is above stays here, and is told.
use super::inbox;
use super::member::{HELLO, queued, send, told, traced, with_rules};
use crate::session::Shared;
use posthouse_engine::directory::{Change, ScopeName};
use posthouse_engine::trace::MailKey;
use std::sync::Arc;

fn with_tenant_rule(rule: &str, own: &[(&str, &str)]) -> Arc<Shared> {
    let shared = with_rules(own);
    let scope = ScopeName::Tenant("example".into());
    let add = Change::RuleAdd { scope, rule: rule.parse().expect("a rule") };
    for done in shared.engine.change_directory(vec![add]).wait() {
        done.expect("the directory takes it");
    }
    shared
}

fn taken(shared: &Arc<Shared>, to: &str) -> String {
    let said = send(shared, "s@s.test", &[to], HELLO);
    assert!(said.starts_with("250 2.0.0 Taken as "), "{said}");
    said.rsplit(' ').next().expect("an id").to_owned()
}

fn steps(shared: &Shared, id: &str) -> Vec<String> {
    let id = u64::from_str_radix(id, 16).expect("hexadecimal");
    traced(shared, vec![MailKey::Id(id)]).iter().map(told).collect()
}

#[test]
fn a_forward_above_the_rate_stays_in_the_mailbox() {
    for rate in ["rate 2/1d", "tenant-rate 2/1d"] {
        let shared = with_tenant_rule(rate, &[("ann@example.org", "forward-only far@x.test")]);
        (0..2).for_each(|_| drop(taken(&shared, "ann@example.org")));
        assert_eq!((queued(&shared).len(), inbox(&shared, "ann@example.org").len()), (2, 0), "{rate}");
        let id = taken(&shared, "ann@example.org");
        assert_eq!((queued(&shared).len(), inbox(&shared, "ann@example.org").len()), (2, 1), "{rate}: it is not lost");
        assert_eq!(steps(&shared, &id), ["came", "delivered ann@example.org", "dropped far@x.test rate not"], "{rate}");
    }
}

#[test]
fn a_script_that_sends_on_counts_and_inside_the_tenant_nothing_does() {
    let script = "sieve \"redirect \\\"far@x.test\\\"; redirect \\\"near@y.test\\\";\"";
    let shared = with_tenant_rule(
        "rate 3/1d",
        &[("ann@example.org", script), ("bob@example.org", "forward-only ann@example.org")],
    );
    taken(&shared, "ann@example.org");
    assert_eq!((queued(&shared).len(), inbox(&shared, "ann@example.org").len()), (2, 0));
    // One of two has room: the other is kept here.
    taken(&shared, "ann@example.org");
    assert_eq!((queued(&shared).len(), inbox(&shared, "ann@example.org").len()), (3, 1));
    (0..5).for_each(|_| drop(taken(&shared, "bob@example.org")));
    assert_eq!((queued(&shared).len(), inbox(&shared, "bob@example.org").len()), (8, 0));
}

#[test]
fn an_answer_above_the_rate_is_not_sent_and_may_come_later() {
    let shared = with_tenant_rule("rate 1/1d", &[("ann@example.org", "away days=7 subject=\"\" text=\"Away.\"")]);
    taken(&shared, "ann@example.org");
    assert_eq!(queued(&shared), [(String::new(), "s@s.test".to_owned())]);
    let again = taken(&shared, "ann@example.org");
    assert_eq!(steps(&shared, &again), ["came", "delivered ann@example.org", "dropped s@s.test rate no"]);
    assert_eq!(queued(&shared).len(), 1);
}

#[test]
fn what_was_not_sent_costs_nothing() {
    let shared = with_tenant_rule(
        "rate 1/1d",
        &[("ann@example.org", "forward-only far@x.test"), ("ann@example.org", "block evil.test")],
    );
    // Refused at its end, for its From.
    for _ in 0..3 {
        let said =
            send(&shared, "s@s.test", &["ann@example.org"], &HELLO.replace("From: s@s.test", "From: x@evil.test"));
        assert!(said.starts_with("550"), "{said}");
    }
    taken(&shared, "ann@example.org");
    assert_eq!((queued(&shared).len(), inbox(&shared, "ann@example.org").len()), (1, 0));
}

/// Who is written to by two of its addresses sends on and answers once, and pays for it once.
#[test]
fn two_addresses_of_a_member_cost_no_more_than_one() {
    let away = "away days=7 subject=\"\" text=\"Away.\"";
    let rules = [("bob@example.org", "forward-only far@x.test"), ("ann@example.org", away)];
    let shared = with_tenant_rule("rate 1/1d", &rules);
    let two = ["ann@example.org", "a.n.n@example.org", "bob@example.org", "bob+shop@example.org"];
    let said = send(&shared, "s@s.test", &two, HELLO);
    assert!(said.starts_with("250 2.0.0 Taken as "), "{said}");
    assert_eq!((queued(&shared).len(), inbox(&shared, "ann@example.org").len()), (2, 1));
    let steps = steps(&shared, said.rsplit(' ').next().expect("an id"));
    assert!(!steps.iter().any(|step| step.contains("rate")), "{steps:?}");
}
