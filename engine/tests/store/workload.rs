//! Workloads of a shape: deliveries to one and to many, flags, expunges, a dictionary, the queue, checkpoints, segments that fill and are compacted. Goes on
//! after a refusal, ends when the store has closed itself. Judges nothing.
use crate::help::{address, message};
use crate::verdict::Promise;
use posthouse_engine::base::{AccountId, Error, FlagMode, Flags, MailboxId, SimClock, Uid, UidSet};
use posthouse_engine::delivery::{Delivery, Place, Target};
use posthouse_engine::directory::{Change, Quota};
use posthouse_engine::disk::Disk;
use posthouse_engine::disk::sim::{Random, SimDisk};
use posthouse_engine::{Compact, Engine, Options, Store};
use std::sync::Arc;

/// What a workload is like.
#[derive(Clone, Debug)]
pub struct Shape {
    pub people: usize,
    pub shards: u16,
    pub messages: u32,
    pub message_bytes: usize,
    pub segment_bytes_max: u32,
    pub checkpoint_log_bytes: u64,
}

impl Default for Shape {
    fn default() -> Shape {
        Shape {
            people: 2,
            shards: 1,
            messages: 30,
            message_bytes: 700,
            segment_bytes_max: 12 << 10,
            checkpoint_log_bytes: 16 << 10,
        }
    }
}

impl Shape {
    pub fn random(random: &mut Random) -> Shape {
        Shape {
            people: 1 + random.below(4) as usize,
            shards: 1 + random.below(3) as u16,
            messages: 10 + random.below(40) as u32,
            message_bytes: 100 + random.below(1500) as usize,
            segment_bytes_max: 4_000 << random.below(5),
            checkpoint_log_bytes: 3_000 << random.below(6),
        }
    }

    pub fn open(&self, disk: &Arc<dyn Disk>) -> Result<Arc<Engine>, Error> {
        let options = Options {
            disk: disk.clone(),
            clock: Arc::new(SimClock::at_ms(1_700_000_000_000)),
            shards: self.shards,
            segment_bytes_max: self.segment_bytes_max,
            checkpoint_log_bytes: self.checkpoint_log_bytes,
            workers: 1,
        };
        Engine::open(options).map(|(engine, _)| engine)
    }

    pub fn message(&self, number: u32) -> Vec<u8> {
        message(number, self.message_bytes)
    }
}

/// Runs the workload, closing the store in order at its end if `stop`; says whether anything was refused.
pub fn run(sim: &SimDisk, shape: &Shape, promise: &mut Promise, stop: bool) -> bool {
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    let Ok(engine) = shape.open(&disk) else { return true };
    let mut run = Run { engine, shape, promise, refused: false };
    let whole = run.all();
    let Run { engine, mut refused, .. } = run;
    refused |= whole.is_none();
    if stop {
        // A stop fails when its last checkpoint does; nothing that was answered hangs on it.
        refused |= engine.close().is_err();
    } else {
        // The machine goes off: nothing that the engine does at its end reaches the disk.
        sim.crash_at(0);
    }
    refused
}

struct Run<'a> {
    engine: Arc<Engine>,
    shape: &'a Shape,
    promise: &'a mut Promise,
    refused: bool,
}

impl Run<'_> {
    /// `None`: the store has closed itself, or nobody is there to write to.
    fn all(&mut self) -> Option<()> {
        let people = self.people()?;
        for number in 0..self.shape.messages {
            if number == self.shape.messages / 3 {
                self.engine.train_dictionary();
            }
            if number == self.shape.messages * 2 / 3 {
                self.compact();
            }
            let to = if number % 4 == 0 { &people[..] } else { &people[..1] };
            self.deliver(to, number)?;
            self.read_back(people[0]);
            if number % 7 == 3 {
                self.flag_and_expunge(people[0])?;
            }
        }
        Some(())
    }

    /// What an answer says; `Err(())` when it is not sure what a restart will find.
    fn took<T>(&mut self, answer: Result<T, Error>) -> Result<Option<T>, ()> {
        match answer {
            Ok(done) => Ok(Some(done)),
            Err(Error::Latched { .. } | Error::Closed | Error::Busy) => {
                self.refused = true;
                Err(())
            }
            Err(_) => {
                self.refused = true;
                Ok(None)
            }
        }
    }

    fn people(&mut self) -> Option<Vec<AccountId>> {
        let mut changes = vec![
            Change::TenantAdd { name: "acme".into(), title: "Acme".into(), accounts_max: None },
            Change::DomainAdd { tenant: "acme".into(), domain: "example.test".into() },
        ];
        changes.extend((0..self.shape.people).map(|at| Change::MemberAdd {
            address: address(&format!("m{at}@example.test")),
            name: String::new(),
            password_hash: None,
            vip: false,
            quota: Quota::Default,
        }));
        for answer in self.engine.change_directory(changes).wait() {
            self.took(answer).ok()??;
        }
        self.promise.inboxes = vec![Default::default(); self.shape.people];
        let find = |at| {
            let address = address(&format!("m{at}@example.test"));
            self.engine.directory(|all| all.account_at(&address).map(|found| found.id))
        };
        (0..self.shape.people).map(find).collect()
    }

    fn deliver(&mut self, to: &[AccountId], number: u32) -> Option<()> {
        let staged = self.engine.stage(b"Return-Path: <>\r\n".to_vec(), self.shape.message(number)).wait().ok()?;
        let bound = None;
        let target = |account: &AccountId| Target { account: *account, place: Place::Inbox, flags: Flags::NONE, bound };
        let targets = to.iter().map(target).collect();
        let outcome = self.engine.deliver(Delivery { staged, targets, queue: Vec::new() }).wait();
        let mut sure = Some(());
        for (at, answer) in outcome.targets.into_iter().enumerate() {
            match self.took(answer) {
                Ok(Some(done)) => drop(self.promise.inboxes[at].insert(done.uid.0, (number, false))),
                Ok(None) => {}
                Err(()) => {
                    self.promise.unsure = Some(number);
                    sure = None;
                }
            }
        }
        sure
    }

    /// Everything that is sealed is rewritten. When that fails, all is as it was.
    fn compact(&mut self) {
        let everything =
            Compact { cold_after_ms: 0, dead_percent: 1, bytes_per_second: 0, keep_ms: i64::MAX, leave_free_bytes: 0 };
        self.refused |= self.engine.compact(everything).wait().is_err();
    }

    /// Reads the newest message of an INBOX: an error, or what was sent.
    fn read_back(&mut self, account: AccountId) {
        let Some((uid, (number, _))) = self.promise.inboxes[0].last_key_value() else { return };
        let view = self.engine.mailbox(account, MailboxId::INBOX);
        let entry = view.and_then(|view| {
            let at = view.entries.position(Uid(*uid))?.expect("what was answered is shown");
            view.entries.get(at)
        });
        match entry.and_then(|entry| self.engine.message(account, &entry).wait()) {
            Ok(stored) => assert!(stored.ends_with(&self.shape.message(*number)), "wrong bytes of uid {uid}"),
            Err(_) => self.refused = true,
        }
    }

    /// Marks the newest two messages of an INBOX and expunges the older.
    fn flag_and_expunge(&mut self, account: AccountId) -> Option<()> {
        let newest: Vec<u32> = self.promise.inboxes[0].keys().rev().take(2).copied().collect();
        let [newer, older] = newest[..] else { return Some(()) };
        let store = Store {
            uids: UidSet::from_ranges([(newer, newer), (older, older)]),
            mode: FlagMode::Add,
            flags: Flags(Flags::SEEN.0 | Flags::DELETED.0),
            keywords: Vec::new(),
            unchanged_since: None,
        };
        let stored = self.engine.store(account, MailboxId::INBOX, store).wait();
        if self.took(stored).ok()?.is_none() {
            return Some(());
        }
        for uid in [newer, older] {
            self.promise.inboxes[0].get_mut(&uid).expect("it is there").1 = true;
        }
        let gone = UidSet::range(Uid(older), Uid(older));
        self.promise.vanishing = gone.clone();
        let expunged = self.engine.expunge(account, MailboxId::INBOX, Some(gone)).wait();
        if self.took(expunged).ok()?.is_some() {
            self.promise.inboxes[0].remove(&older);
        }
        self.promise.vanishing = UidSet::new();
        Some(())
    }
}
