//! Small stores as files, for damage: one whose machine was switched off, one that was closed, one that was compacted; and what is in them.
use crate::store;
use posthouse_engine::base::{AccountId, Flags, Guid, MailboxId, Result};
use posthouse_engine::directory::{Address, Change, Quota};
use posthouse_engine::disk::Disk;
use posthouse_engine::disk::sim::SimDisk;
use posthouse_engine::{Append, Compact, Engine, Options};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// Every file of a data directory.
pub type Files = BTreeMap<PathBuf, Vec<u8>>;

/// Two segments of mail and a few more: so small that an input is quick.
const SEGMENT_BYTES: u32 = 4 << 10;
const MESSAGES: u32 = 12;

/// The stores and every message in them.
pub struct Stores {
    /// Switched off, closed, compacted with and without what was replaced.
    pub files: Vec<Files>,
    /// What the messages are, by the names of their contents.
    pub messages: BTreeMap<Guid, Vec<u8>>,
}

/// Made once.
pub fn stores() -> &'static Stores {
    static STORES: OnceLock<Stores> = OnceLock::new();
    STORES.get_or_init(make)
}

fn options(disk: &SimDisk) -> Options {
    Options {
        segment_bytes_max: SEGMENT_BYTES,
        checkpoint_log_bytes: 3 << 10,
        ..store::options(Arc::new(disk.clone()))
    }
}

/// Opens the store on `disk`.
pub fn open(disk: &SimDisk) -> Result<Arc<Engine>> {
    Engine::open(options(disk)).map(|(engine, _)| engine)
}

fn make() -> Stores {
    let disk = SimDisk::new(1);
    let engine = open(&disk).expect("an empty store opens");
    fill(&engine);
    let off = files(&disk.crash());
    // The machine that was switched off above took its disk with it.
    let disk = self::disk(&off);
    drop(engine);
    let messages = read(&open(&disk).expect("opens")).into_iter().map(|(guid, bytes)| (guid, bytes.expect("whole")));
    let messages = messages.collect();
    close(&disk, None);
    let closed = files(&disk);
    let everything =
        Compact { cold_after_ms: 0, dead_percent: 1, bytes_per_second: 0, keep_ms: i64::MAX, leave_free_bytes: 0 };
    close(&disk, Some(everything));
    let kept = files(&disk);
    close(&disk, Some(Compact { cold_after_ms: i64::MAX, dead_percent: 100, keep_ms: -1, ..everything }));
    let compacted = files(&disk);
    assert!(kept.len() > compacted.len(), "something was compacted and something removed");
    Stores { files: vec![off, closed, kept, compacted], messages }
}

fn close(disk: &SimDisk, request: Option<Compact>) {
    let engine = open(disk).expect("opens");
    if let Some(request) = request {
        engine.compact(request).wait().expect("compacted");
    }
    engine.close().expect("closes");
}

fn fill(engine: &Engine) {
    let address = || Address::parse("a@example.org").expect("an address");
    let (name, quota) = (String::new(), Quota::Default);
    let changes = vec![
        Change::TenantAdd { name: "t".into(), title: String::new(), accounts_max: None },
        Change::DomainAdd { tenant: "t".into(), domain: "example.org".into() },
        Change::MemberAdd { address: address(), name, password_hash: None, vip: false, quota },
    ];
    engine.change_directory(changes).wait().into_iter().for_each(|done| done.expect("the directory takes it"));
    let account = engine.directory(|all| all.account_at(&address()).map(|found| found.id)).expect("the member");
    engine.open_account(account).wait().expect("opened");
    for number in 0..MESSAGES {
        if number == MESSAGES / 2 {
            engine.train_dictionary();
        }
        append(engine, account, message(number)).expect("appended");
    }
}

/// Appends a message to INBOX.
pub fn append(engine: &Engine, account: AccountId, message: Vec<u8>) -> Result<()> {
    let staged = engine.stage(Vec::new(), message).wait()?;
    let append = Append { staged, flags: Flags::SEEN, keywords: vec!["$Work".into()], internal_date: Some(7) };
    engine.append(account, MailboxId::INBOX, vec![append]).wait().map(drop)
}

fn message(number: u32) -> Vec<u8> {
    let mut text = format!("Subject: number {number}\r\nMessage-ID: <{number}@example.org>\r\n\r\n");
    let mut seed = number.wrapping_mul(2_654_435_761);
    while text.len() < 700 {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        text.push_str(&format!("{seed:08x} words that every mail has\r\n"));
    }
    text.into_bytes()
}

/// Every message that the members' mailboxes have, or why it cannot be read.
pub fn read(engine: &Engine) -> Vec<(Guid, Result<Vec<u8>>)> {
    let members: Vec<AccountId> = engine.directory(|all| all.members(Default::default()).map(|one| one.id).collect());
    let mut out = Vec::new();
    for id in members {
        let Ok(account) = engine.account(id) else { continue };
        for mailbox in &account.mailboxes {
            for entry in mailbox.entries.range(0..mailbox.entries.len()).flatten() {
                let _ = engine.summary(id, &entry);
                out.push((entry.guid, engine.message(id, &entry).wait().map(|bytes| bytes.to_vec())));
            }
        }
    }
    out
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

/// Every file of a disk.
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
