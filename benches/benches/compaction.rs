//! Old mail made cold: a store compacted from its first live look to the rename, a message and a summary read from what comes out. In memory.
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use posthouse_engine::base::{AccountId, Flags, MailboxId, SimClock};
use posthouse_engine::delivery::{Delivery, Place, Target};
use posthouse_engine::disk::sim::{Random, SimDisk};
use posthouse_engine::index::Entry;
use posthouse_engine::{Compact, Engine, Options};
use std::sync::Arc;

const MAILS: u64 = 3_000;
const ACCOUNTS: u64 = 10;
/// Senders, each of whom has a signature of his own.
const SENDERS: u64 = 40;
/// Words that mail is made of; frequent ones first.
const WORDS: u64 = 4_000;
const ALL: Compact =
    Compact { cold_after_ms: 0, dead_percent: 25, bytes_per_second: 0, keep_ms: i64::MAX, leave_free_bytes: 0 };

fn word(random: &mut Random, mail: &mut Vec<u8>) {
    let rank = random.below(WORDS).min(random.below(WORDS)).min(random.below(WORDS));
    let mut letters = rank.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for _ in 0..2 + rank % 7 {
        mail.push(b'a' + (letters % 26) as u8);
        letters /= 26;
    }
}

/// Some 4 kB of text with headers, no two alike.
fn mail(random: &mut Random, number: u64) -> Vec<u8> {
    let sender = random.below(SENDERS);
    let mut mail = format!(
        "Received: from mx{sender}.s{sender}.test ([192.0.2.{sender}])\r\n\tby mail.example.test with ESMTP id {number:08x}\r\n\
         From: Sender {sender} <news@s{sender}.test>\r\nTo: reader@example.test\r\nMessage-ID: <{number}@s{sender}.test>\r\n\
         Content-Type: text/plain; charset=utf-8\r\nSubject: "
    )
    .into_bytes();
    (0..5).for_each(|_| {
        word(random, &mut mail);
        mail.push(b' ');
    });
    mail.extend_from_slice(b"\r\n\r\n");
    for _ in 0..40 + random.below(40) {
        for _ in 0..10 {
            word(random, &mut mail);
            mail.push(b' ');
        }
        mail.extend_from_slice(b"\r\n");
    }
    let mut signature = Random::new(sender + 1);
    (0..40).for_each(|_| word(&mut signature, &mut mail));
    mail.extend_from_slice(b"\r\n");
    mail
}

fn open(disk: &SimDisk) -> Arc<Engine> {
    let options = Options {
        disk: Arc::new(disk.clone()),
        clock: Arc::new(SimClock::at_ms(1_700_000_000_000)),
        shards: 1,
        segment_bytes_max: 1 << 20,
        checkpoint_log_bytes: 64 << 20,
        workers: 1,
    };
    Engine::open(options).expect("opens").0
}

/// A closed store and the bytes of its mail.
fn filled() -> (SimDisk, u64) {
    let (disk, mut random, mut bytes) = (SimDisk::new(1), Random::new(2), 0);
    let engine = open(&disk);
    for number in 0..MAILS {
        let staged = engine.stage(Vec::new(), mail(&mut random, number)).wait().expect("staged");
        bytes += u64::from(staged.size_bytes());
        let account = AccountId(1 + number % ACCOUNTS);
        let target = Target { account, place: Place::Inbox, flags: Flags::NONE, bound: None };
        let outcome = engine.deliver(Delivery { staged, targets: vec![target], queue: Vec::new() }).wait();
        outcome.targets.into_iter().for_each(|answer| assert!(answer.is_ok(), "{answer:?}"));
    }
    engine.close().expect("closes");
    (disk, bytes)
}

fn compaction(c: &mut Criterion) {
    let (disk, bytes) = filled();
    let mut all = c.benchmark_group("compaction");
    all.sample_size(10).throughput(Throughput::Bytes(bytes));
    all.bench_function("run", |bench| {
        let run = |engine: Arc<Engine>| {
            let done = engine.compact(ALL).wait().expect("compacted");
            assert!(done.proven > MAILS / 2 && done.proven == done.messages, "{done:?}");
            engine
        };
        bench.iter_batched(|| open(&disk.reboot()), run, BatchSize::PerIteration);
    });
    all.finish();
}

fn cold(c: &mut Criterion) {
    let engine = open(&filled().0);
    engine.compact(ALL).wait().expect("compacted");
    let of = |id: u64| {
        let view = engine.mailbox(AccountId(id), MailboxId::INBOX).expect("INBOX");
        view.entries.range(0..view.entries.len()).map(|entry| entry.expect("readable")).collect::<Vec<Entry>>()
    };
    let entries: Vec<(AccountId, Entry)> =
        (1..=ACCOUNTS).flat_map(|id| of(id).into_iter().map(move |entry| (AccountId(id), entry))).collect();
    let mut all = c.benchmark_group("cold");
    // Far apart, so that hardly one is in the block that was read last.
    let mut at = 0;
    all.bench_function("message", |bench| {
        bench.iter(|| {
            at = (at + 1_237) % entries.len();
            engine.message_here(entries[at].0, &entries[at].1).expect("readable")
        });
    });
    all.bench_function("summary", |bench| {
        bench.iter(|| {
            at = (at + 1_237) % entries.len();
            engine.summary(entries[at].0, &entries[at].1).expect("readable")
        });
    });
    all.finish();
}

criterion_group!(benches, compaction, cold);
criterion_main!(benches);
