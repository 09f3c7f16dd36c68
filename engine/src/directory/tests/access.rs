//! Who may log in: passwords, app passwords and the rules, each through what a login asks.
use super::super::access::{Candidate, new_app_password};
use super::super::{
    AccessChange, AccountPatch, Change, Denial, Directory, LoginKeys, LoginRulesPatch, Protocol, Protocols, Proven,
    Scram, ScramHash, Whose, password,
};
use super::{at, id_of, make, set, town};
use std::net::IpAddr;

const NOW: i64 = 1_000;
const FALLBACK: [u8; 32] = [9; 32];

/// argon2id of `secret`, as cheap as it gets.
const HASH: &str = "$argon2id$v=19$m=8,t=1,p=1$cG9zdGhvdXNlLXRlc3RzIQ$YHmlhUnTuVQOcrdhIx5FF+58oje3RiKtMNEPCbPmre4";

fn access(directory: &mut Directory, change: AccessChange) {
    make(directory, Change::Access(change)).expect("it is allowed");
}

/// The town with a secret, and a password for ann.
fn guarded() -> Directory {
    let mut directory = town();
    access(&mut directory, AccessChange::SecretMake([3; 32]));
    let patch = AccountPatch { password_hash: Some(HASH.into()), ..AccountPatch::default() };
    make(&mut directory, set("ann@acme.example", patch)).expect("a hash");
    directory
}

fn candidate(directory: &Directory, name: &str) -> Candidate {
    directory.candidate(name, &FALLBACK)
}

fn app_password(directory: &mut Directory, protocols: Protocols, expires: Option<i64>) -> String {
    let plain = new_app_password();
    let keys = LoginKeys::make(&plain, candidate(directory, "ann@acme.example").salt()).expect("keys");
    let name = plain[..5].to_owned();
    let account = at("ann@acme.example");
    let add = AccessChange::AppPasswordAdd { account, name, protocols, expires, keys: Box::new(keys) };
    access(directory, add);
    plain
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// Whom ann's name and a password let in by IMAP at `now` from 192.0.2.1.
fn imap(directory: &Directory, plain: &str, now: i64) -> Option<Result<Option<u32>, Denial>> {
    let proven = candidate(directory, "Ann@Acme.example").check(plain, Protocol::Imap, ip("192.0.2.1"), now);
    proven.map(|Proven { account, app_password, denial, .. }| {
        assert_eq!(account, id_of(directory, "ann@acme.example"));
        denial.map_or(Ok(app_password), Err)
    })
}

fn rules(directory: &mut Directory, of: Whose, set: LoginRulesPatch) {
    access(directory, AccessChange::LoginRulesSet { of, set });
}

fn ann() -> Whose {
    Whose::Account(at("ann@acme.example"))
}

fn acme() -> Whose {
    Whose::Tenant("acme".into())
}

#[test]
fn passwords_and_app_passwords() {
    let mut directory = guarded();
    assert!(password::verify(HASH, "secret"));
    assert_eq!(imap(&directory, "secret", NOW), Some(Ok(None)));
    assert_eq!(imap(&directory, "wrong", NOW), None);
    let phone = app_password(&mut directory, Protocols::of([Protocol::Imap]), Some(2_000));
    let laptop = app_password(&mut directory, Protocols::of([Protocol::Pop3]), None);
    assert_eq!(imap(&directory, &phone, NOW), Some(Ok(Some(1))));
    assert_eq!(imap(&directory, &phone.replace('-', " "), 1_999), Some(Ok(Some(1))));
    assert_eq!(imap(&directory, &phone, 2_000), Some(Err(Denial::Expired)));
    assert_eq!(imap(&directory, &laptop, NOW), Some(Err(Denial::Protocol)));
    assert_eq!(imap(&directory, "secret", NOW), Some(Ok(None)), "the account's own goes on");
    let account = at("ann@acme.example");
    access(&mut directory, AccessChange::AppPasswordRemove { account, number: 1 });
    assert_eq!(imap(&directory, &phone, NOW), None);
    let next = app_password(&mut directory, Protocols::ALL, None);
    assert_eq!(imap(&directory, &next, NOW), Some(Ok(Some(3))), "numbers are never given again");
}

#[test]
fn rules_of_the_member_go_before_those_of_the_tenant() {
    let mut directory = guarded();
    let app = app_password(&mut directory, Protocols::ALL, None);
    rules(&mut directory, acme(), LoginRulesPatch { app_only: Some(Some(true)), ..LoginRulesPatch::default() });
    assert_eq!(imap(&directory, "secret", NOW), Some(Err(Denial::AppPasswordNeeded)));
    assert_eq!(imap(&directory, &app, NOW), Some(Ok(Some(1))));
    rules(&mut directory, ann(), LoginRulesPatch { app_only: Some(Some(false)), ..LoginRulesPatch::default() });
    assert_eq!(imap(&directory, "secret", NOW), Some(Ok(None)));
    rules(&mut directory, ann(), LoginRulesPatch { app_only: Some(None), ..LoginRulesPatch::default() });
    assert_eq!(imap(&directory, "secret", NOW), Some(Err(Denial::AppPasswordNeeded)), "the tenant's again");
    rules(&mut directory, acme(), LoginRulesPatch { app_only: Some(None), ..LoginRulesPatch::default() });

    let smtp_only = Some(Some(Protocols::of([Protocol::Submission])));
    rules(&mut directory, acme(), LoginRulesPatch { protocols: smtp_only, ..LoginRulesPatch::default() });
    assert_eq!(imap(&directory, "secret", NOW), Some(Err(Denial::Protocol)));
    assert_eq!(
        imap(&directory, &app, NOW),
        Some(Err(Denial::Protocol)),
        "an app password opens no more than its owner may"
    );
    let all = Some(Some(Protocols::ALL));
    rules(&mut directory, ann(), LoginRulesPatch { protocols: all, ..LoginRulesPatch::default() });
    assert_eq!(imap(&directory, "secret", NOW), Some(Ok(None)));

    let office =
        Some(Some(vec!["10.0.0.0/8".parse().expect("a network"), "2001:db8::/32".parse().expect("a network")]));
    rules(&mut directory, acme(), LoginRulesPatch { networks: office, ..LoginRulesPatch::default() });
    assert_eq!(imap(&directory, "secret", NOW), Some(Err(Denial::Network)));
    assert_eq!(imap(&directory, "wrong", NOW), None);
    let from = |address| {
        let proven = candidate(&directory, "ann@acme.example").check("secret", Protocol::Imap, ip(address), NOW);
        proven.expect("the password is right").denial
    };
    for (address, denial) in [
        ("10.255.0.1", None),
        ("::ffff:10.1.1.1", None),
        ("2001:db8::1", None),
        ("2001:db9::1", Some(Denial::Network)),
        ("::1", Some(Denial::Network)),
    ] {
        assert_eq!(from(address), denial, "{address}");
    }
    let anywhere = Some(Some(Vec::new()));
    rules(&mut directory, ann(), LoginRulesPatch { networks: anywhere, ..LoginRulesPatch::default() });
    assert_eq!(imap(&directory, "secret", NOW), Some(Ok(None)), "an exception by member");
}

/// A client's part of RFC 5802 section 3.
fn proof(hash: ScramHash, plain: &str, candidate: &Candidate, message: &[u8]) -> Vec<u8> {
    let algorithm = match hash {
        ScramHash::Sha1 => ring::pbkdf2::PBKDF2_HMAC_SHA1,
        ScramHash::Sha256 => ring::pbkdf2::PBKDF2_HMAC_SHA256,
    };
    let mut salted = hash.hash(b"");
    let rounds = std::num::NonZeroU32::new(candidate.iterations()).expect("rounds");
    ring::pbkdf2::derive(algorithm, rounds, &candidate.salt(), plain.as_bytes(), &mut salted);
    let client_key = hash.mac(&salted, b"Client Key");
    let signature = hash.mac(&hash.hash(&client_key), message);
    client_key.iter().zip(signature).map(|(key, signature)| key ^ signature).collect()
}

#[test]
fn scram_takes_every_password_of_the_account() {
    let mut directory = guarded();
    let before = candidate(&directory, "ann@acme.example");
    assert_eq!(before.lacks_keys(), Some(HASH));
    let (keys, of_hash) = (LoginKeys::make("secret", before.salt()).expect("keys"), HASH.to_owned());
    access(&mut directory, AccessChange::KeysMake { account: at("ann@acme.example"), of_hash, keys: Box::new(keys) });
    let app = app_password(&mut directory, Protocols::of([Protocol::Imap]), None);
    for hash in [ScramHash::Sha1, ScramHash::Sha256] {
        let it = candidate(&directory, "ANN@acme.example");
        assert_eq!((it.salt(), it.lacks_keys()), (before.salt(), None));
        let told = |plain: &str, protocol| {
            let proof = proof(hash, plain, &it, b"message");
            let scram = Scram { hash, auth_message: b"message", proof: &proof };
            it.check_scram(&scram, protocol, ip("192.0.2.1"), NOW)
                .map(|(proven, _)| (proven.app_password, proven.denial))
        };
        assert_eq!(told("secret", Protocol::Imap), Some((None, None)));
        assert_eq!(told(&app, Protocol::Imap), Some((Some(1), None)));
        assert_eq!(told(&app, Protocol::Pop3), Some((Some(1), Some(Denial::Protocol))));
        assert_eq!(told("wrong", Protocol::Imap), None);
    }
    // Another password: the keys of the old one are gone, the app password and the salt stay.
    let patch = AccountPatch { password_hash: Some(HASH.replace("YHml", "XHml")), ..AccountPatch::default() };
    make(&mut directory, set("ann@acme.example", patch)).expect("a hash");
    let it = candidate(&directory, "ann@acme.example");
    assert_eq!(it.salt(), before.salt());
    assert!(it.lacks_keys().is_some());
    let proof = proof(ScramHash::Sha256, "secret", &it, b"message");
    let scram = Scram { hash: ScramHash::Sha256, auth_message: b"message", proof: &proof };
    assert!(it.check_scram(&scram, Protocol::Imap, ip("192.0.2.1"), NOW).is_none());
}

#[test]
fn salt_and_rounds_tell_nothing_of_who_is_there() {
    let mut directory = guarded();
    let told = |directory: &Directory, name| {
        let candidate = candidate(directory, name);
        (candidate.salt(), candidate.iterations())
    };
    let (ann, nobody) = (told(&directory, "ann@acme.example"), told(&directory, "nobody@acme.example"));
    assert_eq!(nobody, told(&directory, "Nobody@ACME.example"), "spelt otherwise, as for somebody who is there");
    assert_ne!(nobody.0, told(&directory, "nobody@other.example").0);
    assert_eq!(nobody.1, ann.1);
    // Keys that are made, and an account that comes, change nothing of it.
    let keys = Box::new(LoginKeys::make("secret", ann.0).expect("keys"));
    access(&mut directory, AccessChange::KeysMake { account: at("ann@acme.example"), of_hash: HASH.into(), keys });
    make(&mut directory, super::member("nobody@acme.example")).expect("a member");
    assert_eq!((told(&directory, "ann@acme.example"), told(&directory, "nobody@acme.example")), (ann, nobody));
}

#[test]
fn what_is_refused() {
    let mut directory = guarded();
    let account = at("ann@acme.example");
    let keys = Box::new(LoginKeys::make("secret", [0; 16]).expect("keys"));
    let add = |name: &str, protocols, expires, keys: &LoginKeys| {
        let (account, name, keys) = (at("ann@acme.example"), name.to_owned(), Box::new(keys.clone()));
        Change::Access(AccessChange::AppPasswordAdd { account, name, protocols, expires, keys })
    };
    let told =
        |directory: &Directory, change: &Change| directory.plan(change, NOW).map(drop).map_err(|why| why.to_string());
    let salt = told(&directory, &add("phone", Protocols::ALL, None, &keys)).expect_err("a strange salt");
    assert!(salt.contains("salt"), "{salt}");
    let good = LoginKeys::make("secret", candidate(&directory, "ann@acme.example").salt()).expect("keys");
    assert!(told(&directory, &add("phone", Protocols::of([]), None, &good)).is_err(), "for no protocol");
    assert!(told(&directory, &add("phone", Protocols::ALL, Some(NOW), &good)).is_err(), "expired already");
    make(&mut directory, add("phone", Protocols::ALL, None, &good)).expect("allowed");
    assert!(told(&directory, &add("phone", Protocols::ALL, None, &good)).is_err(), "the name is taken");
    let gone = AccessChange::AppPasswordRemove { account: account.clone(), number: 2 };
    assert!(told(&directory, &Change::Access(gone)).is_err());
    // Keys of a password that is no longer the account's are no error, and nothing.
    let late = AccessChange::KeysMake { account, of_hash: HASH.replace("YHml", "XHml"), keys: Box::new(good) };
    assert_eq!(directory.plan(&Change::Access(late), NOW).expect("no error"), Vec::new());
    let again = directory.plan(&Change::Access(AccessChange::SecretMake([4; 32])), NOW);
    assert_eq!(again.expect("no error"), Vec::new(), "the secret stays");
}

#[test]
fn logins_go_on_after_a_snapshot() {
    let mut directory = guarded();
    // Without aliases: its record stays the snapshot's bytes until somebody asks for it.
    make(&mut directory, super::member("plain@acme.example")).expect("a member");
    let account = at("plain@acme.example");
    let plain = new_app_password();
    let keys = LoginKeys::make(&plain, candidate(&directory, "plain@acme.example").salt()).expect("keys");
    let (name, protocols) = ("phone".to_owned(), Protocols::ALL);
    let add =
        AccessChange::AppPasswordAdd { account: account.clone(), name, protocols, expires: None, keys: keys.into() };
    access(&mut directory, add);
    let set = LoginRulesPatch { protocols: Some(Some(Protocols::of([Protocol::Imap]))), ..LoginRulesPatch::default() };
    rules(&mut directory, Whose::Account(account), set);
    let mut snapshot = Vec::new();
    directory.encode_snapshot(&mut snapshot);
    let read = Directory::decode_snapshot(&snapshot).expect("what was encoded is read");
    let mut again = Vec::new();
    read.encode_snapshot(&mut again);
    assert_eq!(again, snapshot, "of bytes that nobody has asked for");
    let told = |protocol| {
        let proven = candidate(&read, "plain@acme.example").check(&plain, protocol, ip("192.0.2.1"), NOW);
        proven.map(|proven| (proven.app_password, proven.denial))
    };
    assert_eq!(told(Protocol::Imap), Some((Some(1), None)));
    assert_eq!(told(Protocol::Pop3), Some((Some(1), Some(Denial::Protocol))));
    let salt = |directory: &Directory| candidate(directory, "nobody@acme.example").salt();
    assert_eq!(salt(&read), salt(&directory), "the secret");
}

/// Whom an identity provider vouches for: the same rules, but those that say which passwords are taken.
#[test]
fn who_is_vouched_for() {
    let mut directory = guarded();
    let vouched = |directory: &Directory, name: &str, from: &str| {
        let proven = candidate(directory, name).vouched(Protocol::Imap, ip(from));
        proven.map(|proven| (proven.address.as_str().to_owned(), proven.denial))
    };
    let bob = |denial| Some(("bob@acme.example".to_owned(), denial));
    assert_eq!(vouched(&directory, "Robert@acme.example", "192.0.2.1"), bob(None), "an alias; no password is needed");
    assert_eq!(vouched(&directory, "nobody@acme.example", "192.0.2.1"), None);
    assert_eq!(vouched(&directory, "sales@acme.example", "192.0.2.1"), None, "nobody is a business mailbox");
    rules(&mut directory, acme(), LoginRulesPatch { app_only: Some(Some(true)), ..LoginRulesPatch::default() });
    assert_eq!(vouched(&directory, "bob@acme.example", "192.0.2.1"), bob(None));
    let networks = Some(Some(vec!["198.51.100.0/24".parse().expect("a network")]));
    rules(&mut directory, acme(), LoginRulesPatch { networks, ..LoginRulesPatch::default() });
    assert_eq!(vouched(&directory, "bob@acme.example", "192.0.2.1"), bob(Some(Denial::Network)));
    assert_eq!(vouched(&directory, "bob@acme.example", "198.51.100.7"), bob(None));
    let pop3_only = Some(Some(Protocols::of([Protocol::Pop3])));
    rules(&mut directory, acme(), LoginRulesPatch { protocols: pop3_only, ..LoginRulesPatch::default() });
    assert_eq!(vouched(&directory, "bob@acme.example", "198.51.100.7"), bob(Some(Denial::Protocol)));
    let disabled = AccountPatch { disabled: Some(true), ..AccountPatch::default() };
    make(&mut directory, set("bob@acme.example", disabled)).expect("allowed");
    assert_eq!(vouched(&directory, "bob@acme.example", "198.51.100.7"), None);
}

/// Nobody learns from the work of a refusal whether a name is known, has a password, or may log in.
#[test]
fn a_refusal_costs_the_same_hash_whoever_is_asked_for() {
    let mut directory = guarded();
    let patch = AccountPatch { password_hash: Some(password::hash("secret").expect("hashed")), ..AccountPatch::default() };
    make(&mut directory, set("ann@acme.example", patch)).expect("a hash");
    let work = |name: &str| {
        let candidate = candidate(&directory, name);
        // A thread of its own has hashed nothing before.
        let checked = move || {
            assert_eq!(password::blocks_filled(), 0);
            assert!(candidate.check("wrong", Protocol::Submission, ip("192.0.2.1"), NOW).is_none());
            password::blocks_filled()
        };
        std::thread::spawn(checked).join().expect("it is answered")
    };
    let known = work("ann@acme.example");
    assert!(known > 0);
    for name in ["nobody@acme.example", "bob@acme.example", "ann@nowhere.example", "", "ann"] {
        assert_eq!(work(name), known, "{name:?}");
    }
}
