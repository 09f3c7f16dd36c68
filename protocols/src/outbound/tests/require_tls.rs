//! REQUIRETLS and `TLS-Required: No` (RFC 8689) on the way out.
use super::world::{item, quick, send_plain};
use crate::outbound::resolve::{FixedNames, Tlsa};
use crate::outbound::settings::{Relay, Security, Settings};
use posthouse_engine::queue::{NewQueueItem, TlsDemand};
use std::sync::Arc;

/// Sends one message to a host without TLS; gives what its sender hears when it does not go.
fn send(goes: bool, names: FixedNames, settings: Settings, demand: TlsDemand) -> String {
    let item = NewQueueItem { tls: demand, ret: 1, ..item("ann@example.org", &[("a@x.test", 0)]) };
    send_plain(goes, item, move |world| drop(world.start(names, settings))).unwrap_or_default()
}

fn names() -> FixedNames {
    FixedNames::default().mx("x.test", &[(10, "mx.x.test")]).host("mx.x.test", &["192.0.2.11"])
}

fn brief() -> Settings {
    Settings { lifetime_seconds: 30, dane: true, ..quick() }
}

#[test]
fn mail_that_requires_tls_returns_where_nothing_proves_the_host() {
    let report = |names: FixedNames, settings: Settings| send(false, names, settings, TlsDemand::Required);
    let unproven = report(names(), brief());
    assert!(unproven.contains("Status: 5.7.30\r\n"), "{unproven}");
    assert!(unproven.contains("REQUIRETLS: nothing proves that mx.x.test takes the mail"), "{unproven}");
    // Asked for whole (RET=FULL), it goes back as its header.
    assert!(unproven.contains("Subject: hello") && !unproven.contains(".dot"), "{unproven}");
    // DNSSEC proves the host's name: its certificate would have to prove it too.
    let secure = report(names().secure(&["x.test", "mx.x.test"]), brief());
    assert!(secure.contains("Status: 5.7.10\r\n") && secure.contains("the host offers no STARTTLS"), "{secure}");
    for (security, status) in [(Security::Plain, "5.7.30"), (Security::Verified, "5.7.10")] {
        let relay = Relay { host: "192.0.2.11".into(), port: 25, security, login: None };
        let told = report(names(), Settings { relay: Some(Arc::new(relay)), ..brief() });
        assert!(told.contains(&format!("Status: {status}\r\n")), "{told}");
    }
}

/// RFC 8689 section 5.
#[test]
fn a_report_goes_though_its_way_back_cannot_keep_to_tls() {
    let report = NewQueueItem { tls: TlsDemand::Required, ..item("", &[("a@x.test", 1)]) };
    assert_eq!(send_plain(true, report, |world| drop(world.start(names(), brief()))), None);
}

#[test]
fn mail_that_requires_no_tls_goes_whatever_the_domain_demands() {
    let record = Tlsa { usage: 3, selector: 0, matching: 0, data: vec![1] };
    let names = names().secure(&["x.test", "mx.x.test"]).tlsa("_25._tcp.mx.x.test", record);
    assert_eq!(send(true, names.clone(), brief(), TlsDemand::NotRequired), "");
    assert_ne!(send(false, names, brief(), TlsDemand::Usual), "");
    // What the operator demands counts all the same.
    let strict = Settings { security: Security::Required, ..brief() };
    assert_ne!(send(false, self::names(), strict, TlsDemand::NotRequired), "");
}
