//! Each policy by itself and the order of all, on a small town.
use super::*;
use crate::base::AccountId;
use crate::directory::{Address, Change, Directory, Quota, Resolution, Rule, ScopeName};

pub(super) fn at(text: &str) -> Address {
    Address::parse(text).expect("a test's address")
}

fn make(directory: &mut Directory, change: &Change) {
    for event in directory.plan(change, 1000).expect("allowed") {
        directory.apply(&event).expect("it folds");
    }
}

pub(super) fn rule(directory: &mut Directory, scope: ScopeName, text: &str) {
    let rule: Rule = text.parse().expect("a rule");
    assert_eq!(rule.to_string(), text);
    make(directory, &Change::RuleAdd { scope, rule });
}

fn tenant() -> ScopeName {
    ScopeName::Tenant("acme".into())
}

fn account(address: &str) -> ScopeName {
    ScopeName::Account(at(address))
}

/// ann, bob and the group all (with somebody elsewhere) at a.test; eve of another tenant at o.test.
pub(super) fn town() -> Directory {
    let mut directory = Directory::default();
    let member = |address| Change::MemberAdd {
        address: at(address),
        name: String::new(),
        password_hash: None,
        vip: false,
        quota: Quota::Default,
    };
    for (name, domain) in [("acme", "a.test"), ("other", "o.test")] {
        make(&mut directory, &Change::TenantAdd { name: name.into(), title: String::new(), accounts_max: None });
        make(&mut directory, &Change::DomainAdd { tenant: name.into(), domain: domain.into() });
    }
    ["ann@a.test", "bob@a.test", "eve@o.test"].into_iter().for_each(|it| make(&mut directory, &member(it)));
    group(&mut directory, "all@a.test", &["ann@a.test", "bob@a.test", "far@x.test"]);
    directory
}

pub(super) fn group(directory: &mut Directory, address: &str, members: &[&str]) {
    let members = members.iter().map(|member| at(member)).collect();
    make(directory, &Change::GroupAdd { address: at(address), name: String::new(), members });
}

pub(super) fn id(directory: &Directory, address: &str) -> AccountId {
    directory.account_at(&at(address)).expect("an account").id
}

/// What a test says of one message.
#[derive(Clone, Copy)]
struct Mail<'a> {
    origin: Origin,
    sender: &'a str,
    from: &'a str,
    subject: &'a str,
    facts: Facts,
}

fn outside<'a>(sender: &'a str, subject: &'a str) -> Mail<'a> {
    Mail { origin: Origin::Outside, sender, from: sender, subject, facts: Facts::default() }
}

pub(super) fn with_wanted<R>(directory: &Directory, to: &str, then: impl FnOnce(&Wanted<'_>) -> R) -> R {
    let address = at(to);
    let (local, external) = match directory.resolve(&address) {
        Resolution::Recipients { local, external } => (local, external),
        Resolution::NotLocal => (Vec::new(), vec![address.clone()]),
        other => panic!("{to}: {other:?}"),
    };
    then(&Wanted { address: &address, local: &local, external: &external })
}

fn asked(directory: &Directory, counters: &Counters, mail: Mail<'_>, to: &str) -> Option<&'static str> {
    let sender = at(mail.sender);
    let case = Case { directory, origin: mail.origin, sender: Some(&sender), now: 1000, listed: None };
    with_wanted(directory, to, |wanted| at_recipient(&case, counters, wanted, 1).map(|refusal| refusal.stage))
}

fn judged(directory: &Directory, mail: Mail<'_>, to: &str) -> Result<Vec<Copy>, &'static str> {
    let (sender, from) = (at(mail.sender), at(mail.from));
    let case = Case { directory, origin: mail.origin, sender: Some(&sender), now: 1000, listed: None };
    let from = [from];
    let letter =
        Letter { from: &from, subject: mail.subject, facts: mail.facts, obeys_dmarc: true, ..Letter::default() };
    let verdict = with_wanted(directory, to, |wanted| at_message(&case, &letter, wanted));
    verdict.refusal.map_or(Ok(verdict.copies), |refusal| Err(refusal.stage))
}

#[test]
fn the_tenants_list_comes_before_the_members() {
    let mut town = town();
    let none = Counters::default();
    rule(&mut town, account("ann@a.test"), "block spam.test");
    rule(&mut town, account("bob@a.test"), "allow spam.test");
    let mail = outside("x@spam.test", "hello");
    assert_eq!(asked(&town, &none, mail, "ann@a.test"), Some("blocklist"));
    assert_eq!(asked(&town, &none, mail, "bob@a.test"), None);
    // In a group only the one who has blocked it goes without.
    assert_eq!(judged(&town, mail, "all@a.test"), Ok(vec![Copy::Nowhere, Copy::Inbox]));
    assert_eq!(judged(&town, mail, "ann@a.test"), Err("blocklist"));
    rule(&mut town, tenant(), "allow spam.test");
    assert_eq!(asked(&town, &none, mail, "ann@a.test"), None);
    rule(&mut town, tenant(), "block x@spam.test");
    assert_eq!(asked(&town, &none, mail, "bob@a.test"), Some("blocklist"));
    assert_eq!(asked(&town, &none, outside("y@spam.test", ""), "bob@a.test"), None);
    // From counts too, and what members send among themselves does not.
    let from = Mail { from: "x@spam.test", ..outside("fine@fine.test", "") };
    assert_eq!(judged(&town, from, "bob@a.test"), Err("blocklist"));
    let own = Mail { origin: Origin::Member(id(&town, "ann@a.test")), ..from };
    assert_eq!(judged(&town, own, "bob@a.test"), Ok(vec![Copy::Inbox]));
    // Another tenant's member is a stranger, of whom the address is certain.
    rule(&mut town, tenant(), "block o.test");
    let eve = Mail { origin: Origin::Member(id(&town, "eve@o.test")), ..outside("eve@o.test", "hello") };
    assert_eq!(asked(&town, &none, eve, "bob@a.test"), Some("blocklist"));
    assert_eq!(judged(&town, eve, "bob@a.test"), Err("blocklist"));
    assert_eq!(asked(&town, &none, eve, "far@x.test"), None);
}

#[test]
fn another_tenant_of_the_system_is_on_a_list_like_any_other_host() {
    let mut town = town();
    rule(&mut town, tenant(), "block o.test");
    let eve = Mail { origin: Origin::Member(id(&town, "eve@o.test")), ..outside("eve@o.test", "hello") };
    assert_eq!(asked(&town, &Counters::default(), eve, "ann@a.test"), Some("blocklist"));
    assert_eq!(judged(&town, eve, "ann@a.test"), Err("blocklist"));
    let ann = Mail { origin: Origin::Member(id(&town, "ann@a.test")), ..eve };
    assert_eq!(judged(&town, ann, "bob@a.test"), Ok(vec![Copy::Inbox]));
}

#[test]
fn patterns_mean_what_they_say() {
    let mut town = town();
    rule(&mut town, tenant(), "block .bad.test");
    let none = Counters::default();
    let ask = |sender| asked(&town, &none, outside(sender, ""), "ann@a.test");
    assert_eq!(ask("a@bad.test"), Some("blocklist"));
    assert_eq!(ask("a@deep.bad.test"), Some("blocklist"));
    assert_eq!(ask("a@notbad.test"), None);
}

#[test]
fn dmarc_is_obeyed_and_allowlists_do_not_believe_forgeries() {
    let mut town = town();
    let with = |dmarc| Mail { facts: Facts { dmarc, ..Facts::default() }, ..outside("ceo@bank.test", "hi") };
    assert_eq!(judged(&town, with(Dmarc::Fail(Policy::Reject)), "ann@a.test"), Err("dmarc"));
    assert_eq!(judged(&town, with(Dmarc::Fail(Policy::Quarantine)), "ann@a.test"), Ok(vec![Copy::Junk]));
    assert_eq!(judged(&town, with(Dmarc::Fail(Policy::None)), "ann@a.test"), Ok(vec![Copy::Inbox]));
    assert_eq!(judged(&town, with(Dmarc::Pass), "ann@a.test"), Ok(vec![Copy::Inbox]));
    rule(&mut town, tenant(), "allow bank.test");
    assert_eq!(judged(&town, with(Dmarc::Fail(Policy::Reject)), "ann@a.test"), Err("dmarc"));
    assert_eq!(judged(&town, with(Dmarc::Fail(Policy::Quarantine)), "ann@a.test"), Ok(vec![Copy::Junk]));
}

#[test]
fn whom_a_list_names_is_believed_unless_it_was_found_to_be_forged() {
    let mut town = town();
    rule(&mut town, tenant(), "keyword reject casino");
    rule(&mut town, tenant(), "allow partner.test");
    rule(&mut town, ScopeName::Group(at("all@a.test")), "senders members");
    let facts = |spf, dmarc| Facts { spf, dmarc, ..Facts::default() };
    let with = |sender, from, facts| Mail { from, facts, ..outside(sender, "casino") };
    for (mail, told) in [
        (with("x@partner.test", "x@partner.test", facts(Outcome::None, Dmarc::None)), Ok(vec![Copy::Inbox])),
        (with("x@partner.test", "x@partner.test", facts(Outcome::Fail, Dmarc::None)), Err("keyword")),
        (with("x@partner.test", "x@partner.test", facts(Outcome::Fail, Dmarc::Fail(Policy::None))), Err("keyword")),
        // By way of a forwarder, with a signature that holds; and a signature of somebody else's.
        (with("x@partner.test", "x@partner.test", facts(Outcome::Fail, Dmarc::Pass)), Ok(vec![Copy::Inbox])),
        (with("x@partner.test", "me@evil.test", facts(Outcome::Fail, Dmarc::Pass)), Err("keyword")),
    ] {
        assert_eq!(judged(&town, mail, "ann@a.test"), told, "{:?}", mail.facts);
    }
    let group = |facts| judged(&town, Mail { facts, ..outside("far@x.test", "hi") }, "all@a.test");
    assert_eq!(group(facts(Outcome::Pass, Dmarc::None)), Ok(vec![Copy::Inbox; 2]));
    assert_eq!(group(facts(Outcome::Fail, Dmarc::None)), Err("senders"));
    assert_eq!(group(facts(Outcome::Pass, Dmarc::Fail(Policy::None))), Err("senders"));
}

#[test]
fn keywords_are_found_in_any_case_and_allowed_senders_skip_them() {
    let mut town = town();
    rule(&mut town, tenant(), "keyword reject casino");
    rule(&mut town, tenant(), "keyword quarantine \u{53d1}\u{7968}");
    rule(&mut town, account("bob@a.test"), "allow shop.test");
    assert_eq!(judged(&town, outside("x@shop.test", "Best CASINO"), "ann@a.test"), Err("keyword"));
    let invoice = outside("x@shop.test", "\u{4ee3}\u{5f00}\u{53d1}\u{7968}");
    assert_eq!(judged(&town, invoice, "ann@a.test"), Ok(vec![Copy::Junk]));
    assert_eq!(judged(&town, outside("x@shop.test", "\u{ff23}\u{ff41}sino"), "ann@a.test"), Err("keyword"), "wide");
    assert_eq!(judged(&town, invoice, "all@a.test"), Ok(vec![Copy::Junk, Copy::Inbox]));
    assert_eq!(judged(&town, outside("x@shop.test", "casino"), "bob@a.test"), Ok(vec![Copy::Inbox]));
    let ann = Mail { origin: Origin::Member(id(&town, "ann@a.test")), ..outside("ann@a.test", "casino") };
    assert_eq!(judged(&town, ann, "far@x.test"), Err("keyword"));
    // Eve allows ann, and ann's own tenant does not let it pass.
    rule(&mut town, account("eve@o.test"), "allow ann@a.test");
    assert_eq!(judged(&town, ann, "eve@o.test"), Err("keyword"));
    assert_eq!(judged(&town, outside("x@shop.test", "casino"), "eve@o.test"), Ok(vec![Copy::Inbox]));
}

#[test]
fn outbound_scope_and_its_exceptions() {
    let mut town = town();
    let none = Counters::default();
    rule(&mut town, tenant(), "outbound no");
    let from = |address| Mail { origin: Origin::Member(id(&town, address)), ..outside(address, "") };
    let (ann, bob) = (from("ann@a.test"), from("bob@a.test"));
    assert_eq!(asked(&town, &none, ann, "far@x.test"), Some("outbound"));
    assert_eq!(asked(&town, &none, ann, "eve@o.test"), Some("outbound"), "another tenant is outside");
    assert_eq!(asked(&town, &none, ann, "bob@a.test"), None);
    for (name, member, may) in [
        ("team@a.test", "bob@a.test", None),
        ("dept@a.test", "team@a.test", None),
        ("wide@a.test", "all@a.test", Some("outbound")),
        ("wider@a.test", "wide@a.test", Some("outbound")),
    ] {
        group(&mut town, name, &[member]);
        assert_eq!(asked(&town, &none, ann, name), may, "{name}");
    }
    rule(&mut town, account("bob@a.test"), "outbound yes");
    assert_eq!(asked(&town, &none, bob, "far@x.test"), None);
    // The later rule takes the earlier one's place.
    rule(&mut town, account("bob@a.test"), "outbound no");
    assert_eq!(asked(&town, &none, bob, "far@x.test"), Some("outbound"));
}

#[test]
fn rates_are_counted_in_periods() {
    let mut town = town();
    rule(&mut town, tenant(), "rate 2/1h");
    let (ann, sender) = (id(&town, "ann@a.test"), at("ann@a.test"));
    let mut counters = Counters::default();
    let case = |now| Case { directory: &town, origin: Origin::Member(ann), sender: Some(&sender), now, listed: None };
    let ask = |counters: &Counters, now, to: &str, more| {
        with_wanted(&town, to, |wanted| at_recipient(&case(now), counters, wanted, more).map(|refusal| refusal.code))
    };
    let spend = |counters: &mut Counters, now, to: &str, count| {
        with_wanted(&town, to, |wanted| case(now).spend(counters, wanted, count))
    };
    assert_eq!(ask(&counters, 0, "far@x.test", 2), None);
    assert_eq!(ask(&counters, 0, "far@x.test", 3), Some(450));
    let first = spend(&mut counters, 0, "far@x.test", 2).expect("it counts");
    assert!(spend(&mut counters, 0, "bob@a.test", 2).is_none());
    assert_eq!(ask(&counters, 3599, "far@x.test", 1), Some(450));
    assert_eq!(ask(&counters, 3599, "bob@a.test", 1), None, "inside is free");
    assert_eq!(ask(&counters, 3600, "far@x.test", 1), None);
    let second = spend(&mut counters, 3600, "far@x.test", 1).expect("it counts");
    assert_eq!(ask(&counters, 3601, "far@x.test", 1), None);
    assert_eq!(ask(&counters, 3601, "far@x.test", 2), Some(450));
    // What nothing came of is given back, and only to the period that it was taken from.
    counters.give_back(&first);
    assert_eq!(ask(&counters, 3601, "far@x.test", 2), Some(450));
    counters.give_back(&second);
    assert_eq!(ask(&counters, 3601, "far@x.test", 2), None);
}

/// Each member of a group, and of groups in it, who is outside; what another tenant has behind its addresses is its own business.
#[test]
fn a_group_counts_as_those_behind_it_who_are_outside() {
    let mut town = town();
    group(&mut town, "dept@o.test", &["eve@o.test", "one@x.test", "two@x.test"]);
    group(&mut town, "inner@a.test", &["ann@a.test", "one@x.test", "dept@o.test"]);
    group(&mut town, "top@a.test", &["inner@a.test", "eve@o.test", "two@x.test", "bob@a.test", "all@a.test"]);
    rule(&mut town, tenant(), "rate 10/1h");
    let (origin, sender) = (Origin::Member(id(&town, "ann@a.test")), at("ann@a.test"));
    let case = Case { directory: &town, origin, sender: Some(&sender), now: 0, listed: None };
    // What is left of ten, by how much is refused.
    let costs = |to: &str| {
        let mut counters = Counters::default();
        with_wanted(&town, to, |wanted| case.spend(&mut counters, wanted, 1));
        with_wanted(&town, "far@x.test", |far| {
            (0..=10).find(|left| at_recipient(&case, &counters, far, 10 - left).is_none()).expect("some fit")
        })
    };
    for (to, count) in [("all@a.test", 1), ("dept@o.test", 1), ("inner@a.test", 2), ("top@a.test", 5)] {
        assert_eq!(costs(to), count, "{to}");
    }
    let mut counters = Counters::default();
    let ask = |counters: &Counters, to: &str| {
        let refused = with_wanted(&town, to, |wanted| at_recipient(&case, counters, wanted, 1));
        refused.map(|refusal| (refusal.code, refusal.text))
    };
    with_wanted(&town, "top@a.test", |wanted| case.spend(&mut counters, wanted, 1));
    assert_eq!(ask(&counters, "top@a.test"), None);
    with_wanted(&town, "far@x.test", |wanted| case.spend(&mut counters, wanted, 1));
    let full = "ann@a.test has sent to 6 of 10 recipients outside, and behind this address are 5; try again later";
    assert_eq!(ask(&counters, "top@a.test"), Some((450, full.into())));
    assert_eq!(ask(&counters, "all@a.test"), None);
    // A group that fits into no period is not to be tried again.
    let many: Vec<String> = (0..11).map(|number| format!("m{number}@x.test")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let mut town = town.clone();
    group(&mut town, "many@a.test", &many);
    let case = Case { directory: &town, ..case };
    let refused = with_wanted(&town, "many@a.test", |wanted| at_recipient(&case, &Counters::default(), wanted, 1));
    assert_eq!(refused.map(|refusal| (refusal.code, refusal.status)), Some((550, "5.7.1")));
}

#[test]
fn a_tenant_has_a_rate_for_all_its_members_together() {
    let mut town = town();
    rule(&mut town, tenant(), "rate 2/1h");
    rule(&mut town, tenant(), "tenant-rate 3/1d");
    rule(&mut town, account("bob@a.test"), "rate 100/1h");
    let mut counters = Counters::default();
    let sender = at("ann@a.test");
    let with = |counters: &mut Counters, who: &str, count| {
        let origin = Origin::Member(id(&town, who));
        let case = Case { directory: &town, origin, sender: Some(&sender), now: 1000, listed: None };
        with_wanted(&town, "far@x.test", |wanted| {
            let refused = at_recipient(&case, counters, wanted, count).map(|refusal| refusal.text);
            if refused.is_none() {
                case.spend(counters, wanted, count);
            }
            refused
        })
    };
    assert_eq!(with(&mut counters, "ann@a.test", 2), None);
    assert!(with(&mut counters, "ann@a.test", 1).is_some_and(|text| text.starts_with("ann@a.test has sent to 2 of 2")));
    assert_eq!(with(&mut counters, "bob@a.test", 1), None);
    let refused = with(&mut counters, "bob@a.test", 1);
    assert!(refused.is_some_and(|text| text.starts_with("your organisation has sent to 3 of 3")));
    assert_eq!(with(&mut counters, "eve@o.test", 50), None, "another tenant's");
}

#[test]
fn what_is_suspicious_is_not_sent_on_to_other_hosts() {
    let mut town = town();
    group(&mut town, "dept@o.test", &["ann@a.test"]);
    group(&mut town, "top@a.test", &["bob@a.test", "dept@o.test", "far@x.test"]);
    group(&mut town, "away@a.test", &["far@x.test"]);
    let judge = |town: &Directory, origin, to: &str, advice| {
        let sender = at("s@x.test");
        let case = Case { directory: town, origin, sender: Some(&sender), now: 1000, listed: None };
        let letter = Letter { advice, ..Letter::default() };
        let verdict = with_wanted(town, to, |wanted| at_message(&case, &letter, wanted));
        let names: Vec<String> = verdict.external.iter().map(ToString::to_string).collect();
        (verdict.copies, names.join(" "), verdict.refusal.map(|refusal| refusal.stage))
    };
    let (none, both) = (String::new(), "dept@o.test far@x.test".to_owned());
    let outside = Origin::Outside;
    assert_eq!(judge(&town, outside, "top@a.test", Advice::None), (vec![Copy::Inbox], both.clone(), None));
    for advice in [Advice::Junk, Advice::Quarantine] {
        let dept = "dept@o.test".to_owned();
        assert_eq!(judge(&town, outside, "top@a.test", advice), (vec![Copy::Junk], dept, None));
        assert_eq!(judge(&town, outside, "away@a.test", advice), (vec![], none.clone(), Some("elsewhere")));
    }
    // What a member writes to somebody elsewhere is no mail that is passed on; but nothing that is put aside leaves.
    let ann = Origin::Member(id(&town, "ann@a.test"));
    assert_eq!(judge(&town, ann, "far@x.test", Advice::Junk).1, "far@x.test");
    assert_eq!(judge(&town, ann, "far@x.test", Advice::Quarantine).2, Some("elsewhere"));
    rule(&mut town, tenant(), "allow x.test");
    assert_eq!(judge(&town, outside, "top@a.test", Advice::Junk), (vec![Copy::Inbox], both, None));
    // A forged reverse-path is on nobody's list.
    let sender = at("s@x.test");
    let case = Case { directory: &town, origin: outside, sender: Some(&sender), now: 1000, listed: None };
    let facts = Facts { spf: Outcome::Fail, ..Facts::default() };
    let letter = Letter { advice: Advice::Junk, facts, ..Letter::default() };
    let verdict = with_wanted(&town, "top@a.test", |wanted| at_message(&case, &letter, wanted));
    assert_eq!(verdict.external, [at("dept@o.test")]);
}

#[test]
fn groups_say_who_may_send() {
    let mut town = town();
    let none = Counters::default();
    let group = || ScopeName::Group(at("all@a.test"));
    let eve = Mail { origin: Origin::Member(id(&town, "eve@o.test")), ..outside("eve@o.test", "") };
    let ann = Mail { origin: Origin::Member(id(&town, "ann@a.test")), ..outside("ann@a.test", "") };
    assert_eq!(asked(&town, &none, outside("a@x.test", ""), "all@a.test"), None);
    rule(&mut town, group(), "senders tenant");
    assert_eq!(asked(&town, &none, ann, "all@a.test"), None);
    assert_eq!(asked(&town, &none, eve, "all@a.test"), Some("senders"));
    // A host that calls itself ann has not logged in.
    assert_eq!(asked(&town, &none, outside("ann@a.test", ""), "all@a.test"), Some("senders"));
    rule(&mut town, group(), "senders members");
    assert_eq!(asked(&town, &none, outside("far@x.test", ""), "all@a.test"), None);
    rule(&mut town, group(), "senders eve@o.test");
    assert_eq!(asked(&town, &none, eve, "all@a.test"), None);
}

#[test]
fn representatives_send_as_their_group() {
    let mut town = town();
    let (ann, bob, all) = (id(&town, "ann@a.test"), id(&town, "bob@a.test"), at("all@a.test"));
    assert!(!town.may_send_as(ann, &all));
    rule(&mut town, ScopeName::Group(all.clone()), "representative ann@a.test");
    assert!(town.may_send_as(ann, &all) && !town.may_send_as(bob, &all));
    let stranger: Rule = "representative eve@o.test".parse().expect("a rule");
    let refused = town.plan(&Change::RuleAdd { scope: ScopeName::Group(all), rule: stranger }, 0);
    assert!(refused.is_err(), "of another tenant");
}

#[test]
fn mail_for_unknown_addresses_is_transferred() {
    let mut town = town();
    assert_eq!(town.resolve(&at("nobody@a.test")), Resolution::Unknown);
    rule(&mut town, ScopeName::Domain("a.test".into()), "catch-all bob@a.test");
    assert_eq!(judged(&town, outside("x@x.test", ""), "nobody@a.test"), Ok(vec![Copy::Transfer]));
    assert_eq!(judged(&town, outside("x@x.test", ""), "ann+tag@a.test"), Ok(vec![Copy::Inbox]));
    assert_eq!(town.resolve(&at("nobody@o.test")), Resolution::Unknown);
    // What it names has gone, so the address is unknown again.
    make(&mut town, &Change::AccountRemove { address: at("bob@a.test") });
    assert_eq!(town.resolve(&at("bob@a.test")), Resolution::Unknown);
}

#[test]
fn hosts_on_blocklists_are_refused_or_suspected_unless_the_sender_is_allowed() {
    let mut town = town();
    let (none, sender) = (Counters::default(), at("s@x.test"));
    let listed = |score| Some(Listed { score, reject_from: Some(5), junk_from: Some(3), told: "192.0.2.7 bad.test" });
    let with = |town: &Directory, score| {
        let (origin, sender) = (Origin::Outside, Some(&sender));
        let case = Case { directory: town, origin, sender, now: 1000, listed: listed(score) };
        with_wanted(town, "ann@a.test", |wanted| {
            let refused = at_recipient(&case, &none, wanted, 1).map(|refusal| refusal.text);
            (refused, at_message(&case, &Letter::default(), wanted).copies)
        })
    };
    assert_eq!(with(&town, 2), (None, vec![Copy::Inbox]));
    assert_eq!(with(&town, 4), (None, vec![Copy::Junk]));
    let (refused, _) = with(&town, 5);
    assert_eq!(refused.as_deref(), Some("your host is on blocklists: 192.0.2.7 bad.test"));
    rule(&mut town, account("ann@a.test"), "allow x.test");
    assert_eq!(with(&town, 9), (None, vec![Copy::Inbox]));
    // The allowlist has believed the reverse-path until it was checked.
    let case = Case { directory: &town, origin: Origin::Outside, sender: Some(&sender), now: 1000, listed: listed(9) };
    let letter = Letter { facts: Facts { spf: Outcome::Fail, ..Facts::default() }, ..Letter::default() };
    let verdict = with_wanted(&town, "ann@a.test", |wanted| at_message(&case, &letter, wanted));
    assert_eq!(verdict.refusal.map(|refusal| refusal.stage), Some("dnsbl"));
}

#[test]
fn who_is_allowed_skips_what_a_filter_suspects_and_not_what_it_puts_aside() {
    let mut town = town();
    let sender = at("s@x.test");
    let with = |town: &Directory, advice| {
        let case = Case { directory: town, origin: Origin::Outside, sender: Some(&sender), now: 1000, listed: None };
        let letter = Letter { advice, ..Letter::default() };
        with_wanted(town, "ann@a.test", |wanted| at_message(&case, &letter, wanted).copies)
    };
    assert_eq!(with(&town, Advice::Junk), [Copy::Junk]);
    rule(&mut town, account("ann@a.test"), "allow x.test");
    assert_eq!(with(&town, Advice::Junk), [Copy::Inbox]);
    assert_eq!(with(&town, Advice::Quarantine), [Copy::Junk]);
}
