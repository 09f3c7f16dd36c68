//! `posthouse-space`: how much room mail takes in a store, and what it costs to put it there and to read it again.
//!
//! Delivers every `.eml` of a folder once into a fresh store, by the engine alone, closes it, and prints one JSON line: bytes on disk by kind
//! of file and by what they are over raw bytes, and CPU time of this thread a message for staging, reading and summaries. It never touches a directory that exists.

mod kinds;

use clap::Parser;
use posthouse_engine::base::{AccountId, Flags, MailboxId, SystemClock};
use posthouse_engine::delivery::{Delivery, Place, Target};
use posthouse_engine::disk::StdDisk;
use posthouse_engine::index::mime::SummaryRef;
use posthouse_engine::{Compact, CompactStatus, Engine, Options};
use serde_json::json;
use std::collections::{BTreeMap, HashSet};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

type Outcome<T> = Result<T, Box<dyn Error>>;

#[derive(Parser)]
#[command(version, about = "Measures the room that mail takes; prints one JSON line")]
struct Cli {
    /// Folder of .eml files; equal ones count once.
    #[arg(long)]
    corpus: PathBuf,
    /// Directory to make the store in; it must not exist, and stays.
    #[arg(long)]
    dir: PathBuf,
    /// Accounts that get the mails in turn.
    #[arg(long, default_value_t = 100)]
    accounts: u64,
    /// Shards of the store.
    #[arg(long, default_value_t = 2)]
    shards: u16,
    /// Order of the mails: 0 by name, else a shuffle of that seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Bytes after which a segment is sealed.
    #[arg(long, default_value_t = 8 << 20)]
    segment_bytes: u32,
}

fn main() -> Outcome<()> {
    let cli = Cli::parse();
    if cli.dir.exists() {
        return Err(format!("{}: exists already", cli.dir.display()).into());
    }
    let mails = corpus(&cli.corpus, cli.seed)?;
    let (raw, stage_us) = fill(&cli, &mails)?;
    let (fresh, fresh_kinds) = (room(&cli.dir)?, kinds::kinds(&cli.dir)?);
    let reads = read_all(&cli, &mails)?;
    let (took_us, status) = compact(&cli)?;
    let (compacted, compacted_kinds) = (room(&cli.dir)?, kinds::kinds(&cli.dir)?);
    let cold_reads = read_all(&cli, &mails)?;
    let line = json!({
        "compacted": ratio(&compacted, &compacted_kinds, raw),
        "compact_cpu_us": took_us / mails.len() as f64,
        "compact_mib_a_second": status.message_bytes as f64 / took_us * 1e6 / f64::from(1 << 20),
        "read_compacted": cold_reads,
        "mails": mails.len(),
        "raw_bytes": raw,
        "fresh": ratio(&fresh, &fresh_kinds, raw),
        "stage_cpu_us": stage_us,
        "read": reads,
    });
    println!("{line}");
    Ok(())
}

fn corpus(folder: &Path, seed: u64) -> Outcome<Vec<Vec<u8>>> {
    let mut names: Vec<PathBuf> =
        std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    names.retain(|name| name.extension().is_some_and(|extension| extension == "eml"));
    names.sort();
    let mut seen = HashSet::new();
    let mut mails = Vec::with_capacity(names.len());
    for name in names {
        let mail = std::fs::read(name)?;
        if seen.insert(mail.clone()) {
            mails.push(mail);
        }
    }
    let mut random = posthouse_engine::disk::sim::Random::new(seed);
    if seed > 0 {
        (1..mails.len()).rev().for_each(|at| mails.swap(at, random.below(at as u64 + 1) as usize));
    }
    Ok(mails)
}

fn open(cli: &Cli) -> Outcome<Arc<Engine>> {
    let options = Options {
        disk: Arc::new(StdDisk::new(&cli.dir)?),
        clock: Arc::new(SystemClock),
        shards: cli.shards,
        segment_bytes_max: cli.segment_bytes,
        checkpoint_log_bytes: 64 << 20,
        workers: 1,
    };
    Ok(Engine::open(options)?.0)
}

/// Nanoseconds that this thread has run.
fn cpu_ns() -> u64 {
    clock_ns(rustix::time::ClockId::ThreadCPUTime)
}

fn clock_ns(clock: rustix::time::ClockId) -> u64 {
    let time = rustix::time::clock_gettime(clock);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

fn trace(number: usize) -> Vec<u8> {
    format!(
        "Return-Path: <sender@load.test>\r\nReceived: from load.test ([192.0.2.{}]) by mail.example.test\r\n\twith LMTP id \
         {number:08x}; Thu, 26 Nov 2026 07:{:02}:{:02} +0000\r\n",
        number % 250,
        number / 60 % 60,
        number % 60
    )
    .into_bytes()
}

/// Raw bytes, trace headers included, and microseconds to stage one.
fn fill(cli: &Cli, mails: &[Vec<u8>]) -> Outcome<(u64, f64)> {
    let engine = open(cli)?;
    let (mut raw, mut staged_ns) = (0, 0);
    for (number, mail) in mails.iter().enumerate() {
        let (trace, mail) = (trace(number), mail.clone());
        let before = cpu_ns();
        let staged = engine.stage(trace, mail).wait()?;
        staged_ns += cpu_ns() - before;
        raw += u64::from(staged.size_bytes());
        let account = AccountId(1 + number as u64 % cli.accounts);
        let target = Target { account, place: Place::Inbox, flags: Flags::NONE, bound: None };
        for answer in engine.deliver(Delivery { staged, targets: vec![target], queue: Vec::new() }).wait().targets {
            answer?;
        }
    }
    engine.close()?;
    Ok((raw, staged_ns as f64 / 1e3 / mails.len() as f64))
}

/// Compacts everything that is sealed, removes what was replaced; microseconds of CPU of all threads, of which only its own has work, and what was done.
fn compact(cli: &Cli) -> Outcome<(f64, CompactStatus)> {
    let engine = open(cli)?;
    let all =
        Compact { cold_after_ms: 0, dead_percent: 25, bytes_per_second: 0, keep_ms: i64::MAX, leave_free_bytes: 0 };
    let before = clock_ns(rustix::time::ClockId::ProcessCPUTime);
    let status = engine.compact(all).wait()?;
    let took_us = (clock_ns(rustix::time::ClockId::ProcessCPUTime) - before) as f64 / 1e3;
    engine.compact(Compact { cold_after_ms: i64::MAX, dead_percent: 100, keep_ms: -1, ..all }).wait()?;
    engine.close()?;
    Ok((took_us, status))
}

/// Bytes of files by the end of their name.
fn room(dir: &Path) -> Outcome<BTreeMap<String, u64>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            room(&entry.path())?.into_iter().for_each(|(kind, bytes)| *found.entry(kind).or_default() += bytes);
        } else {
            let kind = entry.path().extension().map_or("other".into(), |end| end.to_string_lossy().into_owned());
            *found.entry(kind).or_default() += entry.metadata()?.len();
        }
    }
    Ok(found)
}

fn ratio(room: &BTreeMap<String, u64>, kinds: &kinds::Kinds, raw: u64) -> serde_json::Value {
    let all: u64 = room.values().sum();
    json!({ "bytes": room, "log": kinds, "ratio": all as f64 / raw as f64 })
}

/// Reads every message once in order and once at random, each must be what was delivered; and the summaries mailbox by mailbox, as a client
/// does that asks for envelopes.
fn read_all(cli: &Cli, mails: &[Vec<u8>]) -> Outcome<serde_json::Value> {
    let engine = open(cli)?;
    let mut random = posthouse_engine::disk::sim::Random::new(7);
    let mut times = [0u64; 2];
    for (round, time) in times.iter_mut().enumerate() {
        for number in 0..mails.len() {
            let number = if round == 0 { number } else { random.below(mails.len() as u64) as usize };
            let account = AccountId(1 + number as u64 % cli.accounts);
            let view = engine.mailbox(account, MailboxId::INBOX)?;
            let entry = view.entries.get(number / cli.accounts as usize)?;
            let before = cpu_ns();
            let message = engine.message(account, &entry).wait()?;
            *time += cpu_ns() - before;
            if !message.ends_with(&mails[number]) {
                return Err(format!("mail {number} is not what was delivered").into());
            }
        }
    }
    let mut summaries_ns = u64::MAX;
    for _ in 0..3 {
        let before = cpu_ns();
        for account in (1..=cli.accounts).map(AccountId) {
            let view = engine.mailbox(account, MailboxId::INBOX)?;
            for entry in view.entries.range(0..view.entries.len()) {
                let summary = engine.summary(account, &entry?)?;
                SummaryRef::decode(&summary)?;
            }
        }
        summaries_ns = summaries_ns.min(cpu_ns() - before);
    }
    engine.close()?;
    let each = |ns: u64| ns as f64 / 1e3 / mails.len() as f64;
    Ok(json!({
        "in_order_cpu_us": each(times[0]),
        "random_cpu_us": each(times[1]),
        "summary_cpu_us": each(summaries_ns),
    }))
}
