//! A small directory: a tenant with a member, an alias, a group and a business mailbox, as its events and as its snapshot.
use posthouse_engine::base::{AccountId, MailboxId, TenantId};
use posthouse_engine::directory::{AclChange, AclMode, Address, Change, Directory, Grantee, Quota, Rights};

fn at(text: &str) -> Address {
    Address::parse(text).expect("an address")
}

/// Rights in the first member's INBOX.
fn grant(who: Grantee, negative: bool) -> Change {
    let (owner, mailbox, rights) = (AccountId(1), MailboxId::INBOX, Rights::BUSINESS);
    Change::Acl(AclChange::Set { owner, mailbox, who, negative, mode: AclMode::Replace, rights })
}

fn changes() -> Vec<Change> {
    let member = |address: &str| Change::MemberAdd {
        address: at(address),
        name: "Ann".into(),
        password_hash: None,
        vip: true,
        quota: Quota::Bytes(5),
    };
    let members = vec![at("ann@a.example"), at("far@away.example")];
    vec![
        Change::TenantAdd { name: "acme".into(), title: "Acme".into(), accounts_max: Some(9) },
        Change::DomainAdd { tenant: "acme".into(), domain: "a.example".into() },
        member("ann@a.example"),
        member("bob@a.example"),
        Change::AliasAdd { account: at("bob@a.example"), alias: at("rob@a.example") },
        Change::GroupAdd { address: at("all@a.example"), name: "All".into(), members },
        Change::BusinessAdd {
            address: at("info@a.example"),
            name: "Info".into(),
            password_hash: None,
            quota: Quota::Default,
            users: vec![at("ann@a.example")],
        },
        Change::TenantSet { name: "acme".into(), title: Some("A".into()), accounts_max: None, disabled: Some(true) },
        Change::GroupSet {
            address: at("all@a.example"),
            name: None,
            members_add: vec![at("bob@a.example")],
            members_remove: vec![at("far@away.example")],
        },
        Change::AliasRemove { alias: at("rob@a.example") },
        grant(Grantee::Account(AccountId(2)), false),
        grant(Grantee::Tenant(TenantId(1)), true),
        grant(Grantee::Group(at("all@a.example")), false),
    ]
}

fn built() -> (Directory, Vec<u8>) {
    let (mut directory, mut bytes) = (Directory::default(), Vec::new());
    for change in changes() {
        for event in directory.plan(&change, 1_000).expect("allowed") {
            event.encode(&mut bytes);
            directory.apply(&event).expect("as planned");
        }
    }
    (directory, bytes)
}

/// The events that make it.
pub fn events() -> Vec<u8> {
    built().1
}

/// Its snapshot.
pub fn snapshot() -> Vec<u8> {
    let mut out = Vec::new();
    built().0.encode_snapshot(&mut out);
    out
}
