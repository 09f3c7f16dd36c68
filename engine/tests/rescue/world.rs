//! A small store with one of everything, as bytes of files, and what an open store answers, as lines that can be compared.
use posthouse_engine::base::{AccountId, Error, FlagMode, Flags, MailboxId, Result, SimClock, Uid, UidSet};
use posthouse_engine::delivery::{Delivery, Place, Target};
use posthouse_engine::directory::{Address, Change, Quota};
use posthouse_engine::disk::Disk;
use posthouse_engine::disk::sim::SimDisk;
use posthouse_engine::format::Tried;
use posthouse_engine::queue::{Fate, NewQueueItem, QueueRecipient};
use posthouse_engine::{Append, Compact, Engine, Options, Settle, Store};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub const SHARDS: u16 = 2;
/// The members' accounts, in both shards.
pub const PEOPLE: usize = 4;

/// Every file of a data directory.
pub type Files = BTreeMap<PathBuf, Vec<u8>>;

pub fn options(disk: Arc<dyn Disk>, shards: u16) -> Options {
    Options {
        disk,
        clock: Arc::new(SimClock::at_ms(1_700_000_000_000)),
        shards,
        segment_bytes_max: 5 << 10,
        // One at each close: a checkpoint that is made beside would leave other files each time.
        checkpoint_log_bytes: 1 << 30,
        workers: 1,
    }
}

/// Opens with a number of shards that a store of this kind was not made with: STORE has to know better.
pub fn open(disk: &SimDisk) -> Result<(Arc<Engine>, Vec<String>)> {
    Engine::open(options(Arc::new(disk.clone()), SHARDS + 1))
}

pub fn address(text: &str) -> Address {
    Address::parse(text).expect("a good address")
}

/// Reads every file of a disk.
pub fn files(disk: &SimDisk) -> Files {
    fn walk(disk: &SimDisk, dir: &Path, files: &mut Files) {
        for name in disk.list(dir).expect("listed") {
            let path = dir.join(name);
            files.insert(path.clone(), disk.map(&path).expect("read").to_vec());
        }
        for name in disk.list_dirs(dir).expect("listed") {
            walk(disk, &dir.join(name), files);
        }
    }
    let mut found = Files::new();
    walk(disk, Path::new(""), &mut found);
    found
}

/// A disk with these files.
pub fn disk(files: &Files) -> SimDisk {
    let disk = SimDisk::new(1);
    for (path, bytes) in files {
        disk.create_dir(path.parent().expect("below the root")).expect("made");
        let file = disk.create(path).expect("made");
        file.write_at(bytes, 0).and_then(|()| file.sync_data()).expect("written");
        path.ancestors().skip(1).for_each(|dir| disk.sync_dir(dir).expect("synced"));
    }
    disk
}

/// Both answers are the same; else says the first line that is not.
#[track_caller]
pub fn same(found: &[String], good: &[String], case: &str) {
    let differs = found.iter().zip(good).find(|(found, good)| found != good);
    assert!(
        found.len() == good.len() && differs.is_none(),
        "{case}: {} lines, not {}: {differs:?}",
        found.len(),
        good.len()
    );
}

pub fn message(number: u32, bytes: usize) -> Vec<u8> {
    let mut message = format!("Subject: number {number}\r\nMessage-ID: <{number}@example.test>\r\n\r\n").into_bytes();
    let mut seed = number.wrapping_mul(2_654_435_761);
    while message.len() < bytes {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        message.extend_from_slice(format!("{seed:08x}\r\n").as_bytes());
    }
    message
}

pub fn ids(engine: &Engine) -> Vec<AccountId> {
    let find = |at| engine.directory(|all| all.account_at(&address(&format!("m{at}@acme.test"))).map(|found| found.id));
    (0..PEOPLE).map(|at| find(at).expect("the member is there")).collect()
}

pub fn people(engine: &Engine) {
    let mut changes = vec![
        Change::TenantAdd { name: "acme".into(), title: "Acme".into(), accounts_max: None },
        Change::DomainAdd { tenant: "acme".into(), domain: "acme.test".into() },
    ];
    for at in 0..PEOPLE {
        changes.push(Change::MemberAdd {
            address: address(&format!("m{at}@acme.test")),
            name: format!("Member {at}"),
            password_hash: None,
            vip: at == 0,
            quota: Quota::Default,
        });
    }
    changes.push(Change::AliasAdd { account: address("m0@acme.test"), alias: address("zero@acme.test") });
    let members = vec![address("m0@acme.test"), address("m1@acme.test")];
    changes.push(Change::GroupAdd { address: address("all@acme.test"), name: "All".into(), members });
    for answer in engine.change_directory(changes).wait() {
        answer.expect("a good change");
    }
}

pub fn deliver(engine: &Engine, to: &[AccountId], number: u32, bytes: usize, queue: bool) {
    let staged = engine.stage(b"Return-Path: <>\r\n".to_vec(), message(number, bytes)).wait().expect("staged");
    let target = |account: &AccountId| Target {
        account: *account,
        place: if number % 3 == 1 { Place::Named("Projects/Alpha".into()) } else { Place::Inbox },
        flags: Flags::NONE,
        bound: engine.bound(*account),
    };
    let item = NewQueueItem {
        account: None,
        sender: "m0@acme.test".into(),
        recipients: ["x@elsewhere.test", "y@elsewhere.test", "z@elsewhere.test"]
            .map(|address| QueueRecipient { address: address.into(), notify: 0, orcpt: String::new() })
            .to_vec(),
        ..NewQueueItem::default()
    };
    let queue = if queue { vec![item] } else { Vec::new() };
    let outcome = engine.deliver(Delivery { staged, targets: to.iter().map(target).collect(), queue }).wait();
    outcome.targets.iter().for_each(|answer| assert!(answer.is_ok(), "{answer:?}"));
    outcome.queued.expect("queued");
    for id in engine.queue().iter().filter(|item| item.progress[0].attempts == 0).map(|item| item.id) {
        // One has its copy, one waits on and its sender was told, one was not tried.
        let tried = |recipient, fate: Fate| Tried {
            recipient,
            fate: fate.code(),
            next_try: 1_700_000_900,
            reply: "said".into(),
        };
        let tried = vec![tried(0, Fate::Relayed), tried(1, Fate::Waiting)];
        let settle = Settle { id, tried, warned: vec![1], notices: Vec::new() };
        engine.queue_settle(settle).wait().expect("settled");
    }
}

/// Mail, flags, keywords, copies, moves, removals; two starts, so that there are several checkpoints.
pub fn fill(engine: &Engine, from: u32) {
    let all = ids(engine);
    for number in from..from + 9 {
        let to = if number.is_multiple_of(3) { &all[..] } else { &all[(number as usize % PEOPLE)..][..1] };
        deliver(engine, to, number, 200 + (number as usize * 131) % 700, number.is_multiple_of(8));
    }
    let everything = UidSet::range(Uid(1), Uid(u32::MAX));
    for (at, id) in all.iter().enumerate() {
        let keywords = vec!["$Forwarded".to_owned(), format!("word{from}")];
        let uids = UidSet::range(Uid(1 + at as u32), Uid(u32::MAX));
        let store = Store { uids, mode: FlagMode::Add, flags: Flags::SEEN, keywords, unchanged_since: None };
        engine.store(*id, MailboxId::INBOX, store).wait().expect("stored");
        engine.copy(*id, MailboxId::INBOX, UidSet::range(Uid(1), Uid(2)), MailboxId(2)).wait().expect("copied");
        let last = Uid(engine.mailbox(*id, MailboxId::INBOX).expect("INBOX").uid_next.0 - 1);
        let moved = UidSet::range(last, last);
        engine.move_entries(*id, MailboxId::INBOX, moved, MailboxId(5)).wait().expect("moved");
        engine.claim_recent(*id, MailboxId::INBOX).wait().expect("claimed");
        engine.subscribe(*id, "Projects", at % 2 == 0).wait().expect("subscribed");
    }
    let staged = engine.stage(Vec::new(), message(from + 100, 260)).wait().expect("staged");
    let append = Append { staged, flags: Flags::DRAFT, keywords: vec!["$MDNSent".into()], internal_date: Some(77) };
    engine.append(all[0], MailboxId(2), vec![append]).wait().expect("appended");
    let junk = engine.remove(all[1], MailboxId(5), everything).wait().expect("removed");
    assert!(!junk.is_empty());
}

/// The files of a store that was closed in order.
pub fn closed() -> Files {
    let disk = SimDisk::new(7);
    let start = || Engine::open(options(Arc::new(disk.clone()), SHARDS)).expect("opens").0;
    let engine = start();
    people(&engine);
    fill(&engine, 1);
    // From here on frames need a dictionary, and two of them a part that is stored by itself.
    assert!(engine.train_dictionary(), "there is enough to learn from");
    for name in ["first", "second"] {
        let paper = format!("{}\r\n", "A".repeat(76)).repeat(300);
        let head = format!("Subject: {name}\r\nContent-Transfer-Encoding: base64\r\n\r\n");
        let staged = engine.stage(Vec::new(), (head + &paper).into_bytes()).wait().expect("staged");
        let (account, place) = (ids(&engine)[0], Place::Inbox);
        let target = Target { account, place, flags: Flags::NONE, bound: None };
        let outcome = engine.deliver(Delivery { staged, targets: vec![target], queue: Vec::new() }).wait();
        outcome.targets.into_iter().for_each(|answer| assert!(answer.is_ok(), "{answer:?}"));
    }
    engine.close().expect("closes");
    drop(engine);
    let engine = start();
    fill(&engine, 30);
    engine.rename_mailbox(ids(&engine)[0], "Projects", "Old").wait().expect("renamed");
    engine.close().expect("closes");
    drop(engine);
    files(&disk)
}

/// The files of a store whose machine was switched off: what came after the last checkpoint is in the log only.
pub fn crashed() -> Files {
    let disk = disk(&closed());
    let (engine, _) = open(&disk).expect("opens");
    fill(&engine, 60);
    let found = files(&disk.crash());
    drop(engine);
    found
}

/// The same store compacted; with `keep` what was replaced is still there.
pub fn compacted(keep: bool) -> Files {
    compacted_from(&closed(), keep)
}

/// These files compacted.
pub fn compacted_from(files_before: &Files, keep: bool) -> Files {
    let disk = disk(files_before);
    let (engine, _) = open(&disk).expect("opens");
    let all =
        Compact { cold_after_ms: 0, dead_percent: 1, bytes_per_second: 0, keep_ms: i64::MAX, leave_free_bytes: 0 };
    let done = engine.compact(all).wait().expect("compacted");
    assert!(done.segments_done > 0 && done.proven == done.messages, "{done:?}");
    if !keep {
        let nothing = Compact {
            cold_after_ms: i64::MAX,
            dead_percent: 100,
            bytes_per_second: 0,
            keep_ms: -1,
            leave_free_bytes: 0,
        };
        let done = engine.compact(nothing).wait().expect("removed");
        assert!(done.removed_bytes > 0, "{done:?}");
    }
    engine.close().expect("closes");
    drop(engine);
    files(&disk)
}

/// Everything that an open store answers. The first error ends it.
pub fn answers(engine: &Engine) -> Result<Vec<String>> {
    let mut lines: Vec<String> = engine.directory(|all| {
        let accounts = all.members(Default::default()).map(|account| format!("{account:?}"));
        let groups = all.groups(Default::default()).map(|group| format!("{group:?}"));
        all.tenants().map(|tenant| format!("{tenant:?}")).chain(accounts).chain(groups).collect()
    });
    let members: Vec<AccountId> = engine.directory(|all| all.members(Default::default()).map(|one| one.id).collect());
    for id in members {
        let account = match engine.account(id) {
            Err(Error::NotFound(_)) => continue,
            found => found?,
        };
        let sums = (account.used_bytes, account.messages, account.mailbox_next, account.uid_validity_next);
        lines.push(format!("account {id} {sums:?} {:?}", account.subscriptions));
        for mailbox in &account.mailboxes {
            let counters = (mailbox.uid_validity, mailbox.uid_next, mailbox.highest_modseq, mailbox.recent_from);
            let sums = (mailbox.unseen, mailbox.deleted, mailbox.size_bytes, &mailbox.keywords);
            lines.push(format!("mailbox {} {} {counters:?} {sums:?}", mailbox.id, mailbox.name));
            for entry in mailbox.entries.range(0..mailbox.entries.len()) {
                let entry = entry?;
                let (summary, bytes) = (engine.summary(id, &entry)?, engine.message(id, &entry).wait()?);
                lines.push(format!("{entry:?} {} {}", crc32fast::hash(&summary), crc32fast::hash(&bytes)));
            }
        }
    }
    for item in engine.queue() {
        lines.push(format!("{item:?} {}", crc32fast::hash(&engine.queue_message(item.id).wait()?)));
    }
    Ok(lines)
}
