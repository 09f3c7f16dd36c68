//! A store on a simulated disk with one new member for each input, so that an input does the same however many ran before it.
use crate::state::check_sums;
use posthouse_engine::base::{AccountId, Flags, MailboxId, SimClock};
use posthouse_engine::directory::{AccessChange, Address, Change, LoginKeys, Quota};
use posthouse_engine::disk::Disk;
use posthouse_engine::disk::sim::SimDisk;
use posthouse_engine::{Append, Engine, Options};
use posthouse_protocols::session::{PlaintextAuth, Shared};
use std::sync::Arc;

/// argon2id of `secret`, as cheap as it gets.
const HASH: &str = "$argon2id$v=19$m=8,t=1,p=1$cG9zdGhvdXNlLXRlc3RzIQ$YHmlhUnTuVQOcrdhIx5FF+58oje3RiKtMNEPCbPmre4";
/// 24 Nov 2026 03:50:48 UTC.
const NOW_MS: i64 = 1_795_492_248_000;
/// Bytes that a member may hold: so few that inputs come upon the bound.
const QUOTA_BYTES: u64 = 20_000;
/// Members of one store; then a new store begins, so that memory does not grow.
const MEMBERS_MAX: u32 = 5_000;

/// How a store on that disk is opened.
pub fn options(disk: Arc<dyn Disk>) -> Options {
    Options {
        disk,
        clock: Arc::new(SimClock::at_ms(NOW_MS)),
        shards: 1,
        segment_bytes_max: 1 << 20,
        checkpoint_log_bytes: 256 << 10,
        workers: 1,
    }
}

/// The disk of a store with one member and three messages, whose machine was switched off.
pub fn small() -> SimDisk {
    let disk = SimDisk::new(1);
    let (engine, _) = Engine::open(options(Arc::new(disk.clone()))).expect("an empty store opens");
    let address = || Address::parse("a@example.org").expect("an address");
    let member = Change::MemberAdd {
        address: address(),
        name: String::new(),
        password_hash: None,
        vip: false,
        quota: Quota::Default,
    };
    change(
        &engine,
        vec![
            Change::TenantAdd { name: "t".into(), title: String::new(), accounts_max: None },
            Change::DomainAdd { tenant: "t".into(), domain: "example.org".into() },
            member,
        ],
    );
    let account = engine.directory(|all| all.account_at(&address()).map(|found| found.id)).expect("the member");
    engine.open_account(account).wait().expect("opened");
    for number in 0..3 {
        let raw = format!("Subject: {number}\r\n\r\nhello\r\n").into_bytes();
        let staged = engine.stage(Vec::new(), raw).wait().expect("staged");
        let append = Append { staged, flags: Flags::NONE, keywords: Vec::new(), internal_date: None };
        engine.append(account, MailboxId::INBOX, vec![append]).wait().expect("appended");
    }
    let after = disk.crash();
    drop(engine);
    after
}

/// An empty store.
pub fn engine() -> (Arc<Engine>, Arc<SimClock>) {
    let clock = Arc::new(SimClock::at_ms(NOW_MS));
    let options = Options {
        disk: Arc::new(SimDisk::new(1)),
        clock: clock.clone(),
        shards: 1,
        segment_bytes_max: 1 << 20,
        checkpoint_log_bytes: 256 << 10,
        workers: 1,
    };
    let (engine, _) = Engine::open(options).expect("an empty store opens");
    (engine, clock)
}

fn change(engine: &Engine, changes: Vec<Change>) {
    engine.change_directory(changes).wait().into_iter().for_each(|done| done.expect("the directory takes it"));
}

/// Keys of one round that are no password's: salt, rounds, and keys for two hashes.
fn keys(salt: [u8; 16]) -> LoginKeys {
    LoginKeys::from_bytes(&[&salt[..], &[1], &[0; 2 * (20 + 32)]].concat()).expect("keys")
}

/// A protocol's service over a store, and who is to log in next.
pub struct House<S: ?Sized> {
    make: fn(Arc<Shared>) -> Arc<S>,
    open: Option<(Arc<Shared>, Arc<S>)>,
    members: u32,
}

/// A member that nobody has used, with the service to log in to.
pub struct Guest<S: ?Sized> {
    /// The service.
    pub service: Arc<S>,
    /// The login name and address; the password is `secret`.
    pub name: String,
    shared: Arc<Shared>,
}

impl<S: ?Sized> House<S> {
    /// A house without a store; `make` makes its service.
    pub const fn new(make: fn(Arc<Shared>) -> Arc<S>) -> House<S> {
        House { make, open: None, members: 0 }
    }

    /// The next member.
    pub fn guest(&mut self) -> Guest<S> {
        if self.members % MEMBERS_MAX == 0 {
            self.open = Some(self.found());
        }
        self.members += 1;
        let name = format!("m{}@example.org", self.members);
        let (shared, service) = self.open.clone().expect("a store is open");
        let address = Address::parse(&name).expect("an address");
        let (hash, quota) = (Some(HASH.into()), Quota::Bytes(QUOTA_BYTES));
        let member = Change::MemberAdd {
            address: address.clone(),
            name: "Somebody".into(),
            password_hash: hash,
            vip: false,
            quota,
        };
        change(&shared.engine, vec![member]);
        // Else each first login makes them, which takes a hundred times as long as the rest of an input.
        let keys = Box::new(keys(shared.engine.login_candidate(&name).salt()));
        let keys = AccessChange::KeysMake { account: address, of_hash: HASH.into(), keys };
        change(&shared.engine, vec![Change::Access(keys)]);
        Guest { service, name, shared }
    }

    fn found(&self) -> (Arc<Shared>, Arc<S>) {
        let (engine, clock) = engine();
        change(
            &engine,
            vec![
                Change::TenantAdd { name: "example".into(), title: "Example".into(), accounts_max: Some(u32::MAX) },
                Change::DomainAdd { tenant: "example".into(), domain: "example.org".into() },
                Change::Access(AccessChange::SecretMake([7; 32])),
            ],
        );
        let mut shared = Shared::new(engine, clock, "mail.example.org");
        // The simulated clients are on no loopback address.
        shared.plaintext_auth = PlaintextAuth::Always;
        shared.message_size_bytes_max = 16 << 10;
        let shared = Arc::new(shared);
        let service = (self.make)(shared.clone());
        (shared, service)
    }
}

impl<S: ?Sized> Guest<S> {
    /// Puts a message into the member's INBOX.
    pub fn receives(&self, message: &[u8]) {
        let engine = &self.shared.engine;
        let account = self.account();
        engine.open_account(account).wait().expect("the account opens");
        let staged = engine.stage(Vec::new(), message.to_vec()).wait().expect("staged");
        let append = Append { staged, flags: Flags::NONE, keywords: Vec::new(), internal_date: None };
        engine.append(account, MailboxId::INBOX, vec![append]).wait().expect("appended");
    }

    /// What is in the member's INBOX, as it is read.
    pub fn messages(&self) -> Vec<Vec<u8>> {
        let (engine, account) = (&self.shared.engine, self.account());
        let view = engine.mailbox(account, MailboxId::INBOX).expect("INBOX");
        let read = |entry| engine.message(account, &entry).wait().expect("a readable message").to_vec();
        view.entries.range(0..view.entries.len()).map(|entry| read(entry.expect("a readable entry"))).collect()
    }

    fn account(&self) -> AccountId {
        let address = Address::parse(&self.name).expect("an address");
        let found = self.shared.engine.directory(|all| all.account_at(&address).map(|found| found.id));
        found.expect("the member is there")
    }

    /// The input with the member's name for each byte 1, and its answer to AUTH PLAIN (RFC 4616) for each byte 2.
    pub fn named(&self, input: &[u8]) -> Vec<u8> {
        let plain = base64(format!("\0{}\0secret", self.name).as_bytes());
        let mut out = Vec::with_capacity(input.len() + 64);
        for byte in input {
            match byte {
                1 => out.extend_from_slice(self.name.as_bytes()),
                2 => out.extend_from_slice(plain.as_bytes()),
                byte => out.push(*byte),
            }
        }
        out
    }

    /// Proves what must hold in the member's account whatever the session did.
    pub fn check(&self) {
        let engine = &self.shared.engine;
        let id = self.account();
        // An account that was never used has no view.
        let Ok(account) = engine.account(id) else { return };
        assert!(
            account.used_bytes <= QUOTA_BYTES,
            "{} bytes in an account that may hold {QUOTA_BYTES}",
            account.used_bytes
        );
        check_sums(&account);
        for mailbox in &account.mailboxes {
            for entry in mailbox.entries.range(0..mailbox.entries.len()) {
                let entry = entry.expect("a readable entry");
                let message = engine.message(id, &entry).wait().expect("a readable message");
                assert_eq!(message.len(), entry.size_bytes as usize);
                engine.summary(id, &entry).expect("a readable summary");
            }
        }
    }
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for piece in bytes.chunks(3) {
        let bits = piece.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - piece.len()));
        for place in 0..4 {
            let letter = ALPHABET[(bits >> (18 - 6 * place) & 63) as usize];
            out.push(if place <= piece.len() { letter.into() } else { '=' });
        }
    }
    out
}
