//! `posthouse-count`: one piece of work on a hot path, so many times, for a counter of instructions to watch (`benches/count/run`).
//!
//! It prints nothing but what it did. Inputs are fixed; whatever is made ready costs the same however often the work is done, so that the
//! difference of two runs is the work alone. It measures nothing itself.

use clap::{Parser, ValueEnum};
use posthouse_benches::work::{session, store, wire};
use std::process::ExitCode;

#[derive(Parser)]
#[command(version, about = "Does one piece of work many times, to be run under valgrind")]
struct Cli {
    /// What to do.
    #[arg(long, value_enum)]
    work: Work,
    /// How often.
    #[arg(long, default_value_t = 1)]
    times: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Work {
    /// A message frame of 2 kB into the open group.
    Frame,
    /// A mail parsed into its summary.
    Parse,
    /// A mail parsed, compressed with a dictionary, ready to be committed.
    Stage,
    /// FETCH FLAGS of one message.
    FetchFlags,
    /// FETCH ENVELOPE of one message.
    FetchEnvelope,
    /// The same where summaries are compressed with a dictionary.
    FetchPacked,
    /// FETCH BODYSTRUCTURE of one message.
    FetchBodystructure,
    /// FETCH of one whole message.
    FetchFull,
    /// STORE of one flag of one message, with its commit.
    StoreFlag,
    /// SELECT of a mailbox whose first message is unseen.
    SelectUnread,
    /// SELECT of a mailbox of which 8,192 messages have been read and the last one has not.
    SelectRead,
    /// A word looked for in the text of one message, by SEARCH.
    SearchText,
    /// One IMAP command that changes nothing and finds nothing.
    ImapCommand,
    /// One of MAIL, RCPT, RSET by LMTP.
    LmtpCommand,
    /// A mail out of its dot-stuffing.
    Unstuff,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.work {
        Work::Frame => store::frames(cli.times),
        Work::Parse => store::parse(cli.times),
        Work::Stage => store::stage(cli.times),
        Work::FetchFlags => session::fetch("FLAGS", cli.times),
        Work::FetchEnvelope => session::fetch("ENVELOPE", cli.times),
        Work::FetchPacked => session::fetch_packed("ENVELOPE", cli.times),
        Work::FetchBodystructure => session::fetch("BODYSTRUCTURE", cli.times),
        Work::FetchFull => session::fetch("BODY.PEEK[]", cli.times),
        Work::StoreFlag => session::store_flags(cli.times),
        Work::SelectUnread => session::select(0, cli.times),
        Work::SelectRead => session::select(session::SELECTED_MESSAGES - 1, cli.times),
        Work::SearchText => session::search("TEXT \"yesterday because\"", cli.times),
        Work::ImapCommand => session::imap_commands(cli.times),
        Work::LmtpCommand => session::lmtp_commands(cli.times),
        Work::Unstuff => wire::unstuff(cli.times),
    };
    println!("{:?}: {}", cli.work, done.made);
    ExitCode::SUCCESS
}
