//! Work of whole sessions over the simulated network: what a client's commands cost from their bytes to the answer's bytes.
use super::Done;
use super::mails::mail;
use posthouse_engine::base::{Flags, MailboxId, SimClock};
use posthouse_engine::directory::{Address, Change, Quota};
use posthouse_engine::disk::sim::SimDisk;
use posthouse_engine::{Append, Engine, Options};
use posthouse_protocols::imap::ImapService;
use posthouse_protocols::lmtp::LmtpService;
use posthouse_protocols::runtime::Service;
use posthouse_protocols::runtime::sim::{self, Client};
use posthouse_protocols::session::{PlaintextAuth, Shared};
use posthouse_protocols::smtp::SmtpService;
use std::sync::Arc;
use std::time::Instant;

/// argon2id of `secret`, as cheap as it gets.
const HASH: &str = "$argon2id$v=19$m=8,t=1,p=1$cG9zdGhvdXNlLXRlc3RzIQ$YHmlhUnTuVQOcrdhIx5FF+58oje3RiKtMNEPCbPmre4";
/// 24 Nov 2026 03:50:48 UTC.
const NOW_MS: i64 = 1_795_492_248_000;
/// Messages in the mailbox; a FETCH reads them all.
const MESSAGES: usize = 64;
/// Messages in a mailbox whose flags are changed one at a time.
const MESSAGES_CHANGED: usize = 1024;
/// Messages in a mailbox that is selected: one more than SELECT looks through for the first unseen one.
pub const SELECTED_MESSAGES: usize = 8193;
/// Mails that a store learns a dictionary from.
const SAMPLES: usize = 64;

/// Commands that are read, understood and find nothing.
pub const IMAP_COMMANDS: [&str; 4] = [
    "c NOOP",
    "c UID FETCH 7,12:40,99:* (UID FLAGS BODY.PEEK[HEADER.FIELDS (From To Subject Date)])",
    "c UID SEARCH RETURN (ALL) UNSEEN SINCE 1-Nov-2026 FROM \"ann\" NOT DELETED",
    "c LIST \"\" \"Nothing/%\"",
];

/// Reads `item` of all messages so often that `times` answers came; their bytes.
pub fn fetch(item: &'static str, times: usize) -> Done {
    over_messages(shared(MESSAGES), format!("c FETCH 1:* ({item})"), times)
}

/// The same in a store that has learned a dictionary, as all but the youngest have: summaries and bodies are compressed.
pub fn fetch_packed(item: &'static str, times: usize) -> Done {
    over_messages(learned(MESSAGES), format!("c FETCH 1:* ({item})"), times)
}

/// Searches all messages by `key` so often that `times` were looked at; the bytes of the answers.
pub fn search(key: &'static str, times: usize) -> Done {
    over_messages(shared(MESSAGES), format!("c UID SEARCH RETURN (COUNT) {key}"), times)
}

/// A command that goes through all messages, so often that `times` were gone through; the bytes of the answers.
fn over_messages(shared: Shared, command: String, times: usize) -> Done {
    let service = ImapService::new(Arc::new(shared));
    let rounds = times.div_ceil(MESSAGES);
    let done = sim::run(move |net| async move {
        let mut client = examining(net.connect(&service)).await;
        repeat(rounds, async |_| ask(&mut client, &command, "c ").await).await
    });
    Done { took: done.took.mul_f64(times as f64 / (rounds * MESSAGES).max(1) as f64), ..done }
}

/// Sets and takes away one flag of one message after the other, each with its commit; how many.
pub fn store_flags(times: usize) -> Done {
    let service = ImapService::new(Arc::new(shared(MESSAGES_CHANGED)));
    sim::run(move |net| async move {
        let mut client = opened(net.connect(&service), "SELECT").await;
        repeat(times, async |at| {
            let sign = if (at / MESSAGES_CHANGED).is_multiple_of(2) { '+' } else { '-' };
            let command = format!("c STORE {} {sign}FLAGS (\\Flagged)", at * 7 % MESSAGES_CHANGED + 1);
            ask(&mut client, &command, "c ").await;
            1
        })
        .await
    })
}

/// Selects, again and again, a mailbox whose first `seen` messages have been read; the bytes of the answers.
pub fn select(seen: usize, times: usize) -> Done {
    const FIRST: usize = 16;
    let service = ImapService::new(Arc::new(shared(FIRST)));
    sim::run(move |net| async move {
        let mut client = opened(net.connect(&service), "SELECT").await;
        let mut messages = FIRST;
        while messages < SELECTED_MESSAGES {
            let more = messages.min(SELECTED_MESSAGES - messages);
            ask(&mut client, &format!("c COPY 1:{more} INBOX"), "c ").await;
            messages += more;
        }
        if seen > 0 {
            ask(&mut client, &format!("c STORE 1:{seen} +FLAGS.SILENT (\\Seen)"), "c ").await;
        }
        // Nobody is the first to see any of them, nor to look through them.
        ask(&mut client, "c SELECT INBOX", "c ").await;
        repeat(times, async |_| ask(&mut client, "c SELECT INBOX", "c ").await).await
    })
}

/// Commands that are read, understood and find nothing; how many.
pub fn imap_commands(times: usize) -> Done {
    let service = ImapService::new(Arc::new(shared(0)));
    sim::run(move |net| async move {
        let mut client = examining(net.connect(&service)).await;
        repeat(times, async |at| {
            ask(&mut client, IMAP_COMMANDS[at % IMAP_COMMANDS.len()], "c ").await;
            1
        })
        .await
    })
}

/// MAIL, RCPT and RSET in turn, by LMTP; how many.
pub fn lmtp_commands(times: usize) -> Done {
    transactions(&LmtpService::new(Arc::new(shared(0))), "LHLO client.example.net", times)
}

/// The same by SMTP, as another host says it.
pub fn smtp_commands(times: usize) -> Done {
    transactions(&SmtpService::mx(Arc::new(shared(0))), "EHLO client.example.net", times)
}

fn transactions(service: &dyn Service, hello: &'static str, times: usize) -> Done {
    sim::run(|net| {
        let mut client = net.connect(service);
        async move {
            client.read_line().await;
            ask(&mut client, hello, "250 ").await;
            let commands =
                ["MAIL FROM:<sender@example.net> SIZE=5000 BODY=8BITMIME", "RCPT TO:<ann@example.org>", "RSET"];
            repeat(times, async |at| {
                ask(&mut client, commands[at % commands.len()], "250 ").await;
                1
            })
            .await
        }
    })
}

/// A client that is logged in and looks into INBOX.
async fn examining(client: Client) -> Client {
    opened(client, "EXAMINE").await
}

async fn opened(mut client: Client, how: &str) -> Client {
    client.read_line().await;
    ask(&mut client, "a LOGIN ann@example.org secret", "a ").await;
    ask(&mut client, &format!("b {how} INBOX"), "b ").await;
    client
}

/// Does `one` for each number below `times` and adds up what they make.
async fn repeat(times: usize, mut one: impl AsyncFnMut(usize) -> usize) -> Done {
    let (start, mut made) = (Instant::now(), 0);
    for at in 0..times {
        made += one(at).await;
    }
    Done { made, took: start.elapsed() }
}

/// Sends a line and reads until the last line that has come begins with `last`; the bytes that came. Looks at little of what comes: the
/// server's work is counted, not the client's.
async fn ask(client: &mut Client, line: &str, last: &str) -> usize {
    assert!(client.write(format!("{line}\r\n").as_bytes()).await, "the server has gone before {line:?}");
    let mut heard = Vec::new();
    loop {
        let more = client.read().await;
        assert!(!more.is_empty(), "the server has gone after {line:?}");
        heard.extend_from_slice(&more);
        let Some(whole) = heard.strip_suffix(b"\r\n") else { continue };
        let end = &whole[whole.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1)..];
        if end.starts_with(last.as_bytes()) {
            let refused = [&b"NO"[..], b"BAD"].iter().any(|word| end[last.len()..].starts_with(word));
            assert!(!refused, "{line:?} was answered {:?}", String::from_utf8_lossy(end));
            return heard.len();
        }
        assert!(!end.starts_with(b"5"), "{line:?}: {:?}", String::from_utf8_lossy(end));
    }
}

/// A store with the member ann, who has so many messages.
fn shared(messages: usize) -> Shared {
    store(messages, |_| ())
}

/// The same where mails were looked at before the first of them came.
fn learned(messages: usize) -> Shared {
    store(messages, |engine| {
        (MESSAGES..MESSAGES + SAMPLES).for_each(|number| drop(engine.stage(Vec::new(), mail(number)).wait()));
        assert!(engine.train_dictionary(), "so many mails teach something");
    })
}

fn store(messages: usize, prepare: impl FnOnce(&Arc<Engine>)) -> Shared {
    let clock = Arc::new(SimClock::at_ms(NOW_MS));
    let options = Options {
        disk: Arc::new(SimDisk::new(1)),
        clock: clock.clone(),
        shards: 1,
        segment_bytes_max: 16 << 10,
        checkpoint_log_bytes: 64 << 20,
        workers: 1,
    };
    let (engine, _) = Engine::open(options).expect("an empty store opens");
    let address = Address::parse("ann@example.org").expect("an address");
    let name = "Ann".to_owned();
    let changes = vec![
        Change::TenantAdd { name: "example".into(), title: "Example".into(), accounts_max: None },
        Change::DomainAdd { tenant: "example".into(), domain: "example.org".into() },
        Change::MemberAdd { address, name, password_hash: Some(HASH.into()), vip: false, quota: Quota::Default },
    ];
    for done in engine.change_directory(changes).wait() {
        done.expect("the directory takes it");
    }
    let account = engine.directory(|directory| directory.login("ann@example.org").map(|account| account.id));
    let account = account.expect("ann is a member");
    engine.open_account(account).wait().expect("the account opens");
    let staged = |number| engine.stage(Vec::new(), mail(number)).wait().expect("it is small");
    prepare(&engine);
    // One commit each, so that segments are sealed, but for the last: what is read lies in maps, as nearly all of a store does.
    for number in 0..messages {
        let one = Append { staged: staged(number), flags: Flags::NONE, keywords: Vec::new(), internal_date: None };
        engine.append(account, MailboxId::INBOX, vec![one]).wait().expect("there is room");
    }
    let mut shared = Shared::new(engine, clock, "mail.example.org");
    // The simulated client is on no loopback address.
    shared.plaintext_auth = PlaintextAuth::Always;
    shared
}
