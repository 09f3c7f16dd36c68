//! The fold and what it is asked: events applied, an entry and an account looked up, a checkpoint written and read. Touches no disk.
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use posthouse_engine::base::{
    AccountId, FlagMode, Flags, Guid, Keywords, Locator, Lsn, MailboxId, ModSeq, Result, SegmentId, ShardId, Uid,
    UidSet,
};
use posthouse_engine::directory::{Address, Change, Directory, Quota};
use posthouse_engine::disk::Map;
use posthouse_engine::format::{DeliveredTo, Event};
use posthouse_engine::index::{Account, Accounts, Part, PartWriter, Parts};
use std::collections::BTreeSet;
use std::hint::black_box;
use std::sync::Arc;

/// Entries of the mailbox that is looked into.
const ENTRIES: u32 = 100_000;
/// Accounts of a checkpoint, and messages in each.
const ACCOUNTS: u64 = 1_000;
const MESSAGES: u32 = 100;
/// Accounts of the directory.
const MEMBERS: usize = 10_000;

fn delivered(account: AccountId, number: u32) -> Event {
    let copy = DeliveredTo {
        account,
        mailbox: MailboxId::INBOX,
        uid: Uid(number),
        modseq: ModSeq(u64::from(number) + 1),
        flags: Flags::NONE,
        keywords: Keywords(0),
    };
    Event::Delivered {
        guid: Guid([number as u8; 16]),
        locator: Locator { segment: SegmentId(1), offset: number * 8 },
        size_bytes: 5000,
        internal_date: 1_700_000_000,
        save_date: 1_700_000_000,
        to: vec![copy],
    }
}

fn filled(accounts: u64, messages: u32) -> Accounts {
    let mut all = Accounts::default();
    for account in (1..=accounts).map(AccountId) {
        all.apply(&Event::AccountOpened { account, uid_validity: 1 }).expect("opened");
        (1..=messages).for_each(|number| all.apply(&delivered(account, number)).expect("delivered"));
    }
    all
}

fn apply(c: &mut Criterion) {
    let mut all = c.benchmark_group("apply");
    let account = AccountId(1);
    let events: Vec<Event> = (1..=10_000).map(|number| delivered(account, number)).collect();
    all.throughput(Throughput::Elements(events.len() as u64));
    all.bench_function("delivered", |bench| {
        let fold = |mut accounts: Accounts| {
            events.iter().for_each(|event| accounts.apply(event).expect("delivered"));
            accounts
        };
        bench.iter_batched(|| filled(1, 0), fold, BatchSize::LargeInput);
    });
    let one = |number: u32| Event::FlagsChanged {
        account,
        mailbox: MailboxId::INBOX,
        modseq: ModSeq(u64::from(number) + 20_000),
        mode: FlagMode::Add,
        flags: Flags::SEEN,
        keywords: Keywords(0),
        uids: UidSet::range(Uid(number), Uid(number)),
    };
    let changes: Vec<Event> = (1..=1_000).map(|number| one(number * 10)).collect();
    all.throughput(Throughput::Elements(changes.len() as u64));
    all.bench_function("flags", |bench| {
        let fold = |mut accounts: Accounts| {
            changes.iter().for_each(|event| accounts.apply(event).expect("changed"));
            accounts
        };
        bench.iter_batched(|| filled(1, 10_000), fold, BatchSize::LargeInput);
    });
    all.finish();
}

fn directory() -> Directory {
    let mut changes = vec![
        Change::TenantAdd { name: "acme".into(), title: "Acme".into(), accounts_max: Some(MEMBERS as u32) },
        Change::DomainAdd { tenant: "acme".into(), domain: "acme.test".into() },
    ];
    changes.extend((0..MEMBERS).map(|number| Change::MemberAdd {
        address: address(number),
        name: "Member".into(),
        password_hash: None,
        vip: false,
        quota: Quota::Default,
    }));
    let mut directory = Directory::default();
    let planned = directory.plan_all(&changes, 0);
    for event in planned.into_iter().flat_map(|events| events.expect("a good change")) {
        directory.apply(&event).expect("planned");
    }
    directory
}

fn address(number: usize) -> Address {
    Address::parse(&format!("member{number}@acme.test")).expect("a good address")
}

fn lookup(c: &mut Criterion) {
    let mut all = c.benchmark_group("lookup");
    let mut accounts = filled(1, ENTRIES);
    let account = accounts.get(AccountId(1)).expect("readable").expect("there").clone();
    let entries = &account.mailbox(MailboxId::INBOX).expect("INBOX").entries;
    let mut uid = 0;
    all.bench_function("entry_by_uid", |bench| {
        bench.iter(|| {
            uid = (uid + 7919) % ENTRIES;
            entries.position(Uid(uid + 1)).map(|at| at.map(|at| entries.get(at)))
        });
    });
    let directory = directory();
    let addresses: Vec<Address> = (0..MEMBERS).map(address).collect();
    let mut next = 0;
    all.bench_function("account_by_address", |bench| {
        bench.iter(|| {
            next = (next + 7919) % MEMBERS;
            directory.account_at(black_box(&addresses[next])).map(|account| account.id)
        });
    });
    let parts = Parts::new(vec![Arc::new(Part::open("part", Map::owned(part(&written()))).expect("whole"))]);
    let mut id = 0;
    all.bench_function("account_in_checkpoint", |bench| {
        bench.iter(|| {
            id = (id + 389) % ACCOUNTS;
            parts.load(AccountId(id + 1)).map(|account| account.map(|account| account.used_bytes))
        });
    });
    all.finish();
}

fn written() -> Vec<Arc<Account>> {
    filled(ACCOUNTS, MESSAGES).take_dirty()
}

/// The bytes of an index part with these accounts.
fn part(accounts: &[Arc<Account>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut sink = |more: &[u8]| -> Result<()> {
        bytes.extend_from_slice(more);
        Ok(())
    };
    let mut writer = PartWriter::new(ShardId(0), 1, BTreeSet::new(), &mut sink).expect("written");
    accounts.iter().for_each(|account| writer.account(account).expect("written"));
    writer.finish(Lsn(1), [b""], &[]).expect("written");
    bytes
}

fn checkpoint(c: &mut Criterion) {
    let accounts = written();
    let bytes = part(&accounts);
    let mut all = c.benchmark_group("checkpoint");
    all.throughput(Throughput::Bytes(bytes.len() as u64));
    all.bench_function("write", |bench| bench.iter(|| part(&accounts)));
    all.bench_function("read", |bench| {
        let read = |map| {
            let parts = Parts::new(vec![Arc::new(Part::open("part", map).expect("whole"))]);
            (1..=ACCOUNTS).filter_map(|id| parts.load(AccountId(id)).expect("whole")).count()
        };
        bench.iter_batched(|| Map::owned(bytes.clone()), read, BatchSize::LargeInput);
    });
    all.finish();
}

criterion_group!(benches, apply, lookup, checkpoint);
criterion_main!(benches);
