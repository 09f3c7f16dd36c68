//! What is allowed, what each refusal says, and what an address means then.
use super::super::{AccountPatch, Address, Change, Permission, Quota, Resolution, Rule, ScopeName};
use super::{alias, at, business, domain, group, id_of, make, member, set, tenant, town};
use crate::base::{AccountId, Bound, Error, limits};

#[test]
fn refusals_name_the_thing_and_what_is_allowed() {
    let directory = town();
    let remove = |address: &str| Change::AccountRemove { address: at(address) };
    let users = |address: &str| AccountPatch { users_add: vec![at(address)], ..AccountPatch::default() };
    for (change, says) in [
        (tenant("acme"), "tenant acme exists already"),
        (tenant("Acme Ltd"), "small letters"),
        (Change::TenantRemove { name: "acme".into() }, "3 accounts and 1 domains"),
        (Change::AccountRestore { id: AccountId(1), address: None }, "account 1 in the recycle bin does not exist"),
        (Change::AccountPurgeBegin { id: AccountId(9) }, "account 9 in the recycle bin does not exist"),
        (Change::TenantRemove { name: "none".into() }, "tenant none does not exist"),
        (domain("none", "x.example"), "tenant none does not exist"),
        (domain("other", "ACME.example"), "domain acme.example exists already"),
        (domain("other", "no domain"), "valid name"),
        (Change::DomainRemove { domain: "acme.example".into() }, "used by 5 addresses"),
        (member("ann@acme.example"), "account ann@acme.example exists already"),
        (member("Robert@acme.example"), "alias robert@acme.example of bob@acme.example exists already"),
        (member("all@acme.example"), "group all@acme.example exists already"),
        (member("ann@nowhere.example"), "domain nowhere.example of ann@nowhere.example does not exist"),
        (alias("ann@acme.example", "eve2@other.example"), "domain other.example in the tenant of ann@acme.example"),
        (alias("none@acme.example", "n@acme.example"), "account none@acme.example does not exist"),
        (alias("all@acme.example", "n@acme.example"), "is a group"),
        (remove("robert@acme.example"), "own address bob@acme.example"),
        (business("b@acme.example", &["eve@other.example"]), "member eve@other.example of the business mailbox's"),
        (business("b@acme.example", &["sales@acme.example"]), "member sales@acme.example of the business mailbox's"),
        (set("ann@acme.example", users("bob@acme.example")), "only a business mailbox has users"),
        (set("sales@acme.example", AccountPatch { vip: Some(true), ..AccountPatch::default() }), "only a member"),
        (group("g@acme.example", &["g@acme.example"]), "its own member"),
        (group("g@acme.example", &["none@acme.example"]), "none@acme.example, named as a member"),
        (Change::GroupRemove { address: at("ann@acme.example") }, "group ann@acme.example does not exist"),
    ] {
        let error = directory.plan(&change, 0).expect_err("refused").to_string();
        assert!(error.contains(says), "{change:?} says {error:?}, not {says:?}");
    }
}

#[test]
fn bounds_hold() {
    let mut town = town();
    for n in 0..limits::ALIASES_MAX {
        make(&mut town, alias("ann@acme.example", &format!("ann{n}@acme.example"))).expect("within the bound");
    }
    let error = make(&mut town, alias("ann@acme.example", "more@acme.example")).expect_err("one too many");
    assert!(matches!(error, Error::Limit(_)), "{error}");
    let three = Change::TenantSet { name: "acme".into(), title: None, accounts_max: Some(3), disabled: None };
    make(&mut town, three.clone()).expect("as many as there are");
    let error = make(&mut town, member("more@acme.example")).expect_err("one too many");
    assert!(error.to_string().contains("has 3 accounts and may have 3"), "{error}");
    make(&mut town, Change::AccountRemove { address: at("bob@acme.example") }).expect("room again");
    make(&mut town, member("more@acme.example")).expect("room again");
    let Change::TenantSet { name, .. } = three else { unreachable!("made above") };
    let two = Change::TenantSet { name, title: None, accounts_max: Some(2), disabled: None };
    assert!(make(&mut town, two).is_err(), "fewer than there are");
}

fn local(resolution: Resolution) -> Vec<String> {
    match resolution {
        Resolution::Recipients { local, .. } => local.iter().map(|recipient| recipient.address.to_string()).collect(),
        other => vec![format!("{other:?}")],
    }
}

#[test]
fn addresses_mean_accounts() {
    let town = town();
    let resolve = |text: &str| town.resolve(&at(text));
    assert_eq!(resolve("far@away.example"), Resolution::NotLocal);
    assert_eq!(resolve("none@acme.example"), Resolution::Unknown);
    assert_eq!(local(resolve("Robert@ACME.example")), ["bob@acme.example"]);
    assert_eq!(local(resolve("sales@acme.example")), ["sales@acme.example"]);
    assert_eq!(local(resolve("all@acme.example")), ["ann@acme.example", "bob@acme.example"], "bob once");
    let Resolution::Recipients { external, local } = resolve("all@acme.example") else { panic!("a group") };
    assert_eq!(external, [at("far@away.example")]);
    assert_eq!(local[0].bound, Some(Bound::of_bytes(limits::QUOTA_BYTES_DEFAULT)));
}

#[test]
fn a_group_of_another_tenant_is_sent_on_and_not_opened() {
    let mut town = town();
    make(&mut town, group("g@other.example", &["all@acme.example", "ann@acme.example", "no@acme.example"]))
        .expect("ok");
    let Resolution::Recipients { local, external } = town.resolve(&at("g@other.example")) else { panic!("a group") };
    assert_eq!(local.len(), 1, "ann");
    assert_eq!(external, [at("all@acme.example")]);
}

#[test]
fn the_disabled_neither_log_in_nor_send_nor_receive() {
    let mut town = town();
    let off = AccountPatch { disabled: Some(true), ..AccountPatch::default() };
    let bob = id_of(&town, "bob@acme.example");
    assert!(town.may_send_as(bob, &at("robert@acme.example")));
    make(&mut town, set("robert@acme.example", off)).expect("by alias");
    assert!(town.login("bob@acme.example").is_none());
    assert!(!town.may_send_as(bob, &at("robert@acme.example")));
    assert_eq!(town.resolve(&at("bob@acme.example")), Resolution::Disabled);
    assert_eq!(local(town.resolve(&at("all@acme.example"))), ["ann@acme.example"]);
    let off = Change::TenantSet { name: "acme".into(), title: None, accounts_max: None, disabled: Some(true) };
    make(&mut town, off).expect("a tenant off");
    assert_eq!(town.resolve(&at("all@acme.example")), Resolution::Disabled);
    assert_eq!(town.resolve(&at("ann@acme.example")), Resolution::Disabled);
    assert!(town.login("ann@acme.example").is_none() && town.login("eve@other.example").is_some());
}

#[test]
fn logins_go_by_any_own_address_in_any_case() {
    let town = town();
    let who = |name: &str| town.login(name).map(|account| account.address.to_string());
    assert_eq!(who("BOB@Acme.example").as_deref(), Some("bob@acme.example"));
    assert_eq!(who("Robert@acme.example").as_deref(), Some("bob@acme.example"));
    assert_eq!((who("all@acme.example"), who("bob"), who("")), (None, None, None));
}

#[test]
fn people_send_as_themselves_and_their_business_mailboxes() {
    let mut town = town();
    make(&mut town, alias("sales@acme.example", "shop@acme.example")).expect("an alias");
    let (ann, bob) = (id_of(&town, "ann@acme.example"), id_of(&town, "bob@acme.example"));
    for (who, whose, may) in [
        (ann, "ann@acme.example", true),
        (ann, "sales@acme.example", true),
        (ann, "shop@acme.example", true),
        (ann, "bob@acme.example", false),
        (bob, "robert@acme.example", true),
        (bob, "sales@acme.example", false),
        (bob, "all@acme.example", false),
        (bob, "far@away.example", false),
    ] {
        assert_eq!(town.may_send_as(who, &at(whose)), may, "{who} as {whose}");
    }
    let opened: Vec<String> = town.business_of(ann).map(|account| account.address.to_string()).collect();
    assert_eq!(opened, ["sales@acme.example"]);
}

#[test]
fn the_removed_leave_no_trace_and_no_id() {
    let mut town = town();
    let old = id_of(&town, "ann@acme.example");
    make(&mut town, Change::AccountRemove { address: at("ann@acme.example") }).expect("removed");
    make(&mut town, Change::AliasRemove { alias: at("robert@acme.example") }).expect("removed");
    town.check().expect("all tables agree");
    let members: Vec<Address> = town.group(&at("all@acme.example")).expect("still there").members.clone();
    assert_eq!(members, [at("bob@acme.example"), at("far@away.example")]);
    assert!(town.account_at(&at("sales@acme.example")).is_some_and(|sales| sales.users.is_empty()));
    make(&mut town, member("ann@acme.example")).expect("the address is free");
    assert!(id_of(&town, "ann@acme.example") > old);
    assert_eq!(local(town.resolve(&at("all@acme.example"))), ["bob@acme.example"], "the new ann is not in it");
}

#[test]
fn the_removed_come_back_with_what_is_still_to_be_had() {
    let mut town = town();
    let remove = |address: &str| Change::AccountRemove { address: at(address) };
    let restore = |id, address: Option<&str>| Change::AccountRestore { id, address: address.map(at) };
    let (ann, bob, sales) =
        (id_of(&town, "ann@acme.example"), id_of(&town, "bob@acme.example"), id_of(&town, "sales@acme.example"));
    for address in ["sales@acme.example", "bob@acme.example"] {
        make(&mut town, remove(address)).expect("removed");
    }
    assert_eq!(town.resolve(&at("robert@acme.example")), Resolution::Unknown);
    assert_eq!(town.tenant_named("acme").map(|acme| acme.accounts), Some(1));
    let binned: Vec<AccountId> = town.removed(None).map(|removed| removed.account.id).collect();
    assert_eq!(binned, [bob, sales]);
    make(&mut town, restore(bob, None)).expect("his address is free");
    assert_eq!(local(town.resolve(&at("robert@acme.example"))), ["bob@acme.example"]);
    make(&mut town, remove("bob@acme.example")).expect("removed again");
    make(&mut town, member("robert@acme.example")).expect("his alias is free");
    make(&mut town, member("bob@acme.example")).expect("his address is free");
    let error = make(&mut town, restore(bob, None)).expect_err("taken").to_string();
    assert!(error.contains("account bob@acme.example exists already"), "{error}");
    let error = make(&mut town, restore(bob, Some("bob@other.example"))).expect_err("another tenant's").to_string();
    assert!(error.contains("domain other.example in the tenant of bob@acme.example"), "{error}");
    make(&mut town, restore(bob, Some("old.bob@acme.example"))).expect("another address");
    assert!(town.account(bob).is_some_and(|bob| bob.aliases.is_empty()), "the alias is another's");
    make(&mut town, restore(sales, None)).expect("free");
    assert!(town.business_of(ann).any(|opened| opened.id == sales), "ann opens it again");
    town.check().expect("all tables agree");
}

#[test]
fn the_purged_never_come_back() {
    let mut town = town();
    let bob = id_of(&town, "bob@acme.example");
    make(&mut town, Change::AccountRemove { address: at("bob@acme.example") }).expect("removed");
    assert!(make(&mut town, Change::AccountPurgeEnd { id: bob }).is_err(), "it was not begun");
    for _ in 0..2 {
        make(&mut town, Change::AccountPurgeBegin { id: bob }).expect("begun, once or twice");
    }
    let error = make(&mut town, Change::AccountRestore { id: bob, address: None }).expect_err("too late").to_string();
    assert!(error.contains("the purge of bob@acme.example has begun"), "{error}");
    make(&mut town, Change::AccountPurgeEnd { id: bob }).expect("ended");
    assert_eq!(town.removed(None).count(), 0);
    assert!(make(&mut town, Change::AccountPurgeEnd { id: bob }).is_err(), "nothing is left");
    town.check().expect("all tables agree");
}

#[test]
fn a_tenant_with_a_full_bin_stays() {
    let mut town = town();
    make(&mut town, Change::AccountRemove { address: at("eve@other.example") }).expect("removed");
    make(&mut town, Change::DomainRemove { domain: "other.example".into() }).expect("nobody uses it");
    let gone = || Change::TenantRemove { name: "other".into() };
    let error = make(&mut town, gone()).expect_err("eve's mail is hers").to_string();
    assert!(error.contains("1 removed mailboxes of tenant other are in the recycle bin"), "{error}");
    let eve = town.removed(None).next().expect("eve").account.id;
    let error = make(&mut town, Change::AccountRestore { id: eve, address: None }).expect_err("no domain").to_string();
    assert!(error.contains("domain other.example of eve@other.example does not exist"), "{error}");
    for change in [Change::AccountPurgeBegin { id: eve }, Change::AccountPurgeEnd { id: eve }, gone()] {
        make(&mut town, change).expect("allowed");
    }
}

#[test]
fn quotas_follow_kind_and_override() {
    let mut town = town();
    let bound = |town: &super::Directory| town.account_at(&at("ann@acme.example")).map(|ann| ann.quota_bytes_max());
    let patch = AccountPatch::default;
    for (change, expected) in [
        (AccountPatch { vip: Some(true), ..patch() }, None),
        (AccountPatch { quota: Some(Quota::Bytes(5)), ..patch() }, Some(5)),
        (AccountPatch { quota: Some(Quota::Default), vip: Some(false), ..patch() }, Some(1 << 30)),
        (AccountPatch { quota: Some(Quota::Unlimited), ..patch() }, None),
    ] {
        make(&mut town, set("ann@acme.example", change)).expect("allowed");
        assert_eq!(bound(&town), Some(expected));
    }
}

#[test]
fn members_administer_while_they_are_told_to() {
    let mut town = town();
    let rule = || "admin quotas".parse::<Rule>().expect("a rule");
    let add = |scope: ScopeName| Change::RuleAdd { scope, rule: rule() };
    let account = |address: &str| ScopeName::Account(at(address));
    for (scope, says) in [
        (ScopeName::Tenant("acme".into()), "admin for members"),
        (account("sales@acme.example"), "only a member administers"),
        (account("none@acme.example"), "does not exist"),
    ] {
        let error = make(&mut town, add(scope)).expect_err("refused").to_string();
        assert!(error.contains(says), "{error:?} says {says:?}");
    }
    let ann = id_of(&town, "ann@acme.example");
    assert!(!town.administers(ann, Permission::Quotas));
    make(&mut town, add(account("ann@acme.example"))).expect("a member");
    assert!(town.administers(ann, Permission::Quotas));
    make(&mut town, Change::RuleRemove { scope: account("ann@acme.example"), rule: rule() }).expect("it was there");
    assert!(!town.administers(ann, Permission::Quotas));
}

#[test]
fn an_account_may_hold_so_many_messages() {
    let mut town = town();
    let add = |text: &str| Change::RuleAdd {
        scope: ScopeName::Account(at("ann@acme.example")),
        rule: text.parse().expect("a rule"),
    };
    let bound = |town: &super::super::Directory| {
        town.bound(town.account(id_of(town, "ann@acme.example")).expect("ann"))
            .map(|bound| (bound.bytes_max, bound.messages_max))
    };
    let gib = limits::QUOTA_BYTES_DEFAULT;
    assert_eq!(bound(&town), Some((gib, u64::MAX)));
    make(&mut town, add("messages 7")).expect("made");
    make(&mut town, add("messages 5")).expect("in its place");
    assert_eq!(bound(&town), Some((gib, 5)));
    let unlimited = AccountPatch { quota: Some(Quota::Unlimited), ..AccountPatch::default() };
    make(&mut town, set("ann@acme.example", unlimited)).expect("set");
    assert_eq!(bound(&town), Some((u64::MAX, 5)));
    let remove = Change::RuleRemove {
        scope: ScopeName::Account(at("ann@acme.example")),
        rule: "messages 5".parse().expect("a rule"),
    };
    make(&mut town, remove).expect("removed");
    assert_eq!(bound(&town), None);
    for bad in ["messages", "messages x", "messages -1", "messages 4294967296"] {
        assert!(bad.parse::<Rule>().is_err(), "{bad}");
    }
}

#[test]
fn mail_leaves_as_the_domain_says_and_else_as_its_tenant_does() {
    let mut town = town();
    let tenant = || ScopeName::Tenant("acme".into());
    let domain = || ScopeName::Domain("acme.example".into());
    let add = |scope: ScopeName, text: &str| Change::RuleAdd { scope, rule: text.parse().expect(text) };
    let relay = |town: &super::super::Directory| town.way_out("acme.example").relay.map(|relay| relay.to_string());
    assert_eq!(town.way_out("acme.example"), super::super::WayOut::default());
    make(&mut town, add(tenant(), "relay out.acme.example:587 user=acme password=geheim")).expect("made");
    make(&mut town, add(tenant(), "source 192.0.2.1")).expect("made");
    make(&mut town, add(tenant(), "source 2001:db8::1")).expect("beside the other");
    make(&mut town, add(tenant(), "block .spam.example")).expect("made");
    make(&mut town, add(domain(), "source 192.0.2.2")).expect("made");
    let way = town.way_out("acme.example");
    assert_eq!(way.relay.as_ref().map(|relay| relay.password.reveal()), Some("geheim"));
    assert_eq!(way.source_ipv4, Some([192, 0, 2, 2].into()), "the domain's own");
    assert_eq!(way.source_ipv6.map(|ip| ip.to_string()).as_deref(), Some("2001:db8::1"));
    assert_eq!(town.way_out("other.example"), super::super::WayOut::default());
    make(&mut town, add(domain(), "relay 192.0.2.9:25 tls=none")).expect("made");
    make(&mut town, add(domain(), "relay 192.0.2.10:25 tls=none")).expect("in its place");
    assert_eq!(relay(&town).as_deref(), Some("192.0.2.10:25 tls=none"));
    // Whoever takes it back need not know the password.
    let remove = |scope: ScopeName, text: &str| Change::RuleRemove { scope, rule: text.parse().expect(text) };
    make(&mut town, remove(domain(), "relay 192.0.2.10:25")).expect("removed");
    assert_eq!(relay(&town).as_deref(), Some("out.acme.example:587 tls=verified user=\"acme\""));
    make(&mut town, remove(tenant(), "relay out.acme.example:587")).expect("removed");
    assert_eq!(relay(&town), None);
    for (change, says) in [
        (
            add(ScopeName::Account(at("ann@acme.example")), "source 192.0.2.1"),
            "relay and source for tenants and domains",
        ),
        (add(tenant(), "relay x.example:25 user=acme"), "a user and a password (by --password-stdin), or neither"),
        (
            add(tenant(), "relay x.example:25 password=geheim"),
            "a user and a password (by --password-stdin), or neither",
        ),
        (remove(tenant(), "relay x.example:25 user=a password=geheim"), "does not exist"),
    ] {
        let error = make(&mut town, change).expect_err("refused").to_string();
        assert!(error.contains(says) && !error.contains("geheim"), "{error:?} says {says:?}");
    }
}

/// What a refusal lists is what is taken, all of it.
#[test]
fn a_refused_rule_names_every_kind_there_is() {
    let error = "nothing of it".parse::<Rule>().expect_err("no rule").to_string();
    let listed: Vec<&str> = error.split_once("allowed: ").expect("a list").1.split(", ").collect();
    for rule in [
        "block x.example",
        "allow x.example",
        "keyword reject x",
        "outbound no",
        "rate 5/1d",
        "tenant-rate 5/1d",
        "catch-all a@x.example",
        "senders tenant",
        "representative a@x.example",
        "forward a@x.example",
        "forward-only a@x.example",
        "away days=7 text=\"x\"",
        "sieve \"keep;\"",
        "admin quotas",
        "messages 5",
        "pop3 keep",
        "relay a.example:25",
        "source 192.0.2.1",
    ] {
        rule.parse::<Rule>().unwrap_or_else(|error| panic!("{rule}: {error}"));
        let word = rule.split(' ').next().expect("a word");
        assert!(listed.iter().any(|one| one.split(' ').next() == Some(word)), "{word} in {error}");
    }
}

#[test]
fn groups_stand_in_groups_and_never_in_circles() {
    let mut town = town();
    let add = |address: &str, members: &[&str]| Change::GroupSet {
        address: at(address),
        name: None,
        members_add: members.iter().map(|member| at(member)).collect(),
        members_remove: Vec::new(),
    };
    make(&mut town, group("dept@acme.example", &["all@acme.example", "ann@acme.example"])).expect("a group in a group");
    make(&mut town, group("firm@acme.example", &["dept@acme.example"])).expect("and in another");
    for inner in ["firm@acme.example", "dept@acme.example"] {
        let error = make(&mut town, add("all@acme.example", &[inner])).expect_err("a circle").to_string();
        assert!(error.contains("mail would go in circles"), "{error}");
    }
    let Resolution::Recipients { local, external } = town.resolve(&at("dept@acme.example")) else { panic!("a group") };
    assert_eq!((local.len(), external), (1, vec![at("all@acme.example")]));
    // Who takes the address of a removed group is no member in its place.
    make(&mut town, Change::GroupRemove { address: at("all@acme.example") }).expect("away");
    make(&mut town, member("all@acme.example")).expect("free");
    let dept = town.group(&at("dept@acme.example")).expect("a group");
    assert_eq!(dept.members, [at("ann@acme.example")]);
    // With it the one that had only it as member has nobody.
    make(&mut town, Change::GroupRemove { address: at("dept@acme.example") }).expect("away");
    assert_eq!(town.resolve(&at("firm@acme.example")), Resolution::Disabled);
}
