//! Usage cannot drift: over random histories with power losses, compactions, rebuilds, repairs, restores and restarts the fold of the log, the sum over the entries, the
//! open store and a ledger kept beside them say the same. Seeds are printed; `POSTHOUSE_SEED` replays one.
use crate::world::{address, message, options};
use posthouse_engine::base::{AccountId, FlagMode, Flags, MailboxId, SimClock, Uid, UidSet};
use posthouse_engine::delivery::{Delivery, Place, Target};
use posthouse_engine::directory::{Change, Quota};
use posthouse_engine::disk::Disk;
use posthouse_engine::disk::sim::{Random, SimDisk};
use posthouse_engine::quota::model::Model;
use posthouse_engine::rescue::{Repair, Tools, Usage, prove_quota, rebuild};
use posthouse_engine::{Compact, Engine, Store};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

const PEOPLE: usize = 3;

struct History {
    name: String,
    random: Random,
    disk: SimDisk,
    engine: Option<Arc<Engine>>,
    ids: Vec<AccountId>,
    ledger: Model,
    compacted: u64,
    restores: u64,
}

impl History {
    fn new(seed: u64) -> History {
        let disk = SimDisk::new(seed);
        let engine = Engine::open(options(Arc::new(disk.clone()), 2)).expect("opens").0;
        let mut changes = vec![
            Change::TenantAdd { name: "acme".into(), title: String::new(), accounts_max: None },
            Change::DomainAdd { tenant: "acme".into(), domain: "acme.test".into() },
        ];
        changes.extend((0..PEOPLE).map(|at| Change::MemberAdd {
            address: address(&format!("m{at}@acme.test")),
            name: String::new(),
            password_hash: None,
            vip: false,
            quota: Quota::Bytes(20_000),
        }));
        engine.change_directory(changes).wait().into_iter().for_each(|answer| answer.expect("a good change"));
        let id = |at| engine.directory(|all| all.account_at(&address(&format!("m{at}@acme.test"))).expect("there").id);
        let ids: Vec<AccountId> = (0..PEOPLE).map(id).collect();
        for id in &ids {
            engine.open_account(*id).wait().expect("opened");
        }
        let (name, random) = (format!("POSTHOUSE_SEED={seed}"), Random::new(seed));
        let (engine, ledger) = (Some(engine), Model::default());
        History { name, random, disk, engine, ids, ledger, compacted: 0, restores: 0 }
    }

    fn engine(&self) -> Arc<Engine> {
        self.engine.clone().expect("open")
    }

    fn sizes(&self, id: AccountId, mailbox: MailboxId) -> BTreeMap<u32, u64> {
        let Ok(view) = self.engine().mailbox(id, mailbox) else { return BTreeMap::new() };
        let entries = view.entries.range(0..view.entries.len()).map(|entry| entry.expect("read"));
        entries.map(|entry| (entry.uid.0, u64::from(entry.size_bytes))).collect()
    }

    fn step(&mut self, number: u32) {
        let engine = self.engine();
        let id = self.ids[self.random.below(PEOPLE as u64) as usize];
        let mailbox = MailboxId(1 + self.random.below(6) as u32);
        let first = 1 + self.random.below(12) as u32;
        let uids = UidSet::range(Uid(first), Uid(first + self.random.below(6) as u32));
        match self.random.below(11) {
            0..=4 => self.deliver(&engine, number),
            5 => {
                let to = MailboxId(1 + self.random.below(6) as u32);
                let before = self.sizes(id, mailbox);
                let moves = self.random.chance(50);
                let done = match moves {
                    true => engine.move_entries(id, mailbox, uids, to).wait(),
                    false => engine.copy(id, mailbox, uids, to).wait(),
                };
                let Ok(done) = done else { return };
                for (from, new) in done.from.iter().zip(done.to.iter()) {
                    assert!(self.ledger.add((id, to, new), before[&from.0]), "{}", self.name);
                    if moves {
                        self.ledger.remove((id, mailbox, from));
                    }
                }
            }
            6 => {
                let flags = Flags::SEEN.union(Flags::DELETED);
                let store = Store { uids, mode: FlagMode::Add, flags, keywords: Vec::new(), unchanged_since: None };
                let _ = engine.store(id, mailbox, store).wait();
                for uid in engine.expunge(id, mailbox, None).wait().unwrap_or_default().iter() {
                    assert!(self.ledger.remove((id, mailbox, uid)).is_some(), "{}", self.name);
                }
            }
            7 => {
                for uid in engine.remove(id, mailbox, uids).wait().unwrap_or_default().iter() {
                    assert!(self.ledger.remove((id, mailbox, uid)).is_some(), "{}", self.name);
                }
            }
            8 => {
                let keep_ms = if self.random.chance(50) { -1 } else { i64::MAX };
                let request =
                    Compact { cold_after_ms: 0, dead_percent: 10, bytes_per_second: 0, keep_ms, leave_free_bytes: 0 };
                let done = engine.compact(request).wait().unwrap_or_else(|why| panic!("{}: {why}", self.name));
                self.compacted += done.segments_done;
            }
            9 => drop(engine.create_mailbox(id, "more", None).wait()),
            _ => {
                let account = engine.account(id).expect("open");
                let found = account.mailbox_named("more").map(|mailbox| mailbox.id);
                if engine.delete_mailbox(id, "more").wait().is_ok() {
                    self.ledger.remove_mailbox(id, found.expect("it was deleted"));
                }
            }
        }
    }

    fn deliver(&mut self, engine: &Engine, number: u32) {
        let chosen: Vec<AccountId> = self.ids.iter().filter(|_| self.random.chance(60)).copied().collect();
        let bytes = 100 + self.random.below(1500) as usize;
        let staged = engine.stage(Vec::new(), message(number, bytes)).wait().expect("staged");
        let size = u64::from(staged.size_bytes());
        let target = |account: &AccountId| Target {
            account: *account,
            place: Place::Inbox,
            flags: Flags::NONE,
            bound: engine.bound(*account),
        };
        let targets = chosen.iter().map(target).collect();
        let outcome = engine.deliver(Delivery { staged, targets, queue: Vec::new() }).wait();
        for (id, answer) in chosen.into_iter().zip(outcome.targets) {
            let full = self.ledger.used_bytes(id) + u128::from(size) > 20_000;
            assert_eq!(answer.is_err(), full, "{}: {answer:?}", self.name);
            if let Ok(delivered) = answer {
                assert!(self.ledger.add((id, delivered.mailbox, delivered.uid), size), "{}", self.name);
            }
        }
    }

    /// Ends the engine in some way, mends or rebuilds in some way, starts again.
    fn upset(&mut self) {
        let engine = self.engine.take().expect("open");
        if self.random.chance(60) {
            self.disk = self.disk.crash();
        }
        let _ = engine.close();
        drop(engine);
        if self.random.chance(30) {
            for dir in self.disk.list_dirs(Path::new("shards")).expect("listed") {
                let dir = Path::new("shards").join(dir);
                for name in self.disk.list(&dir).expect("listed").iter().filter(|name| name.ends_with(".phi")) {
                    self.disk.remove(&dir.join(name)).expect("removed");
                }
            }
        }
        let mut scratch = || Ok(Arc::new(SimDisk::new(3)) as Arc<dyn Disk>);
        let clock = Arc::new(SimClock::at_ms(1_700_000_100_000));
        let mut tools = Tools { disk: Arc::new(self.disk.clone()), clock, scratch: &mut scratch };
        match self.random.below(3) {
            0 => {
                let done = rebuild(&mut tools, &mut |_| {}).unwrap_or_else(|why| panic!("{}: {why}", self.name));
                assert!(done.different.is_empty(), "{}: {:?}", self.name, done.different);
            }
            1 => {
                let plan = Repair::plan(&mut tools, &mut |_| {}).expect("plans");
                assert!(plan.steps().iter().all(|step| !step.act.is_loss()), "{}: {:?}", self.name, plan.steps());
                plan.apply(&mut tools, &mut |_| {}).unwrap_or_else(|why| panic!("{}: {why}", self.name));
            }
            _ => {}
        }
        let opened = Engine::open(options(Arc::new(self.disk.clone()), 2));
        self.engine = Some(opened.unwrap_or_else(|why| panic!("{}: {why}", self.name)).0);
    }

    /// The store as a backup taken now gives it back: the log's files as far as they are durable, and nothing that is derived.
    fn restored(&self) -> (Arc<Engine>, SimDisk) {
        let copy = SimDisk::new(4);
        let put = |path: &Path, len: Option<u64>| {
            copy.create_dir(path.parent().expect("below the root")).expect("made");
            let bytes = self.disk.map(path).expect("read");
            let len = len.map_or(bytes.len(), |len| len as usize);
            let file = copy.create(path).expect("made");
            file.write_at(&bytes[..len], 0).and_then(|()| file.sync_data()).expect("written");
            path.ancestors().skip(1).for_each(|dir| copy.sync_dir(dir).expect("synced"));
        };
        put(Path::new("STORE"), None);
        for shard in self.engine().files() {
            for file in shard.files {
                put(&shard.dir.join(&file.name), Some(file.len_bytes));
            }
        }
        let opened = Engine::open(options(Arc::new(copy.clone()), 2));
        (opened.unwrap_or_else(|why| panic!("{}: restored: {why}", self.name)).0, copy)
    }

    /// The history goes on in a store that was restored from a backup of this one.
    fn restore(&mut self) {
        let (engine, disk) = self.restored();
        engine.settle_restored().unwrap_or_else(|why| panic!("{}: restored: {why}", self.name));
        (self.engine, self.disk) = (Some(engine), disk);
        self.restores += 1;
    }

    fn check_restored(&self) {
        let (engine, _) = self.restored();
        for id in &self.ids {
            let account = engine.account(*id).expect("open");
            let usage = Usage::of(&account, None, None).expect("read");
            assert!(usage.agrees(), "{}: restored: {usage:?}", self.name);
            assert_eq!(u128::from(usage.used_bytes), self.ledger.used_bytes(*id), "{}: restored", self.name);
        }
    }

    /// All four say the same.
    fn check(&self) {
        let mut folded: BTreeMap<AccountId, Usage> = BTreeMap::new();
        let mut scratch = || Ok(Arc::new(SimDisk::new(3)) as Arc<dyn Disk>);
        let mut give = |usage: Usage| drop(folded.insert(usage.account, usage));
        prove_quota(&self.disk, None, &mut scratch, &mut |_| {}, &mut give)
            .unwrap_or_else(|why| panic!("{}: {why}", self.name));
        for id in &self.ids {
            let account = self.engine().account(*id).expect("open");
            let usage = &folded[id];
            assert!(usage.agrees(), "{}: {usage:?}", self.name);
            let now = Usage::of(&account, usage.address.clone(), usage.quota_bytes_max).expect("read");
            assert_eq!(now, *usage, "{}: the open store and the log", self.name);
            assert_eq!(u128::from(usage.used_bytes), self.ledger.used_bytes(*id), "{}: the ledger", self.name);
        }
    }
}

#[test]
fn usage_never_drifts() {
    let seeds = match std::env::var("POSTHOUSE_SEED") {
        Ok(seed) => vec![seed.parse().expect("POSTHOUSE_SEED is a number")],
        Err(_) => {
            let start = crate::seeds::first();
            (0..40).map(|at| start.wrapping_add(at)).collect()
        }
    };
    let (alone, mut compacted, mut restores) = (seeds.len() == 1, 0, 0);
    for seed in seeds {
        println!("POSTHOUSE_SEED={seed}");
        let mut history = History::new(seed);
        for number in 0..120 {
            history.step(number);
            if history.random.chance(8) {
                history.upset();
                history.check();
            }
            if history.random.chance(4) {
                history.check_restored();
            }
            if history.random.chance(2) {
                history.restore();
                history.check();
            }
        }
        history.check();
        history.check_restored();
        (compacted, restores) = (compacted + history.compacted, restores + history.restores);
    }
    println!("{compacted} segments were compacted, {restores} stores restored and gone on with");
    assert!(alone || compacted > 0 && restores > 0, "{compacted}, {restores}");
}
