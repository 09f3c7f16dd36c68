//! Random histories of changes: the log replayed, the snapshot read and changes planned one by one lead to one state.
use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::super::access::{KeyPair, dummy_salt};
use super::super::{
    AccessChange, AccountPatch, AclChange, AclMode, Address, Algorithm, Change, Directory, Event, Filter, Grantee,
    KeyState, LoginKeys, LoginRulesPatch, Protocols, Quota, Resolution, Rule, ScopeName, SigningKey, Whose,
};
use super::at;
use crate::base::bytes::Reader;
use crate::base::{AccountId, Error, MailboxId, Result, TenantId};

const TENANTS: [&str; 3] = ["acme", "other", "third"];
const DOMAINS: [&str; 4] = ["a.example", "b.example", "c.example", "far.example"];
const LOCALS: [&str; 5] = ["ann", "bob", "cay", "all", "sales"];

/// So few, and most of them in one domain, that changes meet each other.
fn address() -> impl Strategy<Value = Address> {
    let domain =
        prop_oneof![8 => Just(DOMAINS[0]), 2 => Just(DOMAINS[1]), 1 => Just(DOMAINS[2]), 1 => Just(DOMAINS[3])];
    (select(&LOCALS[..]), domain).prop_map(|(local, domain)| at(&format!("{local}@{domain}")))
}

fn addresses() -> impl Strategy<Value = Vec<Address>> {
    prop_oneof![2 => Just(Vec::new()), 3 => vec(address(), 1..4)]
}

fn quota() -> impl Strategy<Value = Quota> {
    prop_oneof![Just(Quota::Default), Just(Quota::Unlimited), any::<u64>().prop_map(Quota::Bytes)]
}

fn hash() -> impl Strategy<Value = Option<String>> {
    let known = "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA";
    prop_oneof![8 => Just(None), 8 => Just(Some(known.to_string())), 1 => Just(Some("plain".to_string()))]
}

fn patch() -> impl Strategy<Value = AccountPatch> {
    let settings = (proptest::option::of("[a-z]{0,3}"), hash(), any::<Option<bool>>(), proptest::option::of(quota()));
    (settings, any::<Option<bool>>(), addresses(), addresses()).prop_map(
        |((name, password_hash, vip, quota), disabled, users_add, users_remove)| AccountPatch {
            name,
            password_hash,
            vip,
            quota,
            disabled,
            users_add,
            users_remove,
        },
    )
}

fn tenant_change() -> impl Strategy<Value = Change> {
    let name = || select(&TENANTS[..]).prop_map(String::from);
    let domain = || select(&DOMAINS[..3]).prop_map(String::from);
    prop_oneof![
        3 => (name(), proptest::option::of(0..9u32))
            .prop_map(|(name, accounts_max)| Change::TenantAdd { title: name.clone(), name, accounts_max }),
        1 => (name(), proptest::option::of("[A-Z]{1,3}"), proptest::option::of(0..9u32), any::<Option<bool>>())
            .prop_map(|(name, title, accounts_max, disabled)| {
                Change::TenantSet { name, title, accounts_max, disabled }
            }),
        1 => name().prop_map(|name| Change::TenantRemove { name }),
        4 => (name(), domain()).prop_map(|(tenant, domain)| Change::DomainAdd { tenant, domain }),
        1 => domain().prop_map(|domain| Change::DomainRemove { domain }),
    ]
}

fn account_change() -> impl Strategy<Value = Change> {
    let name = || "[a-z]{0,3}";
    prop_oneof![
        6 => (address(), name(), hash(), any::<bool>(), quota())
            .prop_map(|(address, name, password_hash, vip, quota)| {
                Change::MemberAdd { address, name, password_hash, vip, quota }
            }),
        3 => (address(), name(), hash(), quota(), addresses())
            .prop_map(|(address, name, password_hash, quota, users)| {
                Change::BusinessAdd { address, name, password_hash, quota, users }
            }),
        3 => (address(), patch()).prop_map(|(address, set)| Change::AccountSet { address, set }),
        2 => address().prop_map(|address| Change::AccountRemove { address }),
        2 => (id(), proptest::option::weighted(0.3, address()))
            .prop_map(|(id, address)| Change::AccountRestore { id, address }),
        1 => id().prop_map(|id| Change::AccountPurgeBegin { id }),
        1 => id().prop_map(|id| Change::AccountPurgeEnd { id }),
        4 => (address(), address()).prop_map(|(account, alias)| Change::AliasAdd { account, alias }),
        2 => address().prop_map(|alias| Change::AliasRemove { alias }),
    ]
}

/// Of one of the first accounts.
fn id() -> impl Strategy<Value = AccountId> {
    (1..12u64).prop_map(AccountId)
}

const SECRET: [u8; 32] = [7; 32];

/// Keys with the salt of an address, most of the time; making real ones would take too long.
fn keys(of: &Address, known: u8) -> Box<LoginKeys> {
    let salt = if known == 0 { [0; 16] } else { dummy_salt(&SECRET, of.as_str()) };
    let (sha1, sha256) =
        (KeyPair { stored: [known; 20], server: [1; 20] }, KeyPair { stored: [known; 32], server: [1; 32] });
    Box::new(LoginKeys { salt, iterations: 4096, sha1, sha256 })
}

fn protocols() -> impl Strategy<Value = Protocols> {
    (0..8u8).prop_filter_map("three bits", Protocols::from_bits)
}

fn rules() -> impl Strategy<Value = LoginRulesPatch> {
    let networks = vec(select(&["10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32", "10.1.2.3/8"][..]), 0..3)
        .prop_map(|all| all.into_iter().map(|text| text.parse().expect("a network")).collect());
    let networks = proptest::option::of(proptest::option::of(networks));
    let protocols = proptest::option::of(proptest::option::of(protocols()));
    (protocols, networks, any::<Option<Option<bool>>>()).prop_map(|(protocols, networks, app_only)| LoginRulesPatch {
        protocols,
        networks,
        app_only,
    })
}

fn access_change() -> impl Strategy<Value = Change> {
    let hash = || hash().prop_filter_map("a hash", |hash| hash);
    prop_oneof![
        2 => Just(AccessChange::SecretMake(SECRET)),
        4 => (address(), hash(), 0..9u8).prop_map(|(account, of_hash, known)| {
            let keys = keys(&account, known);
            AccessChange::KeysMake { account, of_hash, keys }
        }),
        4 => (address(), "[a-c]", protocols(), proptest::option::of(0..9i64), 0..9u8).prop_map(
            |(account, name, protocols, expires, known)| {
                let keys = keys(&account, known);
                AccessChange::AppPasswordAdd { account, name, protocols, expires, keys }
            },
        ),
        2 => (address(), 1..5u32).prop_map(|(account, number)| AccessChange::AppPasswordRemove { account, number }),
        2 => (address(), rules()).prop_map(|(at, set)| AccessChange::LoginRulesSet { of: Whose::Account(at), set }),
        1 => (select(&TENANTS[..]), rules())
            .prop_map(|(name, set)| AccessChange::LoginRulesSet { of: Whose::Tenant(name.into()), set }),
    ]
    .prop_map(Change::Access)
}

fn group_change() -> impl Strategy<Value = Change> {
    let name = || proptest::option::of("[a-z]{0,3}");
    prop_oneof![
        3 => (address(), addresses()).prop_map(|(address, members)| {
            Change::GroupAdd { name: address.to_string(), address, members }
        }),
        3 => (address(), name(), addresses(), addresses()).prop_map(|(address, name, members_add, members_remove)| {
            Change::GroupSet { address, name, members_add, members_remove }
        }),
        1 => address().prop_map(|address| Change::GroupRemove { address }),
    ]
}

fn key_change() -> impl Strategy<Value = Change> {
    let domain = || select(&DOMAINS[..3]).prop_map(String::from);
    let selector = || "[ab]{0,1}";
    let state = || select(&[KeyState::Next, KeyState::Active, KeyState::Retired][..]);
    let key = (domain(), selector(), any::<bool>(), state(), vec(any::<u8>(), 0..3)).prop_map(
        |(domain, selector, is_rsa, state, bytes)| SigningKey {
            domain: domain.into(),
            selector: selector.into(),
            algorithm: if is_rsa { Algorithm::Rsa } else { Algorithm::Ed25519 },
            state,
            private: bytes.clone().into(),
            public: bytes.into(),
            created: 0,
        },
    );
    prop_oneof![
        3 => key.prop_map(Change::KeyAdd),
        2 => (domain(), selector(), state())
            .prop_map(|(domain, selector, state)| Change::KeySet { domain, selector, state }),
        1 => (domain(), selector()).prop_map(|(domain, selector)| Change::KeyRemove { domain, selector }),
    ]
}

fn rule_change() -> impl Strategy<Value = Change> {
    let scope = || {
        prop_oneof![
            select(&TENANTS[..]).prop_map(|name| ScopeName::Tenant(name.into())),
            select(&DOMAINS[..]).prop_map(|name| ScopeName::Domain(name.into())),
            address().prop_map(ScopeName::Account),
            address().prop_map(ScopeName::Group),
        ]
    };
    let texts = [
        "block far.example",
        "allow .far.example",
        "keyword reject x",
        "outbound no",
        "outbound yes",
        "rate 5/1d",
        "rate 5/7m",
        "tenant-rate 9/30d",
        "catch-all ann@a.example",
        "catch-all bob@a.example",
        "senders tenant",
        "senders members",
        "senders ann@a.example",
        "representative ann@a.example",
        "admin quotas",
        "messages 0",
        "pop3 keep",
        "pop3 seen",
        "pop3 trash 0",
        "pop3 delete 3650",
        "messages 4000000000",
        "relay a.example:25 tls=required user=a password=b",
        "relay [2001:db8::1]:465",
        "source 192.0.2.1",
        "source 2001:db8::1",
    ];
    let rule = move || select(texts.to_vec()).prop_map(|text| text.parse::<Rule>().expect("a rule"));
    prop_oneof![
        3 => (scope(), rule()).prop_map(|(scope, rule)| Change::RuleAdd { scope, rule }),
        1 => (scope(), rule()).prop_map(|(scope, rule)| Change::RuleRemove { scope, rule }),
    ]
}

fn acl_change() -> impl Strategy<Value = Change> {
    let place = || ((1..6u64).prop_map(AccountId), (1..4u32).prop_map(MailboxId));
    let who = prop_oneof![
        3 => (1..6u64).prop_map(|id| Grantee::Account(AccountId(id))),
        1 => (1..3u32).prop_map(|id| Grantee::Tenant(TenantId(id))),
        1 => address().prop_map(Grantee::Group),
    ];
    let mode = select(&[AclMode::Replace, AclMode::Add, AclMode::Remove][..]);
    let rights = select(&["", "l", "lr", "swi", "lrswipkxtea"][..]);
    let set =
        (place(), who, any::<bool>(), mode, rights).prop_map(|((owner, mailbox), who, negative, mode, rights)| {
            AclChange::Set { owner, mailbox, who, negative, mode, rights: rights.parse().expect("rights") }
        });
    let inherit =
        (place(), (1..4u32).prop_map(MailboxId)).prop_map(|((owner, from), to)| AclChange::Inherit { owner, from, to });
    let clear = place().prop_map(|(owner, mailbox)| AclChange::Clear { owner, mailbox });
    prop_oneof![6 => set, 1 => inherit, 1 => clear].prop_map(Change::Acl)
}

/// Somewhere to live.
fn founding() -> Vec<Change> {
    let tenants = TENANTS[..2].iter().map(|name| super::tenant(name));
    let homes = [(TENANTS[0], DOMAINS[0]), (TENANTS[0], DOMAINS[1]), (TENANTS[1], DOMAINS[2])];
    tenants.chain(homes.map(|(tenant, domain)| super::domain(tenant, domain))).collect()
}

/// Batches, each planned as one transaction; most begin where there is somewhere to live.
pub(super) fn history() -> impl Strategy<Value = Vec<Vec<Change>>> {
    let change = prop_oneof![
        1 => tenant_change(), 12 => account_change(), 6 => access_change(), 6 => group_change(), 1 => key_change(), 4 => rule_change(), 4 => acl_change(),
    ];
    let first = prop_oneof![9 => Just(founding()), 1 => vec(tenant_change(), 0..20)];
    (first, vec(vec(change, 1..40), 0..6)).prop_map(|(first, rest)| std::iter::once(first).chain(rest).collect())
}

/// What the log would give back.
fn through_bytes(event: &Event) -> Event {
    let mut bytes = Vec::new();
    event.encode(&mut bytes);
    let mut reader = Reader::new(&bytes);
    let event = Event::decode(&mut reader).expect("what was encoded is decoded");
    assert!(reader.is_empty(), "all of it");
    event
}

fn outcome(result: &Result<Vec<Event>>) -> std::result::Result<&Vec<Event>, String> {
    result.as_ref().map_err(Error::to_string)
}

/// Who is at each address, counted from the lists that people see.
fn census(directory: &Directory) -> BTreeMap<Address, usize> {
    let all = Filter::default();
    let accounts = directory.members(all).chain(directory.business(all));
    let own = accounts.flat_map(|account| std::iter::once(&account.address).chain(&account.aliases));
    let mut census = BTreeMap::new();
    for address in own.chain(directory.groups(all).map(|group| &group.address)) {
        *census.entry(address.clone()).or_default() += 1;
    }
    census
}

fn lives_by_one_rule(directory: &Directory) {
    let census = census(directory);
    for address in LOCALS.iter().flat_map(|local| DOMAINS.map(|domain| at(&format!("{local}@{domain}")))) {
        let there = census.get(&address).copied().unwrap_or(0);
        assert!(there <= 1, "{address} is {there} things");
        let ours = directory.domain(address.domain()).is_some();
        match directory.resolve(&address) {
            Resolution::NotLocal => assert!(!ours && there == 0, "{address}"),
            Resolution::Unknown => assert!(ours && there == 0, "{address}"),
            Resolution::Disabled => assert_eq!(there, 1, "{address}"),
            Resolution::Recipients { local, external } => {
                // Nobody has the address, and the domain's mail for such goes to somebody.
                let transfer = matches!(local.as_slice(), [one] if one.is_transfer) && external.is_empty();
                assert!(there == usize::from(!transfer), "{address}");
                assert!(!(local.is_empty() && external.is_empty()), "{address}");
                assert!(local.is_sorted_by(|a, b| a.account < b.account), "{address} gives somebody two copies");
            }
        }
    }
}

/// Through a snapshot.
fn again(directory: &Directory) -> Directory {
    let mut snapshot = Vec::new();
    directory.encode_snapshot(&mut snapshot);
    Directory::decode_snapshot(&snapshot).expect("what was encoded is read")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn all_ways_lead_to_one_state(history in history()) {
        let (mut live, mut replayed, mut stepwise) = (Directory::default(), Directory::default(), Directory::default());
        let mut restarted = Directory::default();
        for (now, batch) in history.iter().enumerate() {
            // As after a restart: what is asked for comes out of the snapshot's bytes.
            restarted = again(&restarted);
            let planned = live.plan_all(batch, now as i64);
            prop_assert_eq!(planned.len(), batch.len());
            for (change, result) in batch.iter().zip(&planned) {
                let single = stepwise.plan(change, now as i64);
                prop_assert_eq!(outcome(&single), outcome(result), "{:?}", change);
                for event in result.iter().flatten() {
                    prop_assert!(stepwise.apply(event).is_ok(), "{:?}", event);
                    prop_assert!(live.apply(event).is_ok(), "{:?}", event);
                    prop_assert!(restarted.apply(event).is_ok(), "{:?}", event);
                    prop_assert!(replayed.apply(&through_bytes(event)).is_ok(), "{:?}", event);
                }
                prop_assert!(stepwise.check().is_ok(), "{:?} after {:?}", stepwise.check(), change);
            }
        }
        prop_assert_eq!(&live, &stepwise);
        prop_assert!(restarted.check().is_ok(), "{:?}", restarted.check());
        prop_assert_eq!(census(&restarted), census(&live));
        prop_assert_eq!(&live, &restarted);
        prop_assert_eq!(&live, &replayed);
        lives_by_one_rule(&replayed);
        let mut snapshot = Vec::new();
        live.encode_snapshot(&mut snapshot);
        let decoded = Directory::decode_snapshot(&snapshot);
        prop_assert!(decoded.is_ok(), "{:?}", decoded.err());
        let decoded = decoded.unwrap_or_default();
        prop_assert!(decoded.check().is_ok(), "{:?}", decoded.check());
        prop_assert_eq!(census(&decoded), census(&live));
        prop_assert_eq!(decoded, live);
    }
}
