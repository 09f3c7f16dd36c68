//! QRESYNC: what a client that was away is told, and VANISHED in place of EXPUNGE.
use super::{logged_in, play_with, shared};
use crate::imap::ImapService;
use crate::runtime::sim::{self, Client};
use std::collections::BTreeMap;
use std::sync::Arc;

#[test]
fn vanished_in_place_of_expunge() {
    play_with(
        5,
        "C: e ENABLE QRESYNC
         S: * OK [HIGHESTMODSEQ 6] ...
         S: * ENABLED QRESYNC
         S: e OK ...
         C: a STORE 2:3 +FLAGS (\\Deleted)
         S: * 2 FETCH (FLAGS (\\Deleted \\Recent) MODSEQ (7))
         S: * 3 FETCH (FLAGS (\\Deleted \\Recent) MODSEQ (7))
         S: a OK ...
         C: b EXPUNGE
         S: * VANISHED 2:3
         S: b OK [HIGHESTMODSEQ 8] ...
         C: c MOVE 2 Trash
         S: * OK [COPYUID ... 4 1] Moved
         S: * VANISHED 4
         S: c OK [HIGHESTMODSEQ 9] ...
         C: d UID FETCH 1:* (FLAGS) (CHANGEDSINCE 6 VANISHED)
         S: * VANISHED (EARLIER) 2:4
         S: d OK ...
         C: f UID FETCH 3 (FLAGS) (CHANGEDSINCE 6 VANISHED)
         S: * VANISHED (EARLIER) 3
         S: f OK ...
         C: g UID FETCH 1:* (FLAGS) (VANISHED)
         S: g BAD ...
         C: h FETCH 1:* (FLAGS) (CHANGEDSINCE 6 VANISHED)
         S: h BAD ...
         C: i UID STORE 1 +FLAGS.SILENT (\\Deleted)
         S: * 1 FETCH (UID 1 MODSEQ (10))
         S: i OK ...
         C: j CLOSE
         S: j OK [HIGHESTMODSEQ 11] CLOSE completed",
    );
}

#[test]
fn a_client_comes_back() {
    play_with(
        5,
        "C2: e ENABLE QRESYNC
         S2: * ENABLED QRESYNC
         S2: e OK ...
         C: a STORE 2 +FLAGS.SILENT (\\Deleted)
         S: a OK ...
         C: b EXPUNGE
         S: * 2 EXPUNGE
         S: b OK ...
         C: c STORE 4 +FLAGS.SILENT (\\Seen)
         S: c OK ...
         C2: s SELECT INBOX (QRESYNC (1795492248 6))
         S2: * FLAGS ...
         S2: * OK [PERMANENTFLAGS ...
         S2: * 4 EXISTS
         S2: * 0 RECENT
         S2: * OK [UNSEEN 1] ...
         S2: * OK [UIDVALIDITY 1795492248] ...
         S2: * OK [UIDNEXT 6] ...
         S2: * OK [HIGHESTMODSEQ 9] ...
         S2: * OK [MAILBOXID (...
         S2: * VANISHED (EARLIER) 2
         S2: * 4 FETCH (UID 5 FLAGS (\\Seen) MODSEQ (9))
         S2: s OK [READ-WRITE] ...
         C2: t SELECT INBOX (QRESYNC (1795492248 6 3:4 (1,3 1,4)))
         S2: * OK [CLOSED] ...
         S2: * FLAGS ...
         S2: * OK [PERMANENTFLAGS ...
         S2: * 4 EXISTS
         S2: * 0 RECENT
         S2: * OK [UNSEEN 1] ...
         S2: * OK [UIDVALIDITY ...
         S2: * OK [UIDNEXT 6] ...
         S2: * OK [HIGHESTMODSEQ 9] ...
         S2: * OK [MAILBOXID (...
         S2: t OK [READ-WRITE] ...
         C2: u SELECT INBOX (QRESYNC (1 6))
         S2: * OK [CLOSED] ...
         S2: * FLAGS ...
         S2: * OK [PERMANENTFLAGS ...
         S2: * 4 EXISTS
         S2: * 0 RECENT
         S2: * OK [UNSEEN 1] ...
         S2: * OK [UIDVALIDITY ...
         S2: * OK [UIDNEXT 6] ...
         S2: * OK [HIGHESTMODSEQ 9] ...
         S2: * OK [MAILBOXID (...
         S2: u OK [READ-WRITE] ...",
    );
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// Flags by uid, and the modseq up to which they are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Replica {
    flags: BTreeMap<u32, String>,
    modseq: u64,
}

/// The number after `word`.
fn after(line: &str, word: &str) -> Option<u64> {
    let digits = line.split_once(word)?.1;
    digits.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

impl Replica {
    fn hear(&mut self, line: &str) {
        if let Some(modseq) = after(line, "[HIGHESTMODSEQ ") {
            self.modseq = modseq;
        }
        if let Some(uid) = after(line, "UID ").filter(|_| line.contains(" FETCH (")) {
            let flags = line.split_once("FLAGS (").and_then(|(_, rest)| rest.split_once(')'));
            let flags = flags.map(|(flags, _)| flags.replace("\\Recent", "").trim().to_owned());
            self.flags.insert(uid as u32, flags.unwrap_or_default());
        }
        if let Some((_, uids)) = line.split_once("VANISHED (EARLIER) ") {
            for range in uids.split(',') {
                let (first, last) = range.split_once(':').unwrap_or((range, range));
                let (first, last): (u32, u32) = (first.parse().expect("a uid"), last.parse().expect("a uid"));
                self.flags.retain(|uid, _| *uid < first || *uid > last);
            }
        }
    }
}

async fn run(client: &mut Client, command: &str, replica: &mut Replica) {
    assert!(client.write(format!("t {command}\r\n").as_bytes()).await);
    loop {
        let line = client.read_line().await;
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        replica.hear(&line);
        if line.starts_with("t ") {
            assert!(line.starts_with("t OK"), "{command}: {line}");
            return;
        }
    }
}

/// Somebody works on the mailbox at random; a client that comes back by QRESYNC, whenever it was there last, knows what one knows that
/// reads everything.
async fn work(client: &mut Client, random: &mut Random) {
    let mut ignored = Replica::default();
    let flag = ["\\Seen", "\\Flagged", "kw"][random.below(3) as usize];
    let sign = ["+", "-"][random.below(2) as usize];
    let (first, len) = (1 + random.below(60), random.below(5));
    let uids = format!("{first}:{}", first + len);
    let command = match random.below(8) {
        0..=2 => "APPEND INBOX (\\Draft) {14+}\r\nSubject: x\r\n\r\n".to_owned(),
        3 | 4 => format!("UID STORE {uids} {sign}FLAGS.SILENT ({flag})"),
        5 => format!("UID STORE {uids} +FLAGS.SILENT (\\Deleted)"),
        6 => "EXPUNGE".to_owned(),
        _ => format!("UID MOVE {uids} Trash"),
    };
    run(client, &command, &mut ignored).await;
}

fn resync(seed: u64) {
    println!("seed {seed}");
    let service = ImapService::new(Arc::new(shared()));
    sim::run(move |net| async move {
        let mut random = Random(seed);
        let mut worker = logged_in(&net, &service, "ann@example.org").await;
        let mut client = logged_in(&net, &service, "ann@example.org").await;
        run(&mut worker, "SELECT INBOX", &mut Replica::default()).await;
        run(&mut client, "ENABLE QRESYNC", &mut Replica::default()).await;
        let mut older: Vec<Replica> = vec![Replica { flags: BTreeMap::new(), modseq: 1 }];
        for _ in 0..30 {
            for _ in 0..random.below(8) {
                work(&mut worker, &mut random).await;
            }
            let mut full = Replica::default();
            run(&mut client, "SELECT INBOX", &mut full).await;
            run(&mut client, "UID FETCH 1:* (FLAGS)", &mut full).await;
            for before in &older {
                let mut replica = before.clone();
                let select = format!("SELECT INBOX (QRESYNC (1795492248 {}))", before.modseq);
                run(&mut client, &select, &mut replica).await;
                assert_eq!(replica, full, "from {}", before.modseq);
                let mut fetched = before.clone();
                let fetch = format!("UID FETCH 1:* (FLAGS) (CHANGEDSINCE {} VANISHED)", before.modseq);
                run(&mut client, &fetch, &mut fetched).await;
                assert_eq!(fetched.flags, full.flags, "fetched from {}", before.modseq);
            }
            older.push(full);
        }
    });
}

#[test]
fn resynchronised_is_what_is_read_anew() {
    for seed in 1..=12u64 {
        resync(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    }
}
