//! Makes a small store with one of everything, and says what is in it. Uses nothing that the program before this one did not have, so that
//! tests/golden/make can build it there.
use posthouse_engine::base::{AccountId, FlagMode, Flags, MailboxId, SimClock, Uid, UidSet};
use posthouse_engine::delivery::{Delivery, Place, Target};
use posthouse_engine::directory::{Address, Change, Quota};
use posthouse_engine::disk::{Disk, StdDisk};
use posthouse_engine::queue::{NewQueueItem, QueueRecipient};
use posthouse_engine::{Append, Engine, Options, Store};
use std::sync::Arc;

pub const PEOPLE: usize = 3;

pub fn open(disk: Arc<dyn Disk>) -> (Arc<Engine>, Vec<String>) {
    let options = Options {
        disk,
        clock: Arc::new(SimClock::at_ms(1_700_000_000_000)),
        shards: 2,
        segment_bytes_max: 6 << 10,
        checkpoint_log_bytes: 8 << 10,
        workers: 1,
    };
    Engine::open(options).expect("opens")
}

pub fn address(text: &str) -> Address {
    Address::parse(text).expect("a good address")
}

fn message(number: u32) -> Vec<u8> {
    let mut message = format!("Subject: number {number}\r\nMessage-ID: <{number}@acme.test>\r\n").into_bytes();
    if number.is_multiple_of(5) {
        message.extend(b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n");
        message.extend(format!("{}\r\n", "QUJD".repeat(19)).repeat(12 + number as usize).bytes());
        return message;
    }
    message.extend(b"\r\n");
    let mut seed = number.wrapping_mul(2_654_435_761);
    for _ in 0..6 + number % 9 {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        message.extend(format!("{seed:08x} some words of a mail\r\n").bytes());
    }
    message
}

pub fn ids(engine: &Engine) -> Vec<AccountId> {
    let find = |at| engine.directory(|all| all.account_at(&address(&format!("m{at}@acme.test"))).map(|found| found.id));
    (0..PEOPLE).map(|at| find(at).expect("the member is there")).collect()
}

pub fn deliver(engine: &Engine, to: &[AccountId], number: u32, place: Place, queue: Vec<NewQueueItem>) {
    let staged = engine.stage(b"Return-Path: <>\r\n".to_vec(), message(number)).wait().expect("staged");
    let target = |account: &AccountId| Target {
        account: *account,
        place: place.clone(),
        flags: Flags::NONE,
        bound: engine.bound(*account),
    };
    let outcome = engine.deliver(Delivery { staged, targets: to.iter().map(target).collect(), queue }).wait();
    outcome.targets.iter().for_each(|answer| assert!(answer.is_ok(), "{answer:?}"));
    outcome.queued.expect("queued");
}

fn people(engine: &Engine) {
    let mut changes = vec![
        Change::TenantAdd { name: "acme".into(), title: "Acme".into(), accounts_max: None },
        Change::DomainAdd { tenant: "acme".into(), domain: "acme.test".into() },
    ];
    changes.extend((0..PEOPLE).map(|at| Change::MemberAdd {
        address: address(&format!("m{at}@acme.test")),
        name: format!("Member {at}"),
        password_hash: None,
        vip: at == 0,
        quota: Quota::Default,
    }));
    changes.push(Change::AliasAdd { account: address("m0@acme.test"), alias: address("zero@acme.test") });
    let members = vec![address("m0@acme.test"), address("m1@acme.test")];
    changes.push(Change::GroupAdd { address: address("all@acme.test"), name: "All".into(), members });
    engine.change_directory(changes).wait().into_iter().for_each(|answer| answer.expect("a good change"));
}

fn item() -> NewQueueItem {
    NewQueueItem {
        account: None,
        sender: "m0@acme.test".into(),
        recipients: vec![QueueRecipient { address: "x@elsewhere.test".into(), notify: 0, orcpt: String::new() }],
        ret: 0,
        utf8: false,
        envelope_id: String::new(),
        ..NewQueueItem::default()
    }
}

/// Mail in several mailboxes and segments, flags, keywords, copies, moves, expunges, a queue item, a restart.
fn fill(engine: &Engine, from: u32) {
    let all = ids(engine);
    for number in from..from + 16 {
        let to = if number.is_multiple_of(3) { &all[..] } else { &all[(number as usize % PEOPLE)..][..1] };
        let place = if number % 3 == 1 { Place::Named("Projects/Alpha".into()) } else { Place::Inbox };
        let queue = if number.is_multiple_of(8) { vec![item()] } else { Vec::new() };
        deliver(engine, to, number, place, queue);
    }
    for id in &all {
        let keywords = vec!["$Forwarded".to_owned(), format!("word{from}")];
        let uids = UidSet::range(Uid(2), Uid(u32::MAX));
        let store = Store { uids, mode: FlagMode::Add, flags: Flags::SEEN, keywords, unchanged_since: None };
        engine.store(*id, MailboxId::INBOX, store).wait().expect("stored");
        engine.copy(*id, MailboxId::INBOX, UidSet::range(Uid(1), Uid(2)), MailboxId(2)).wait().expect("copied");
        let moved = UidSet::range(Uid(3), Uid(3));
        engine.move_entries(*id, MailboxId::INBOX, moved, MailboxId(5)).wait().expect("moved");
    }
    let staged = engine.stage(Vec::new(), message(from + 100)).wait().expect("staged");
    let append = Append { staged, flags: Flags::DRAFT, keywords: vec!["$MDNSent".into()], internal_date: Some(77) };
    engine.append(all[0], MailboxId(2), vec![append]).wait().expect("appended");
}

/// What an open store shows, as lines that every version can write: each entry with its hashes, the queue, the directory.
pub fn shown(engine: &Engine) -> String {
    let mut lines = Vec::new();
    for (at, id) in ids(engine).into_iter().enumerate() {
        let account = engine.account(id).expect("the account is there");
        lines.push(format!("m{at} {} bytes, {} messages", account.used_bytes, account.messages));
        for mailbox in &account.mailboxes {
            let counters = (mailbox.uid_validity, mailbox.uid_next.0, mailbox.highest_modseq.0);
            lines.push(format!("m{at} {} {counters:?} {:?}", mailbox.name, mailbox.keywords));
            for entry in mailbox.entries.range(0..mailbox.entries.len()) {
                let entry = entry.expect("readable");
                let bytes = engine.message(id, &entry).wait().expect("readable");
                let (uid, flags, keywords, modseq) = (entry.uid.0, entry.flags.0, entry.keywords.0, entry.modseq.0);
                let (len, crc, fnv) = (bytes.len(), crc32fast::hash(&bytes), fnv(&bytes));
                lines.push(format!("  {uid} {flags} {keywords} {modseq}: {len} bytes, {crc:08x} {fnv:016x}"));
            }
        }
    }
    for item in engine.queue() {
        lines.push(format!("queued {} {} from {}", item.id.0, item.item.recipients[0].address, item.item.sender));
    }
    let zero = address("zero@acme.test");
    let alias = engine.directory(|all| all.account_at(&zero).map(|account| account.address.to_string()));
    lines.push(format!("zero@acme.test is {}", alias.expect("the alias is there")));
    lines.join("\n") + "\n"
}

/// FNV-1a of 64 bits: a second hash beside the crc, which frames have too.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// What `tests/golden/make` runs: writes the store and what is in it to the directory `POSTHOUSE_GOLDEN_WRITE`, or shows to standard output
/// what the store in `POSTHOUSE_GOLDEN_READ` holds.
#[test]
#[ignore = "writes the golden store"]
fn make() {
    if let Ok(dir) = std::env::var("POSTHOUSE_GOLDEN_READ") {
        let (engine, notices) = open(Arc::new(StdDisk::new(dir).expect("a directory")));
        notices.iter().for_each(|line| eprintln!("{line}"));
        print!("{}", shown(&engine));
        return;
    }
    let dir = std::env::var("POSTHOUSE_GOLDEN_WRITE").expect("POSTHOUSE_GOLDEN_WRITE names a directory");
    let disk: Arc<dyn Disk> = Arc::new(StdDisk::new(&dir).expect("a directory"));
    let (engine, _) = open(disk.clone());
    people(&engine);
    fill(&engine, 1);
    learn(&engine);
    engine.close().expect("closes");
    drop(engine);
    let (engine, _) = open(disk);
    fill(&engine, 30);
    std::fs::write(format!("{dir}/SHOWN"), shown(&engine)).expect("written");
    engine.close().expect("closes");
}

fn learn(engine: &Engine) {
    engine.train_dictionary();
}
