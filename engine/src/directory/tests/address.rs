//! Which spellings are one address, and which are none.
use proptest::prelude::*;

use super::super::{Address, normalise_domain};
use super::at;

#[test]
fn spellings_of_one_address_are_equal() {
    for (spelling, canonical) in [
        ("ann@acme.example", "ann@acme.example"),
        ("Ann@ACME.Example", "ann@acme.example"),
        ("\"ann\"@acme.example", "ann@acme.example"),
        ("\"a\\nn\"@acme.example", "ann@acme.example"),
        ("\"Ann Lee\"@acme.example", "\"ann lee\"@acme.example"),
        ("\"a@b\"@acme.example", "\"a@b\"@acme.example"),
        ("\"a\\\"b\\\\c\"@acme.example", "\"a\\\"b\\\\c\"@acme.example"),
        ("a+b=c@acme.example", "a+b=c@acme.example"),
        ("ann@BÜCHER.example", "ann@xn--bcher-kva.example"),
        ("ann@XN--BCHER-KVA.example", "ann@xn--bcher-kva.example"),
        ("张三@邮件.example", "张三@xn--5nq051n.example"),
        ("JOSÉ@acme.example", "josé@acme.example"),
        ("jose\u{301}@acme.example", "jos\u{e9}@acme.example"),
        ("ann@[192.0.2.1]", "ann@[192.0.2.1]"),
        ("ann@[ipv6:2001:DB8::0:1]", "ann@[IPv6:2001:db8::1]"),
        ("root@localhost", "root@localhost"),
        ("Cron@My_Host.acme.example", "cron@my_host.acme.example"),
    ] {
        let address = Address::parse(spelling);
        assert_eq!(address.map(|address| address.to_string()).ok().as_deref(), Some(canonical), "{spelling}");
        assert_eq!(at(canonical).as_str(), canonical, "canonical forms stay");
    }
}

#[test]
fn what_is_no_address_is_refused_in_words() {
    let long_local = format!("{}@acme.example", "a".repeat(65));
    let long_label = format!("a@{}.example", "a".repeat(64));
    let long_domain = format!("a@{}example", "a.".repeat(130));
    for (text, why) in [
        ("", "no @"),
        ("ann", "no @"),
        ("@acme.example", "nothing before"),
        ("\"\"@acme.example", "nothing before"),
        ("ann@", "no domain"),
        ("a b@acme.example", "not allowed"),
        ("a..b@acme.example", "not allowed"),
        (".a@acme.example", "not allowed"),
        ("a@b@acme.example", "not allowed"),
        ("a\u{200b}b@acme.example", "not allowed"),
        ("a\r\n@acme.example", "not allowed"),
        ("\"ab@acme.example", "closing"),
        ("\"a\"b@acme.example", "between"),
        ("\"a\0\"@acme.example", "control"),
        ("a@acme..example", "valid name"),
        ("a@-acme.example", "valid name"),
        ("a@acme!x.example", "valid name"),
        ("a@acme.example.", "valid name"),
        ("a@xn--\u{e4}.example", "valid name"),
        ("a@[300.1.1.1]", "literal"),
        ("a@[IPv6:zz]", "literal"),
        ("a@[192.0.2.1", "literal"),
        (&long_local, "64 bytes"),
        (&long_label, "valid name"),
        (&long_domain, "255 bytes"),
        (&"a".repeat(1000), "320 bytes"),
    ] {
        let error = Address::parse(text).expect_err(text).to_string();
        assert!(error.contains(why), "{text:?} gives {error:?}, not {why:?}");
    }
}

#[test]
fn the_longest_local_part_fits() {
    assert_eq!(at(&format!("{}@acme.example", "a".repeat(64))).local().len(), 64);
}

#[test]
fn domains_have_one_form() {
    assert_eq!(normalise_domain("BÜCHER.Example").ok().as_deref(), Some("xn--bcher-kva.example"));
    assert!(normalise_domain("[192.0.2.1]").is_err());
    assert!(normalise_domain("").is_err());
}

/// Mail of hosts whose names have one is taken and sent; a domain of our own would be refused by others.
#[test]
fn no_domain_of_ours_has_an_underscore() {
    let (mut town, named) = (super::town(), |name: &str| super::domain("acme", name));
    assert_eq!(normalise_domain("my_host.example").ok().as_deref(), Some("my_host.example"));
    let error = super::make(&mut town, named("my_host.example")).expect_err("an underscore").to_string();
    assert!(error.contains("underscore") && error.contains("my_host.example"), "{error}");
}

#[test]
fn addresses_sort_by_domain_first() {
    let mut sorted = vec![at("b@a.example"), at("a@b.example"), at("a@a.example")];
    sorted.sort();
    assert_eq!(format!("{sorted:?}"), "[a@a.example, b@a.example, a@b.example]");
}

proptest! {
    #[test]
    fn any_text_is_answered_and_the_canonical_form_is_final(text in ".{0,24}@?.{0,24}") {
        if let Ok(address) = Address::parse(&text) {
            prop_assert_eq!(Address::parse(address.as_str()).ok(), Some(address));
        }
    }

    #[test]
    fn unicode_locals_fold_to_a_fixed_point(local in "[\\w\\p{M}]{1,12}") {
        if let Ok(address) = Address::parse(&format!("{local}@acme.example")) {
            prop_assert_eq!(&at(address.as_str()), &address);
            let upper = format!("{}@acme.example", address.local().to_uppercase());
            if let Ok(again) = Address::parse(&upper) {
                prop_assert_eq!(&at(again.as_str()), &again);
            }
        }
    }

    #[test]
    fn quoted_locals_come_back(local in "[ -~]{1,20}") {
        let quoted: String = local.chars().flat_map(|c| ['\\', c]).collect();
        let address = Address::parse(&format!("\"{quoted}\"@acme.example"));
        if let Ok(address) = address {
            prop_assert_eq!(at(address.as_str()), address);
        }
    }
}
