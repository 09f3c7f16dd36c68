//! `posthouse-load`: drives a mail server from outside and checks every answer.
//!
//! It speaks LMTP, SMTP, IMAP as a plain blocking client, one thread per connection, and prints one
//! JSON line with the rate, the latencies and its own CPU time. A wrong answer is an error and makes
//! the exit code 1. It never looks inside a server and shares no code with Posthouse.

mod change;
mod corpus;
mod cpu;
mod deliver;
mod disk;
mod idle;
mod imap;
mod notify;
mod report;
mod wire;

use clap::{Args, Parser, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Parser)]
#[command(version, about = "Load generator for mail servers; prints one JSON line")]
struct Cli {
    #[command(subcommand)]
    work: Work,
}

/// Whom to speak to, as whom, and over how many connections.
#[derive(Args, Clone)]
pub struct Target {
    /// Address of the listener.
    #[arg(long)]
    addr: SocketAddr,
    /// Connections at a time; each has a thread of its own (idle: threads share them).
    #[arg(long, default_value_t = 1)]
    conns: usize,
    /// Account name with `{}` for the account's number.
    #[arg(long, default_value = "u{}@bench.test")]
    user: String,
    /// Number of accounts, counted from 0.
    #[arg(long, default_value_t = 100)]
    accounts: usize,
    /// Password of every account.
    #[arg(long, default_value = "bench-secret")]
    password: String,
    /// Implicit TLS; the certificate is not checked.
    #[arg(long)]
    tls: bool,
}

impl Target {
    fn account(&self, number: usize) -> String {
        self.user.replace("{}", &(number % self.accounts.max(1)).to_string())
    }
}

#[derive(Subcommand)]
enum Work {
    /// Deliver mails by LMTP or SMTP.
    Deliver(deliver::Options),
    /// Read mailboxes by IMAP.
    Imap(imap::Options),
    /// Hold many logged-in connections in IDLE.
    Idle(idle::Options),
    /// Change a mailbox by IMAP.
    Change(change::Options),
    /// Time from a delivery to the EXISTS of a connection in IDLE.
    Notify(notify::Options),
    /// Measure what the disk can do: append + fdatasync.
    Disk(disk::Options),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().work {
        Work::Deliver(options) => deliver::run(&options),
        Work::Imap(options) => imap::run(&options),
        Work::Idle(options) => idle::run(&options),
        Work::Change(options) => change::run(&options),
        Work::Notify(options) => notify::run(&options),
        Work::Disk(options) => disk::run(&options),
    };
    match outcome {
        Ok(report) => {
            println!("{}", report.line());
            if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(problem) => {
            eprintln!("posthouse-load: {problem}");
            ExitCode::FAILURE
        }
    }
}
