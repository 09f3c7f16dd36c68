//! Two members at random work in one mailbox, of which only one is the owner: what each has been told is what it would be told if it
//! asked, each \Seen is its own, everything else is both's. Prints its seed.
use super::logged_in;
use super::sharing::town;
use crate::imap::ImapService;
use crate::runtime::sim::{self, Client};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// uid -> flags.
type Flags = BTreeMap<u32, BTreeSet<String>>;

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }
}

/// A client, and what it has been told.
struct Member {
    client: Client,
    name: &'static str,
    told: Vec<Option<(u32, BTreeSet<String>)>>,
}

impl Member {
    /// Sends a command and takes in what is told; the tagged answer.
    async fn run(&mut self, command: &str) -> String {
        assert!(self.client.write(format!("t {command}\r\n").as_bytes()).await);
        loop {
            let line = self.client.read_line().await;
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            if let Some(answer) = line.strip_prefix("t ") {
                assert!(answer.starts_with("OK"), "{command}: {line}");
                return answer.to_owned();
            }
            self.hear(&line);
        }
    }

    fn hear(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let Some(number) = words.get(1).and_then(|word| word.parse::<usize>().ok()) else { return };
        match words.get(2).copied() {
            Some("EXISTS") => self.told.resize(number, None),
            Some("EXPUNGE") => drop(self.told.remove(number - 1)),
            Some("FETCH") => {
                let uid = words.iter().position(|word| word.ends_with("UID"));
                let uid = uid.map(|at| words[at + 1].trim_end_matches(')').parse().expect("a uid"));
                let flags = line.split_once("FLAGS (").map(|(_, rest)| {
                    let flags = rest.split(')').next().unwrap_or_default();
                    let flags = flags.split(' ').filter(|flag| !flag.is_empty() && *flag != "\\Recent");
                    flags.map(str::to_owned).collect::<BTreeSet<String>>()
                });
                let known = &mut self.told[number - 1];
                let uid = uid.or(known.as_ref().map(|known| known.0));
                if let (Some(uid), Some(flags)) = (uid, flags) {
                    *known = Some((uid, flags));
                }
            }
            _ => {}
        }
    }

    async fn select(&mut self) {
        self.told.clear();
        self.run(&format!("SELECT \"{}\"", self.name)).await;
        self.look().await;
    }

    async fn look(&mut self) {
        if !self.told.is_empty() {
            self.run("FETCH 1:* (UID FLAGS)").await;
        }
    }

    fn flags(&self) -> Flags {
        self.told.iter().flatten().cloned().collect()
    }
}

/// One step of a member, done to the truth as well. `who`: 0 the owner, whose \Seen is `\Seen0` in the truth.
async fn step(members: &mut [Member; 2], truth: &mut Flags, random: &mut Random, next: &mut u32) {
    let who = random.below(2);
    let seen = format!("\\Seen{who}");
    let uids: Vec<u32> = truth.keys().copied().collect();
    let member = &mut members[who];
    // A command with uids means the messages that its session knows of.
    member.run("NOOP").await;
    let uid = uids.get(random.below(uids.len())).copied().unwrap_or(1);
    let flag = ["\\Seen", "\\Deleted", "\\Flagged", "word"][random.below(4)];
    let kept = if flag == "\\Seen" { seen.clone() } else { flag.to_owned() };
    match random.below(7) {
        0 => {
            let answer =
                member.run(&format!("APPEND \"{}\" (\\Seen word) {{14+}}\r\nSubject: x\r\n\r\n", member.name)).await;
            assert!(answer.contains(&format!(" {next}]")), "{answer}");
            truth.insert(*next, [seen, "word".to_owned()].into());
            *next += 1;
        }
        1 => {
            member.run("EXPUNGE").await;
            truth.retain(|_, flags| !flags.contains("\\Deleted"));
        }
        2 if !uids.is_empty() => {
            member.run(&format!("UID STORE {uid} FLAGS ({flag})")).await;
            let flags = truth.entry(uid).or_default();
            flags.retain(|flag| flag.starts_with("\\Seen") && *flag != seen);
            flags.insert(kept);
        }
        3 if !uids.is_empty() => {
            member.run(&format!("UID STORE {uid}:* -FLAGS.SILENT ({flag})")).await;
            truth.range_mut(uid..).for_each(|(_, flags)| flags.retain(|flag| *flag != kept));
            member.look().await;
        }
        4 if !uids.is_empty() => {
            member.run(&format!("UID STORE 1:{uid} +FLAGS ({flag})")).await;
            truth.range_mut(..=uid).for_each(|(_, flags)| flags.extend([kept.clone()]));
        }
        5 => {
            member.run("CLOSE").await;
            truth.retain(|_, flags| !flags.contains("\\Deleted"));
            member.select().await;
        }
        _ => drop(member.run("NOOP").await),
    }
}

/// What a member is to see of the truth.
fn seen_by(truth: &Flags, who: usize) -> Flags {
    let own = format!("\\Seen{who}");
    let shown = |flag: &String| match flag.strip_prefix("\\Seen") {
        Some(_) => (*flag == own).then(|| "\\Seen".to_owned()),
        None => Some(flag.clone()),
    };
    truth.iter().map(|(uid, flags)| (*uid, flags.iter().filter_map(shown).collect())).collect()
}

fn work(seed: u64, shards: u16) {
    println!("seed {seed}, {shards} shards");
    let service = ImapService::new(Arc::new(town(shards)));
    sim::run(move |net| async move {
        let mut owner = logged_in(&net, &service, "ann@example.org").await;
        owner.write(b"r SETACL INBOX cid@example.org lrswite\r\n").await;
        assert!(owner.read_line().await.starts_with(b"r OK"));
        let client = logged_in(&net, &service, "cid@example.org").await;
        let mut members = [
            Member { client: owner, name: "INBOX", told: Vec::new() },
            Member { client, name: "Other Users/ann@example.org/INBOX", told: Vec::new() },
        ];
        for member in &mut members {
            member.select().await;
        }
        let (mut truth, mut random, mut next) = (Flags::new(), Random(seed), 1);
        for _ in 0..100 {
            step(&mut members, &mut truth, &mut random, &mut next).await;
        }
        for (who, member) in members.iter_mut().enumerate() {
            member.run("NOOP").await;
            // New messages come without their flags; everything else it knows from being told.
            let told = member.flags();
            let expected = seen_by(&truth, who);
            for (uid, flags) in &told {
                assert_eq!(Some(flags), expected.get(uid), "uid {uid} as member {who} was told");
            }
            member.select().await;
            assert_eq!(member.flags(), expected, "as member {who} asks");
            let unseen = expected.values().filter(|flags| !flags.contains("\\Seen")).count();
            let name = member.name;
            member.client.write(format!("s STATUS \"{name}\" (UNSEEN)\r\n").as_bytes()).await;
            let status = member.client.read_line().await;
            let status = String::from_utf8_lossy(&status).into_owned();
            assert!(status.contains(&format!("(UNSEEN {unseen})")), "{status}");
            member.client.read_line().await;
        }
    });
}

#[test]
fn two_members_share_all_but_seen() {
    for seed in 1..=20u64 {
        work(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15), 1 + (seed % 2) as u16);
    }
}
