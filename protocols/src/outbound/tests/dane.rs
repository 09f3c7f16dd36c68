//! DANE (RFC 7672): which records count, real handshakes with certificates that match and that do not, and mail to hosts whose records cannot
//! be had or that have no TLS.
use super::shake::Host;
use super::world::{item, play, quick, send_plain, without_tls};
use crate::outbound::resolve::{FixedNames, NoAnswer, Tlsa};
use crate::outbound::settings::{Security, Settings};
use crate::outbound::tls::TlsConfigs;
use crate::outbound::trust::{Guard, usable, why};
use rcgen::PublicKeyData;
use ring::digest::{SHA256, SHA512, digest};

const OWNER: &str = "_25._tcp.mx.x.test";

fn tlsa(usage: u8, selector: u8, matching: u8, data: &[u8]) -> Tlsa {
    let data = match matching {
        1 => digest(&SHA256, data).as_ref().to_vec(),
        2 => digest(&SHA512, data).as_ref().to_vec(),
        _ => data.to_vec(),
    };
    Tlsa { usage, selector, matching, data }
}

/// The handshake of a client that has these records; with the authority's certificate in it or without.
fn shake(host: &Host, records: Vec<Tlsa>, sent: usize) -> Result<(), String> {
    let tls = TlsConfigs::new(None).expect("TLS can be had");
    let guard = Guard::dane(Security::Opportunistic, &tls, ("mx.x.test", OWNER), records, &["x.test"]);
    assert_eq!(guard.security, Security::Required);
    host.shake(&guard, sent).map_err(|error| why(&error))
}

#[test]
fn records_that_mean_nothing_for_smtp_or_are_outdone_do_not_count() {
    let numbers = |records: Vec<Tlsa>| -> Vec<(u8, u8, u8)> {
        usable(records).iter().map(|one| (one.usage, one.selector, one.matching)).collect()
    };
    let all = vec![tlsa(0, 1, 1, b"x"), tlsa(1, 1, 1, b"x"), tlsa(4, 1, 1, b"x"), tlsa(3, 2, 1, b"x")];
    assert_eq!(numbers(all), []);
    let short = Tlsa { usage: 3, selector: 1, matching: 1, data: vec![0; 31] };
    assert_eq!(numbers(vec![short, tlsa(3, 1, 0, b""), tlsa(3, 1, 3, b"x")]), []);
    let all =
        vec![tlsa(3, 1, 1, b"a"), tlsa(3, 1, 2, b"a"), tlsa(3, 1, 0, b"a"), tlsa(2, 1, 1, b"a"), tlsa(3, 0, 1, b"a")];
    assert_eq!(numbers(all), [(3, 1, 2), (3, 1, 0), (2, 1, 1), (3, 0, 1)]);
}

#[test]
fn a_host_is_known_by_its_certificate_or_its_key_whatever_name_and_date_are_in_it() {
    let host = Host::new("other.test", true);
    let key = host.key.subject_public_key_info();
    for matching in 0..=2 {
        for (selector, data) in [(0, host.own()), (1, &key[..])] {
            assert_eq!(shake(&host, vec![tlsa(3, selector, matching, data)], 1), Ok(()), "3 {selector} {matching}");
            let told = shake(&host, vec![tlsa(3, selector, matching, host.top())], 2);
            let told = told.expect_err("another's certificate");
            assert_eq!(told, format!("invalid peer certificate: it matches no TLSA record of {OWNER}"));
        }
    }
    // A new key is announced beside the old one.
    assert_eq!(shake(&host, vec![tlsa(3, 1, 1, b"next"), tlsa(3, 1, 1, &key)], 1), Ok(()));
}

#[test]
fn an_authority_of_the_records_vouches_for_names_within_their_dates() {
    for name in ["mx.x.test", "x.test"] {
        let host = Host::new(name, false);
        for matching in 0..=2 {
            for (selector, data) in [(0, host.top()), (1, &host.authority_key[..])] {
                assert_eq!(shake(&host, vec![tlsa(2, selector, matching, data)], 2), Ok(()), "2 {selector} {matching}");
            }
        }
        assert_eq!(shake(&host, vec![tlsa(2, 0, 0, host.top())], 1), Ok(()), "the record itself has the authority");
        let told = shake(&host, vec![tlsa(2, 0, 1, host.top())], 1).expect_err("the host has not sent its authority");
        assert!(told.contains("matches no TLSA record"), "{told}");
        // A leaf is no authority.
        shake(&host, vec![tlsa(2, 0, 1, host.own())], 2).expect_err("not an authority");
    }
    let told = |host: Host| shake(&host, vec![tlsa(2, 0, 1, host.top())], 2).expect_err("refused");
    assert!(told(Host::new("other.test", false)).contains("not valid for name \"x.test\""));
    assert!(told(Host::new("mx.x.test", true)).contains("certificate expired"));
}

/// RFC 7672 section 2.2: TLS is a must, whoever is at the other end.
#[test]
fn records_that_cannot_be_used_ask_for_tls_alone() {
    let host = Host::new("other.test", true);
    assert_eq!(shake(&host, vec![tlsa(1, 1, 1, b"x")], 1), Ok(()));
}

fn secure() -> FixedNames {
    FixedNames::default()
        .mx("x.test", &[(10, "mx.x.test")])
        .host("mx.x.test", &["192.0.2.11"])
        .secure(&["x.test", "mx.x.test"])
}

fn with_dane() -> Settings {
    Settings { dane: true, lifetime_seconds: 30, ..quick() }
}

fn goes(names: FixedNames, settings: Settings) {
    let item = item("ann@example.org", &[("a@x.test", 0)]);
    assert_eq!(send_plain(true, item, move |world| drop(world.start(names, settings))), None);
}

/// Gives what the sender hears.
fn returns(names: FixedNames, settings: Settings) -> String {
    let item = item("ann@example.org", &[("a@x.test", 0)]);
    send_plain(false, item, move |world| drop(world.start(names, settings))).expect("a report")
}

#[test]
fn a_host_with_records_gets_no_plain_text_and_its_sender_hears_why() {
    for record in [tlsa(3, 1, 1, b"x"), tlsa(0, 0, 1, b"x")] {
        let report = returns(secure().tlsa(OWNER, record), with_dane());
        assert!(report.contains("the host offers no STARTTLS, which its TLSA records demand"), "{report}");
        assert!(report.contains("Status: 5.7.4\r\n"), "{report}");
    }
    let fails = NoAnswer::Failed("SERVFAIL".into());
    let report = returns(secure().no_tlsa(OWNER, fails), with_dane());
    assert!(report.contains("DANE: TLSA of _25._tcp.mx.x.test: the name servers gave no answer: SERVFAIL"), "{report}");
}

#[test]
fn records_count_only_where_dnssec_has_proven_the_way_to_them() {
    let record = || tlsa(3, 1, 1, b"x");
    goes(secure(), with_dane());
    goes(secure().tlsa(OWNER, record()), Settings { dane: false, ..with_dane() });
    let names = |proven: &[&str]| {
        let names = FixedNames::default().mx("x.test", &[(10, "mx.x.test")]).host("mx.x.test", &["192.0.2.11"]);
        names.secure(proven).tlsa(OWNER, record())
    };
    for proven in [&[][..], &["x.test"], &["mx.x.test"]] {
        goes(names(proven), with_dane());
    }
    // A domain that is its own host, and hosts whose names are others'.
    let own = FixedNames::default().host("x.test", &["192.0.2.11"]).secure(&["x.test"]);
    returns(own.tlsa("_25._tcp.x.test", record()), with_dane());
    for owner in [OWNER, "_25._tcp.real.test"] {
        let aliased = FixedNames::default().mx("x.test", &[(10, "mx.x.test")]).host("real.test", &["192.0.2.11"]);
        let aliased = aliased.alias("mx.x.test", "real.test").tlsa(owner, record());
        let first = aliased.clone().secure(&["x.test", "mx.x.test"]);
        if owner == OWNER {
            returns(first, with_dane());
        } else {
            goes(first, with_dane());
        }
        returns(aliased.secure(&["x.test", "mx.x.test", "real.test"]), with_dane());
    }
}

#[test]
fn the_next_host_is_tried_when_one_cannot_be_trusted() {
    let names = secure()
        .mx("x.test", &[(10, "mx.x.test"), (20, "mx2.x.test")])
        .host("mx2.x.test", &["192.0.2.12"])
        .tlsa(OWNER, tlsa(3, 1, 1, b"x"));
    play(|world| async move {
        world.host("192.0.2.11:25", &without_tls(false));
        world.host("192.0.2.12:25", &without_tls(true));
        world.start(names, with_dane());
        world.queue(item("ann@example.org", &[("a@x.test", 0)])).await;
        world.until_empty().await;
        assert!(world.inbox("ann@example.org").is_empty());
    });
}
