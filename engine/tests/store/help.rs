//! A small store on a simulated disk.
use posthouse_engine::base::{AccountId, Flags, SimClock};
use posthouse_engine::delivery::{Delivery, Outcome, Place, Target};
use posthouse_engine::directory::{Address, Change, Quota};
use posthouse_engine::disk::Disk;
use posthouse_engine::{Engine, Options};
use std::sync::Arc;

pub fn open(disk: &Arc<dyn Disk>, shards: u16) -> Result<Arc<Engine>, posthouse_engine::base::Error> {
    open_told(disk, shards).map(|(engine, _)| engine)
}

/// The same with the lines that recovery has to say.
pub fn open_told(
    disk: &Arc<dyn Disk>,
    shards: u16,
) -> Result<(Arc<Engine>, Vec<String>), posthouse_engine::base::Error> {
    Engine::open(options(disk, shards))
}

/// Small segments and frequent checkpoints.
pub fn options(disk: &Arc<dyn Disk>, shards: u16) -> Options {
    Options {
        disk: disk.clone(),
        clock: Arc::new(SimClock::at_ms(1_700_000_000_000)),
        shards,
        segment_bytes_max: 16 << 10,
        checkpoint_log_bytes: 24 << 10,
        workers: 1,
    }
}

pub fn address(text: &str) -> Address {
    Address::parse(text).expect("a good address")
}

/// A tenant with a domain and members `m0@example.test` and so on.
pub fn people(engine: &Engine, count: usize, quota: Quota) -> Vec<AccountId> {
    let mut changes = vec![
        Change::TenantAdd { name: "acme".into(), title: "Acme".into(), accounts_max: None },
        Change::DomainAdd { tenant: "acme".into(), domain: "example.test".into() },
    ];
    for i in 0..count {
        changes.push(Change::MemberAdd {
            address: address(&format!("m{i}@example.test")),
            name: format!("Member {i}"),
            password_hash: None,
            vip: false,
            quota,
        });
    }
    for answer in engine.change_directory(changes).wait() {
        answer.expect("a good change");
    }
    ids(engine, count)
}

pub fn ids(engine: &Engine, count: usize) -> Vec<AccountId> {
    let find =
        |i| engine.directory(|all| all.account_at(&address(&format!("m{i}@example.test"))).map(|found| found.id));
    (0..count).map(|i| find(i).expect("the member is there")).collect()
}

pub fn message(number: u32, bytes: usize) -> Vec<u8> {
    let mut message = format!("Subject: number {number}\r\nMessage-ID: <{number}@example.test>\r\n\r\n").into_bytes();
    let mut seed = number.wrapping_mul(2_654_435_761);
    while message.len() < bytes {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        message.extend_from_slice(format!("{seed:08x} some words of a mail\r\n").as_bytes());
    }
    message
}

pub fn deliver(engine: &Engine, to: &[AccountId], number: u32, bytes: usize) -> Outcome {
    let staged = engine.stage(b"Return-Path: <>\r\n".to_vec(), message(number, bytes)).wait().expect("staged");
    let target = |account: &AccountId| Target {
        account: *account,
        place: Place::Inbox,
        flags: Flags::NONE,
        bound: engine.bound(*account),
    };
    engine.deliver(Delivery { staged, targets: to.iter().map(target).collect(), queue: Vec::new() }).wait()
}

/// Runs a future on this thread.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        if let std::task::Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
        std::thread::yield_now();
    }
}
