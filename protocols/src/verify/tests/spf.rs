//! What includes, redirects and their limits come to.
use super::*;

/// What SPF says of mail from `a.test` that comes from 192.0.2.1, and DMARC with it.
fn found(records: &[(&str, &str)]) -> (Outcome, Dmarc) {
    let reject = ("_dmarc.a.test", "v=DMARC1; p=reject");
    let verifier = with(&[records, &[reject]].concat(), Vec::new());
    let (facts, _) = check(&verifier, "bounce@a.test", MESSAGE);
    (facts.spf, facts.dmarc)
}

/// RFC 7208 section 5.2: what an included record says is whether the include matches, and its own qualifier counts then.
#[test]
fn each_include_counts_by_its_own_qualifier() {
    let refused = Dmarc::Fail(Policy::Reject);
    for (outer, inner, last, expected) in [
        ("include", "include", "ip4", Outcome::Pass),
        ("?include", "include", "ip4", Outcome::Weak),
        ("~include", "include", "ip4", Outcome::Weak),
        ("-include", "include", "ip4", Outcome::Fail),
        // What does not pass is no match.
        ("include", "?include", "ip4", Outcome::Fail),
        ("include", "-include", "ip4", Outcome::Fail),
        ("include", "include", "~ip4", Outcome::Fail),
        ("?include", "redirect", "ip4", Outcome::Weak),
        ("include", "redirect", "ip4", Outcome::Pass),
    ] {
        let next = if inner == "redirect" { "redirect=c.test".to_owned() } else { format!("{inner}:c.test ~all") };
        let (a, b) = (format!("v=spf1 {outer}:b.test -all"), format!("v=spf1 {next}"));
        let c = format!("v=spf1 {last}:192.0.2.1 ~all");
        let dmarc = if expected == Outcome::Pass { Dmarc::Pass } else { refused };
        assert_eq!(
            found(&[("a.test", &a), ("b.test", &b), ("c.test", &c)]),
            (expected, dmarc),
            "{outer} {inner} {last}"
        );
    }
}

/// What stands behind an include is asked about the domain that it stands in.
#[test]
fn behind_an_include_the_domain_is_its_own_again() {
    let records = [
        ("a.test", "v=spf1 include:%{d2}.b.test include:%{d}.c.test -all"),
        ("a.test.b.test", "v=spf1 ip4:192.0.2.9 -all"),
        ("a.test.c.test", "v=spf1 ip4:192.0.2.1 -all"),
    ];
    assert_eq!(found(&records).0, Outcome::Pass);
}

#[test]
fn an_include_or_redirect_of_what_has_no_record_is_an_error() {
    for (record, found_as) in [
        ("v=spf1 include:none.test -all", Outcome::PermError),
        ("v=spf1 redirect=none.test", Outcome::PermError),
        ("v=spf1 include:a.test -all", Outcome::PermError),
        ("v=spf1 include:silent.test -all", Outcome::TempError),
        ("v=spf1 -all redirect=none.test", Outcome::Fail),
        ("v=spf1", Outcome::Weak),
    ] {
        let records: Vec<_> = [("a.test", record), ("silent.test", dns::SILENT)]
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .into();
        let verifier = verifier(vec![dns::serve(&records)], SOON);
        assert_eq!(check(&verifier, "bounce@a.test", MESSAGE).0.spf, found_as, "{record}");
    }
}

/// RFC 7208 section 4.5.
#[test]
fn two_records_are_an_error() {
    let two = "v=spf1 ip4:192.0.2.1 -all\nv=spf1 -all";
    assert_eq!(found(&[("a.test", two)]).0, Outcome::PermError);
    let one = "v=spf10 -all\nother\nV=SPF1 ip4:192.0.2.1 -all";
    assert_eq!(found(&[("a.test", one)]).0, Outcome::Pass);
}

/// Section 4.6.4: ten terms that ask, and two of them that find nothing.
#[test]
fn what_asks_too_much_is_an_error() {
    let chain = |count: usize| {
        let mut all: Vec<(String, String)> =
            (1..count).map(|at| (format!("{at}.test"), format!("v=spf1 include:{}.test -all", at + 1))).collect();
        all.push((format!("{count}.test"), "v=spf1 ip4:192.0.2.1 -all".to_owned()));
        all.push(("a.test".to_owned(), "v=spf1 include:1.test -all".to_owned()));
        check(&with(&[], all), "bounce@a.test", MESSAGE).0.spf
    };
    assert_eq!((chain(10), chain(11)), (Outcome::Pass, Outcome::PermError));
    let voids = |terms: &str| found(&[("a.test", &format!("v=spf1 {terms} ip4:192.0.2.1 -all"))]).0;
    assert_eq!(voids("a:1.test exists:2.test"), Outcome::Pass);
    assert_eq!(voids("a:1.test exists:2.test mx:3.test"), Outcome::PermError);
}
