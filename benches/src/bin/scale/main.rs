//! `posthouse-scale`: makes stores of many accounts or many messages, by the engine alone, as material for `benches/scale`.
//!
//! Prints one JSON line: CPU and wall time and peak memory of making it. Mails are small, each with its own Message-ID, and nothing is read back
//! here. It never touches a directory that exists.

use clap::Parser;
use posthouse_engine::base::{AccountId, Flags, SystemClock};
use posthouse_engine::delivery::{Delivery, Outcome, Place, Target};
use posthouse_engine::directory::{Address, Change, Quota, password};
use posthouse_engine::disk::StdDisk;
use posthouse_engine::queue::{NewQueueItem, QueueRecipient};
use posthouse_engine::{Append, Engine, Options, Ticket};
use serde_json::json;
use std::collections::VecDeque;
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

type Done<T> = Result<T, Box<dyn Error>>;

/// Directory changes in one transaction, and mails in one.
const BATCH: u64 = 1000;
/// Transactions that are on their way to the disk.
const UNDER_WAY_MAX: usize = 64;
/// The tenant's domain; accounts are u0@, u1@, ... of it, and account u0 has the id 1.
const DOMAIN: &str = "bench.test";

#[derive(Parser)]
#[command(version, about = "Makes a large store; prints one JSON line")]
struct Cli {
    /// Data directory to make; it must not exist, and stays.
    #[arg(long)]
    dir: PathBuf,
    /// Accounts in the directory: u0@bench.test and so on. The first hundred have the password `bench-secret`.
    #[arg(long, default_value_t = 1)]
    accounts: u64,
    /// Messages in each of the first `--filled` INBOXes.
    #[arg(long, default_value_t = 0)]
    messages: u64,
    /// Accounts that get messages; all if not given.
    #[arg(long)]
    filled: Option<u64>,
    /// Accounts that share one message. With one account the messages are appended in bulk.
    #[arg(long, default_value_t = 1)]
    fan: u64,
    /// Messages that wait for other hosts: each of u0 for an address of its own, at a thousand domains below far.test.
    #[arg(long, default_value_t = 0)]
    queued: u64,
    /// Shards of the store.
    #[arg(long, default_value_t = 2)]
    shards: u16,
    /// End by abort once all is acknowledged: no checkpoint, no orderly stop.
    #[arg(long)]
    abort: bool,
}

fn main() -> Done<()> {
    let cli = Cli::parse();
    if cli.dir.exists() {
        return Err(format!("{}: exists already", cli.dir.display()).into());
    }
    let (begun, cpu) = (Instant::now(), cpu_seconds());
    let engine = open(&cli)?;
    people(&cli, &engine)?;
    let people_cpu = cpu_seconds() - cpu;
    let filled = cli.filled.unwrap_or(cli.accounts);
    let (mail_begun, mail_cpu) = (Instant::now(), cpu_seconds());
    match (cli.messages, filled) {
        (0, _) | (_, 0) => {}
        (messages, 1) => one_mailbox(&engine, messages)?,
        (messages, filled) => many_mailboxes(&cli, &engine, filled, messages)?,
    }
    queue(&engine, cli.queued)?;
    let (mail_cpu, mail_wall) = (cpu_seconds() - mail_cpu, mail_begun.elapsed().as_secs_f64());
    let close_begun = Instant::now();
    if !cli.abort {
        engine.close()?;
    }
    let entries = cli.messages * filled;
    let line = json!({
        "accounts": cli.accounts,
        "entries": entries,
        "wall_seconds": begun.elapsed().as_secs_f64(),
        "accounts_cpu_us_each": people_cpu * 1e6 / cli.accounts as f64,
        "mail_wall_seconds": mail_wall,
        "queued": cli.queued,
        "mail_cpu_us_each": mail_cpu * 1e6 / (entries + cli.queued).max(1) as f64,
        "close_seconds": close_begun.elapsed().as_secs_f64(),
        "peak_rss_mib": peak_mib()?,
    });
    println!("{line}");
    if cli.abort {
        std::process::abort();
    }
    Ok(())
}

fn open(cli: &Cli) -> Done<Arc<Engine>> {
    let options = Options {
        disk: Arc::new(StdDisk::new(&cli.dir)?),
        clock: Arc::new(SystemClock),
        shards: cli.shards,
        segment_bytes_max: 64 << 20,
        checkpoint_log_bytes: 64 << 20,
        workers: 2,
    };
    Ok(Engine::open(options)?.0)
}

/// Seconds that this process has run on any core.
fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn peak_mib() -> Done<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse::<u64>()? / 1024)
}

fn people(cli: &Cli, engine: &Engine) -> Done<()> {
    let tenant = Change::TenantAdd {
        name: "bench".into(),
        title: "Bench".into(),
        accounts_max: Some(u32::try_from(cli.accounts)?.max(1)),
    };
    let domain = Change::DomainAdd { tenant: "bench".into(), domain: DOMAIN.into() };
    for answer in engine.change_directory(vec![tenant, domain]).wait() {
        answer?;
    }
    let hash = password::hash("bench-secret")?;
    let member = |number: u64| -> Done<Change> {
        Ok(Change::MemberAdd {
            address: Address::parse(&format!("u{number}@{DOMAIN}"))?,
            name: format!("Person Number {number}"),
            password_hash: (number < 100).then(|| hash.clone()),
            vip: false,
            quota: Quota::Unlimited,
        })
    };
    for first in (0..cli.accounts).step_by(BATCH as usize) {
        let changes = (first..cli.accounts.min(first + BATCH)).map(member).collect::<Done<Vec<_>>>()?;
        for answer in engine.change_directory(changes).wait() {
            answer?;
        }
    }
    Ok(())
}

/// A note of some 250 bytes, unlike every other.
fn mail(number: u64) -> Vec<u8> {
    let (minute, second) = (number / 60 % 60, number % 60);
    format!(
        "Message-ID: <{number}@{DOMAIN}>\r\nFrom: Reports <reports@{DOMAIN}>\r\nTo: u@{DOMAIN}\r\nSubject: Report {number}\r\n\
         Date: Thu, 26 Nov 2026 07:{minute:02}:{second:02} +0000\r\n\r\nMeasured {} and {} since the last one.\r\n",
        number.wrapping_mul(0x9E37_79B9) % 100_000,
        number % 977,
    )
    .into_bytes()
}

fn one_mailbox(engine: &Engine, messages: u64) -> Done<()> {
    let account = AccountId(1);
    let inbox = engine.open_account(account).wait()?.mailbox_named("INBOX").ok_or("no INBOX")?.id;
    let mut under_way = VecDeque::new();
    for first in (0..messages).step_by(BATCH as usize) {
        let appends = (first..messages.min(first + BATCH)).map(|number| {
            let staged = engine.stage_here(mail(number))?;
            let flags = if number % 3 == 0 { Flags::SEEN } else { Flags::NONE };
            Ok(Append { staged, flags, keywords: Vec::new(), internal_date: None })
        });
        let appends = appends.collect::<Done<Vec<_>>>()?;
        under_way.push_back(engine.ingest(account, inbox, appends));
        while under_way.len() > if first + BATCH < messages { 8 } else { 0 } {
            let Some(ticket) = under_way.pop_front() else { break };
            for answer in ticket.wait()? {
                answer?;
            }
        }
    }
    Ok(())
}

fn many_mailboxes(cli: &Cli, engine: &Engine, filled: u64, messages: u64) -> Done<()> {
    let mut under_way: VecDeque<Ticket<Outcome>> = VecDeque::new();
    let mut number = 0;
    for _ in 0..messages {
        for first in (0..filled).step_by(cli.fan.max(1) as usize) {
            let targets = (first..filled.min(first + cli.fan.max(1)))
                .map(|account| Target {
                    account: AccountId(1 + account),
                    place: Place::Inbox,
                    flags: Flags::NONE,
                    bound: None,
                })
                .collect();
            let staged = engine.stage(Vec::new(), mail(number)).wait()?;
            number += 1;
            under_way.push_back(engine.deliver(Delivery { staged, targets, queue: Vec::new() }));
            if under_way.len() >= UNDER_WAY_MAX {
                settle(&mut under_way, UNDER_WAY_MAX / 2)?;
            }
        }
    }
    settle(&mut under_way, 0)
}

/// As SMTP queues what a member submits, in both shards in turn.
fn queue(engine: &Engine, count: u64) -> Done<()> {
    let mut under_way: VecDeque<Ticket<Outcome>> = VecDeque::new();
    for number in 0..count {
        let address = format!("somebody.{number}@d{}.far.test", number % 1000);
        let recipients = vec![QueueRecipient { address, notify: 0, orcpt: String::new() }];
        let account = Some(AccountId(1 + number % 2));
        let item = NewQueueItem { account, sender: format!("u0@{DOMAIN}"), recipients, ..NewQueueItem::default() };
        let staged = engine.stage(Vec::new(), mail(number)).wait()?;
        under_way.push_back(engine.deliver(Delivery { staged, targets: Vec::new(), queue: vec![item] }));
        if under_way.len() >= UNDER_WAY_MAX {
            settle(&mut under_way, UNDER_WAY_MAX / 2)?;
        }
    }
    settle(&mut under_way, 0)
}

fn settle(under_way: &mut VecDeque<Ticket<Outcome>>, left: usize) -> Done<()> {
    while under_way.len() > left {
        let Some(ticket) = under_way.pop_front() else { break };
        let outcome = ticket.wait();
        outcome.queued?;
        for answer in outcome.targets {
            answer?;
        }
    }
    Ok(())
}
