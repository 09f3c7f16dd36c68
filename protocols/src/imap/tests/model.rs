//! Random work of two sessions on one mailbox: what the first one has been told must always be what it would be told if it asked
//! (message numbers, uids, flags), and nothing is told when it may not be. Prints its seed.
use super::{logged_in, shared};
use crate::imap::ImapService;
use crate::runtime::sim::{self, Client};
use crate::testing::Random;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a client knows of one message.
#[derive(Clone, Debug, Default)]
struct Known {
    uid: Option<u32>,
    flags: Option<BTreeSet<String>>,
}

/// A client that believes what it is told.
struct Believer {
    client: Client,
    messages: Vec<Known>,
    tag: u32,
}

impl Believer {
    async fn run(&mut self, command: &str, expunges: bool) {
        self.tag += 1;
        let tag = format!("t{}", self.tag);
        assert!(self.client.write(format!("{tag} {command}\r\n").as_bytes()).await);
        loop {
            let line = self.client.read_line().await;
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            if let Some(answer) = line.strip_prefix(&format!("{tag} ")) {
                assert!(answer.starts_with("OK"), "{command}: {line}");
                return;
            }
            let rest = if line.ends_with('}') { self.client.read_line().await } else { Vec::new() };
            let line = line + String::from_utf8_lossy(&rest).trim_end();
            self.believe(&line, expunges, command);
        }
    }

    fn believe(&mut self, line: &str, expunges: bool, command: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let number = words.get(1).and_then(|word| word.parse::<usize>().ok());
        match (number, words.get(2).copied()) {
            (Some(count), Some("EXISTS")) => {
                assert!(count >= self.messages.len(), "{command}: {line} after {}", self.messages.len());
                self.messages.resize(count, Known::default());
            }
            (Some(number), Some("EXPUNGE")) => {
                assert!(expunges, "{command}: {line}");
                assert!(number >= 1 && number <= self.messages.len(), "{command}: {line}");
                self.messages.remove(number - 1);
            }
            (Some(number), Some("FETCH")) => {
                let known = self.messages.get_mut(number - 1).unwrap_or_else(|| panic!("{command}: {line}"));
                if let Some(at) = words.iter().position(|word| word.ends_with("UID")) {
                    let uid = words[at + 1].trim_end_matches(')').parse().expect("a uid");
                    assert!(
                        known.uid.is_none_or(|before| before == uid),
                        "{command}: {line}, uid {:?} before",
                        known.uid
                    );
                    known.uid = Some(uid);
                }
                if let Some((_, rest)) = line.split_once("FLAGS (") {
                    let flags = rest.split(')').next().unwrap_or_default();
                    let flags = flags.split(' ').filter(|flag| !flag.is_empty() && *flag != "\\Recent");
                    known.flags = Some(flags.map(str::to_owned).collect());
                }
            }
            _ => {}
        }
    }

    async fn random(&mut self, random: &mut Random) {
        let len = self.messages.len();
        let flag = ["\\Seen", "\\Deleted", "\\Flagged", "kw"][random.below(4)];
        let sign = ["+", "-", ""][random.below(3)];
        let silent = ["", ".SILENT"][random.below(2)];
        match random.below(8) {
            0 => self.run("NOOP", true).await,
            1 if len > 0 => self.run("FETCH 1:* (UID FLAGS)", false).await,
            2 => self.run("UID FETCH 1:* (FLAGS)", true).await,
            3 if len > 0 => {
                let number = random.below(len) + 1;
                self.run(&format!("STORE {number} {sign}FLAGS{silent} ({flag})"), false).await;
                if silent == ".SILENT" {
                    // Told nothing, it no longer knows.
                    self.messages[number - 1].flags = None;
                }
            }
            4 if len > 0 => self.run(&format!("FETCH {} BODY[]<0.1>", random.below(len) + 1), false).await,
            5 => self.run("SEARCH ALL", false).await,
            6 => self.run("EXPUNGE", true).await,
            _ => {
                self.client.write(b"i IDLE\r\n").await;
                assert_eq!(self.client.read_line().await, b"+ idling\r\n");
                self.client.write(b"DONE\r\n").await;
                loop {
                    let line = self.client.read_line().await;
                    let line = String::from_utf8_lossy(&line).trim_end().to_owned();
                    if line.starts_with("i OK") {
                        return;
                    }
                    self.believe(&line, true, "IDLE");
                }
            }
        }
    }
}

async fn select(client: Client) -> Believer {
    let mut believer = Believer { client, messages: Vec::new(), tag: 0 };
    believer.run("SELECT INBOX", true).await;
    believer
}

async fn append(believer: &mut Believer) {
    believer.run("APPEND INBOX (\\Draft) {14+}\r\nSubject: x\r\n\r\n", true).await;
}

fn work(seed: u64) {
    println!("seed {seed}");
    let service = ImapService::new(Arc::new(shared()));
    sim::run(move |net| async move {
        let mut random = Random(seed);
        let mut sessions = Vec::new();
        for _ in 0..2 {
            sessions.push(select(logged_in(&net, &service, "ann@example.org").await).await);
        }
        for _ in 0..120 {
            let who = random.below(2);
            match random.below(4) {
                0 => append(&mut sessions[who]).await,
                _ => sessions[who].random(&mut random).await,
            }
        }
        let mut fresh = select(logged_in(&net, &service, "ann@example.org").await).await;
        if !fresh.messages.is_empty() {
            fresh.run("FETCH 1:* (UID FLAGS)", false).await;
        }
        for believer in &mut sessions {
            believer.run("NOOP", true).await;
            assert_eq!(believer.messages.len(), fresh.messages.len());
            for (believed, known) in believer.messages.iter().zip(&fresh.messages) {
                assert!(believed.uid.is_none_or(|uid| Some(uid) == known.uid), "{believed:?} {known:?}");
                assert!(believed.flags.is_none() || believed.flags == known.flags, "{believed:?} {known:?}");
            }
        }
    });
}

#[test]
fn what_is_told_is_what_is() {
    for seed in 1..=40u64 {
        work(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    }
}
