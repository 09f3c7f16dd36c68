//! The disk runs full at each operation of a workload: every change is done or refused, a stop in order writes its checkpoint all the same,
//! the store opens while it is still full, with all that was answered, and takes mail when room comes back.
use crate::crash::{PEOPLE, Promise, check};
use crate::help::{address, deliver, ids, open};
use posthouse_engine::base::{AccountId, Error, FlagMode, Flags, MailboxId, Uid, UidSet};
use posthouse_engine::directory::{Change, Quota};
use posthouse_engine::disk::Disk;
use posthouse_engine::disk::sim::SimDisk;
use posthouse_engine::{Engine, Store};
use std::sync::Arc;

const MESSAGES: u32 = 28;
/// The control shard's place in the status.
const CONTROL: usize = 1;

/// What a run was told.
#[derive(Default)]
struct Told {
    promise: Promise,
    refused: u32,
    /// The log's end in the account shard and in the control shard after the last change that was taken.
    ends: [u64; 2],
}

impl Told {
    /// Whether a change was taken; it is that or refused for want of room.
    fn took<T>(&mut self, engine: &Engine, shard: usize, answer: Result<T, Error>, case: &str) -> Option<T> {
        match answer {
            Ok(done) => {
                self.ends[shard] = engine.status().shards[shard].log_bytes;
                Some(done)
            }
            Err(Error::NoSpace) => {
                self.refused += 1;
                None
            }
            Err(why) => panic!("{case}: {why}"),
        }
    }
}

fn people(engine: &Engine, told: &mut Told, case: &str) -> Option<Vec<AccountId>> {
    let member = |at| Change::MemberAdd {
        address: address(&format!("m{at}@example.test")),
        name: String::new(),
        password_hash: None,
        vip: false,
        quota: Quota::Default,
    };
    let tenant = Change::TenantAdd { name: "acme".into(), title: "Acme".into(), accounts_max: None };
    let domain = Change::DomainAdd { tenant: "acme".into(), domain: "example.test".into() };
    let changes = [tenant, domain].into_iter().chain((0..PEOPLE).map(member)).collect();
    for answer in engine.change_directory(changes).wait() {
        told.took(engine, CONTROL, answer, case)?;
    }
    told.promise.people = true;
    Some(ids(engine, PEOPLE))
}

fn run(engine: &Engine, told: &mut Told, case: &str) {
    let Some(all) = people(engine, told, case) else { return };
    for number in 0..MESSAGES {
        if number == 12 {
            engine.train_dictionary();
        }
        let to = if number % 4 == 0 { &all[..] } else { &all[..1] };
        for (at, answer) in deliver(engine, to, number, 700).targets.into_iter().enumerate() {
            if let Some(delivered) = told.took(engine, 0, answer, case) {
                told.promise.inboxes[at].insert(delivered.uid.0, (number, false));
            }
        }
        if number % 7 == 3 && told.promise.inboxes[0].len() > 1 {
            flag_and_expunge(engine, all[0], told, case);
        }
    }
}

/// Marks the newest two messages and expunges the older of them.
fn flag_and_expunge(engine: &Engine, account: AccountId, told: &mut Told, case: &str) {
    let newest: Vec<u32> = told.promise.inboxes[0].keys().rev().take(2).copied().collect();
    let store = Store {
        uids: UidSet::from_ranges(newest.iter().map(|uid| (*uid, *uid))),
        mode: FlagMode::Add,
        flags: Flags(Flags::SEEN.0 | Flags::DELETED.0),
        keywords: Vec::new(),
        unchanged_since: None,
    };
    let stored = engine.store(account, MailboxId::INBOX, store).wait();
    if told.took(engine, 0, stored, case).is_none() {
        return;
    }
    newest.iter().for_each(|uid| told.promise.inboxes[0].get_mut(uid).expect("it is there").1 = true);
    let oldest = Uid(newest[1]);
    let gone = engine.expunge(account, MailboxId::INBOX, Some(UidSet::range(oldest, oldest))).wait();
    if told.took(engine, 0, gone, case).is_some() {
        told.promise.inboxes[0].remove(&oldest.0);
    }
}

/// A stop that left no work for the next start.
fn check_stop(disk: &Arc<dyn Disk>, told: &Told, case: &str) {
    let engine = open(disk, 1).unwrap_or_else(|why| panic!("{case}: {why}"));
    for (shard, end) in engine.status().shards.iter().zip(told.ends) {
        let covered = shard.checkpoint_lsn;
        assert!(covered >= end, "{case}: the checkpoint of shard {} is at {covered}, the log at {end}", shard.name);
    }
}

/// The disk is full from operation `at` on; how many changes were refused.
fn full_at(at: u64, power_fails: bool) -> u32 {
    let case = format!("full at operation {at}");
    let sim = SimDisk::new(at);
    sim.fill_at(at);
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    let mut told = Told::default();
    match open(&disk, 1) {
        Ok(engine) => {
            run(&engine, &mut told, &case);
            if !power_fails {
                engine.close().unwrap_or_else(|why| panic!("{case}: stop: {why}"));
            }
            drop(engine);
        }
        // Only a store that is just being made needs room to open.
        Err(why) => assert!(matches!(why, Error::NoSpace) && at < 40, "{case}: {why}"),
    }
    let sim = if power_fails { sim.crash() } else { sim };
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    if told.promise.people {
        check(&disk, &told.promise, &format!("{case}, still full"));
        if !power_fails {
            check_stop(&disk, &told, &case);
        }
    }
    sim.set_free_bytes(u64::MAX);
    check(&disk, &told.promise, &format!("{case}, with room again"));
    if told.promise.people {
        let engine = open(&disk, 1).expect("opens");
        let outcome = deliver(&engine, &ids(&engine, 1), 999, 700);
        assert!(outcome.targets[0].is_ok(), "{case}: mail is taken again: {:?}", outcome.targets);
    }
    told.refused
}

fn operations() -> u64 {
    let sim = SimDisk::new(0);
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    let mut told = Told::default();
    let engine = open(&disk, 1).expect("opens");
    run(&engine, &mut told, "a quiet disk");
    engine.close().expect("closes");
    assert_eq!(told.refused, 0);
    sim.ops()
}

#[test]
fn a_disk_that_is_full_from_any_operation_on_loses_nothing_and_stops_in_order() {
    let operations = operations();
    let refused: u32 = (0..operations).map(|at| full_at(at, false)).sum();
    assert!(operations > 100 && refused > 100, "{refused} changes were refused in {operations} runs");
    println!("full at each of {operations} operations: {refused} changes refused, none lost");
}

#[test]
fn a_power_loss_on_a_full_disk_loses_nothing() {
    (0..operations()).for_each(|at| {
        full_at(at, true);
    });
}
